"""The numpy backend: a program as one readable Python module over numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.backend import Backend, Executable, Kernel, Sources, Step
from graphc.backends.numpy.heavy import HEAVY
from graphc.backends.numpy.spelling import REDUCE, SCALAR
from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input


class NumpyExecutable:
    def __init__(self, text: str) -> None:
        self.namespace: dict[str, Any] = {}
        exec(compile(text, "<graphc>", "exec"), self.namespace)

    def bind(self, state: Sequence[Any]) -> Step:
        return self.namespace["bind"](*state)


def empty(t) -> str:
    return f"np.empty({t.shape}, np.dtype({t.dtype.numpy.name!r}))"


PRELUDE = '''import numpy as np
try:
    import ml_dtypes
except ImportError:
    pass
np.seterr(all="ignore")
def parallel(work, count, parts=2):
    edges = [count * i // parts for i in range(parts + 1)]
    for i in range(parts):
        work(i, edges[i], edges[i + 1])
'''


class NumpyBackend:
    name = "numpy"
    composites: frozenset[str] = frozenset()

    def emit(self, graph: Graph) -> Sources:
        names = {}
        lines = []
        functions = []
        for i, x in enumerate(graph.state):
            names[x] = f"s{i}"
        for i, x in enumerate(graph.inputs):
            names[x] = f"i{i}"
        for n, x in enumerate(graph.nodes):
            op = x.op
            if isinstance(op, Input):
                continue
            if isinstance(op, Const):
                v = repr(op.value)
                if v in ("inf", "-inf", "nan"):
                    v = f"float('{v}')"
                names[x] = f"np.array({v}, dtype=np.dtype({x.dtype.numpy.name!r}))"
                continue
            t = names[x] = f"t{n}"
            a = [names[y] for y in x.inputs]
            name = op.name
            if name == "reshape":
                lines.append(f"{t} = {a[0]}.reshape({op.shape})")
            elif name == "permute":
                lines.append(f"{t} = {a[0]}.transpose({op.dims})")
            elif name == "expand":
                lines.append(f"{t} = np.broadcast_to({a[0]}, {op.shape})")
            elif name in ("slice", "place"):
                cut = ", ".join(f"{b}:{e}:{s}" for b, e, s in zip(op.starts, op.stops, op.steps)) or "()"
                if name == "slice":
                    lines.append(f"{t} = {a[0]}[{cut}]")
                else:
                    lines.append(f"{t} = np.array({a[0]}); {t}[{cut}] = {a[1]}")
            elif name == "flip":
                lines.append(f"{t} = np.flip({a[0]}, {op.dims})")
            elif name == "pad":
                pairs = tuple(zip(op.low, op.high))
                lines.append(f"{t} = np.pad({a[0]}, {pairs}, constant_values={op.value!r})" if pairs else f"{t} = {a[0]}")
            elif name == "concat":
                lines.append(f"{t} = np.concatenate([{', '.join(a)}], axis={op.dim})")
            elif name == "item":
                lines.append(f"{t} = {a[0]}[{op.index}]")
            elif name == "matmul":
                lines.append(f"{t} = np.matmul({a[0]}, {a[1]})")
            elif name in REDUCE:
                lines.append(f"{t} = {empty(x.type)}; " + REDUCE[name].format(*a, out=t, axes=op.axes))
            elif name in SCALAR:
                spelled = SCALAR[name]
                marks = {"out": t}
                lines.append(f"{t} = {empty(x.type)}")
                for mark in ("t0", "t1"):
                    if f"{{{mark}}}" in spelled:
                        marks[mark] = f"{t}_{mark}"
                        lines.append(f"{marks[mark]} = {empty(x.type)}")
                if "{m0}" in spelled:
                    marks["m0"] = f"{t}_m0"
                    lines.append(f"{t}_m0 = np.empty({x.shape}, bool)")
                lines += spelled.format(*a, **marks).split("\n")
            elif name in HEAVY:
                rendered = HEAVY[name](f"k{n}", x)
                functions.append(rendered.text)
                outs = []
                for i, ty in enumerate(x.types):
                    lines.append(f"{t}_{i} = {empty(ty)}")
                    outs.append(f"{t}_{i}")
                scratch = [f"np.empty({shape}, np.dtype({d!r}))" for shape, d in rendered.scratch]
                a = [f"np.ascontiguousarray({v})" for v in a]
                lines.append(f"k{n}({', '.join(a + outs + scratch)})")
                lines.append(f"{t} = ({', '.join(outs)},)" if len(outs) > 1 else f"{t} = {outs[0]}")
            else:
                raise NotImplementedError(name)
        for x, v in graph.updates:
            lines.append(f"u_{names[x]} = np.array({names[v]})")
        for x, v in graph.updates:
            lines.append(f"{names[x]}[...] = u_{names[x]}")
        outs = ", ".join(f"np.array({names[x]})" for x in graph.outputs)
        text = PRELUDE + "".join(functions) + "def bind(" + ", ".join(names[x] for x in graph.state) + "):\n"
        text += " def step(" + ", ".join(names[x] for x in graph.inputs) + "):\n"
        text += "".join(f"  {line}\n" for line in lines)
        text += f"  return [{outs}]\n return step\n"
        return Sources(text, (Kernel("step", "", text),), "py")

    def build(self, sources: Sources) -> Executable:
        return NumpyExecutable(sources.text)


BACKEND: Backend = NumpyBackend()
