"""Many generated C kernels, compiled as one file, on the samples of the table and on arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from graphc.backends.c_language.attention import is_attended
from graphc.backends.native.heavy import TABLES
from graphc.backends.native.library import prelude
from graphc.backends.native.made import Made, Maker, Setting
from graphc.backends.native.targets import Target, host
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.node import Node, make_input
from graphc.ir.types import TensorType
from graphc.ops.composite import Composite
from graphc.testing.operands import Operand
from graphc.testing.programs import check, expected, use
from graphc.testing.table import Sample, samples_of, table
from tests.backends.native_alone import Array, library_of, operand_of


@dataclass(frozen=True, eq=False)
class Use:
    """A kernel with the arrays that it is called with."""

    maker: Maker
    node: Node
    operands: Sequence[Array]
    results: Sequence[Array]
    threads: int = 2
    settled: tuple[bool, ...] = ()

    def made(self, name: str, target: Target) -> Made:
        """The kernel."""
        given = [operand_of(x) for x in (*self.operands, *self.results)]
        count = len(self.operands)
        setting = Setting(
            self.node,
            tuple(given[:count]),
            tuple(given[count:]),
            self.threads,
            target,
            settled=self.settled,
        )
        return self.maker(name, setting)


def node_of(op: Any, *arrays: Array) -> Node:
    """A node of the op on inputs like the arrays."""
    inputs = []
    for i, x in enumerate(arrays):
        dtype = dtype_of_numpy(x.dtype)
        assert dtype is not None
        inputs.append(make_input(f"x{i}", TensorType(x.shape, dtype)))
    node: Node = op(*inputs)
    return node.inputs[0] if node.op.name == "item" else node


def use_of(maker: Maker, node: Node, *operands: Array, order: str = "C", threads: int = 2) -> Use:
    """A use whose results are new; ``order`` "channels": with the channels last in memory."""
    results = [empty(t.shape, t.dtype.numpy, order) for t in node.types]
    return Use(maker, node, operands, results, threads)


def empty(shape: tuple[int, ...], dtype: Any, order: str = "C") -> Array:
    """An array of numbers that are wrong everywhere."""
    if order == "channels" and len(shape) > 2:
        found = np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), dtype), -1, 1)
    else:
        found = np.empty(shape, dtype)
    found[...] = 113
    return found


def viewed(operand: Operand) -> Array:
    """The array in memory as a primitive finds it that is given a view."""
    given, layout = operand.given(), operand.layout
    if layout == "transposed":
        return given.transpose()
    if layout == "stepped":
        return given[..., ::2]
    if layout == "flipped":
        return np.flip(given)
    if layout == "expanded":
        return np.broadcast_to(given, operand.array.shape)
    return given


def text_of(mades: Sequence[Made], counts: Sequence[int]) -> str:
    """A C file with a function ``run0``, ``run1`` ... for each kernel, of so many arrays each."""
    helpers = {name for made in mades for name in made.helpers} | {"fail"}
    parts = [prelude(helpers), *(made.text for made in mades)]
    for i, (made, count) in enumerate(zip(mades, counts, strict=True)):
        arguments = [f"(void *)p[{j}]" for j in range(count + len(made.workspace))]
        arguments += ["0"] if made.errors else []
        parts.append(f"void run{i}(void **p) {{")
        for stage in made.stages:
            call = f"{stage.function}({', '.join(['i', *arguments])})"
            parts.append(f"    for (long i = 0; i < {stage.tasks}; i++) {call};")
        parts.append("}")
    parts.append("int64_t failure(void) { int64_t found = failed; failed = 0; return found; }")
    parts.append("int64_t failure_value(void) { return failed_value; }")
    return "\n".join([*parts, ""])


def run_all(uses: Sequence[Use], folder: Path, target: Target | None = None) -> list[str]:
    """Every use computed; for each the error that it reports, or "" """
    target = target or host()
    mades = [each.made(f"kernel{i}", target) for i, each in enumerate(uses)]
    counts = [len(each.operands) + len(each.results) for each in uses]
    library = library_of(text_of(mades, counts), folder, target)
    library.failure.restype = library.failure_value.restype = ctypes.c_int64
    return [_run(library, i, *pair) for i, pair in enumerate(zip(uses, mades, strict=True))]


def _run(library: Any, i: int, use: Use, made: Made) -> str:
    work = [np.full(n + 64, 255, np.uint8) for n in made.workspace]
    addresses = [x.ctypes.data for x in (*use.operands, *use.results)]
    addresses += [-(-x.ctypes.data // 64) * 64 for x in work]
    getattr(library, f"run{i}")((ctypes.c_void_p * len(addresses))(*addresses))
    for x, size in zip(work, made.workspace, strict=True):
        end = -x.ctypes.data % 64 + size
        assert (x[end:] == 255).all(), f"{made.stages} writes past its workspace"
    failed = library.failure()
    if not failed:
        return ""
    kind, message = made.errors[failed - 1]
    return f"{kind}: {message.replace('{}', str(library.failure_value()))}"


def sample_uses(
    makers: dict[str, Maker], dtype: str, order: str = "C"
) -> list[tuple[str, Sample, Use]]:
    """Every sample of the table's rows in an element type, with the row's name and its kernel."""
    found = []
    for name, maker in makers.items():
        if dtype not in [x.name for x in table()[name].dtypes]:
            continue
        for i, sample in enumerate(samples_of(name, dtype)):
            made = use(sample, i)
            node = made.results[0]
            node = node.inputs[0] if node.op.name == "item" else node
            arrays = [viewed(x) for x in sample.operands]
            found.append((name, sample, use_of(maker, node, *arrays, order=order)))
    return found


def check_results(name: str, sample: Sample, node: Node, results: Sequence[Array]) -> None:
    """Raise an AssertionError where the results of a sample are not the reference's."""
    row = table()[name]
    dtypes = [t.dtype for t in node.types]
    for got, wanted in zip(results, expected(row, sample, dtypes), strict=True):
        check(sample, got, wanted, row.tolerance_in(dtypes[0]), signed_zeros=row.signed_zeros)


def check_samples(
    makers: dict[str, Maker], dtype: str, folder: Path, target: Target, order: str = "C"
) -> int:
    """Every sample of the table's rows in an element type against the references."""
    found = sample_uses(makers, dtype, order)
    run_all([each for *_, each in found], folder, target)
    for name, sample, each in found:
        check_results(name, sample, each.node, each.results)
    return len(found)


# -- the samples of what the backend claims --------------------------------------------------------


def claimed_uses(module: str, dtype: str) -> list[tuple[str, Sample, Use]]:
    """The samples of a module's makers, but the composites that the backend leaves to others."""
    code = import_module(f"graphc.backends.native.{module}")
    makers: dict[str, Maker] = getattr(code, module.upper())
    known = {name: maker for name, maker in makers.items() if name in table()}
    return [
        (name, sample, each)
        for name, sample, each in sample_uses(known, dtype)
        if not isinstance(each.node.op, Composite) or is_attended(each.node)
    ]


def samples_by_module(dtypes: Sequence[str]) -> list[tuple[str, str]]:
    """Each module that makes kernels with each of these element types that its samples have."""
    found = []
    for module in filter(lambda x: find_spec(f"graphc.backends.native.{x}"), TABLES):
        rows = [table()[name] for name in TABLES[module].split() if name in table()]
        there = {x.name for row in rows for x in row.dtypes}
        found += [(module, dtype) for dtype in dtypes if dtype in there]
    return found
