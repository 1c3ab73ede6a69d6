"""From a fused graph to the text of a Python module."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from math import prod

import numpy as np

from graphc.backend import Kernel, Sources
from graphc.backends.numpy.body import number
from graphc.backends.numpy.kernels import Made, Setting, make, numpy_dtype
from graphc.backends.numpy.prelude import helpers
from graphc.backends.numpy.schedule import scheduled
from graphc.backends.numpy.values import Layout, call, literal, looked_at, shortened, viewed
from graphc.ir.dtype import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Node
from graphc.ir.types import Shape, TensorType
from graphc.kernels_templates import render
from graphc.lowering.names import Names
from graphc.lowering.schedule import arena
from graphc.lowering.views import Result
from graphc.ops.creation import Arange
from graphc.passes.plan_memory import Plan

RECYCLED = 1 << 20
"""Bytes from which a returned array is taken back for a later call once nobody holds it."""
SECTION = 250
"""Kernels of one generated function."""
VIEWS = 1000
"""Arrays that one generated function holds: Python's time for it grows with their square."""
RESERVED = frozenset(
    {
        "np",
        "threading",
        "arena",
        "lock",
        "mark",
        "step",
        "bind",
        "parallel",
        "view",
        "recycled",
        "pool",
        "sys",
        "work",
    }
)


@dataclass
class Section:
    """A part of the step: a long one is cut, for Python compiles long functions slowly."""

    views: list[tuple[str, str]] = field(default_factory=list)
    """The arena's arrays and views of them, made once."""
    steps: list[tuple[str, list[str]]] = field(default_factory=list)
    known: dict[tuple[object, ...], str] = field(default_factory=dict)
    bound: dict[str, None] = field(default_factory=dict)
    """The names of state and constants that it uses."""
    given: dict[str, None] = field(default_factory=dict)
    """The names of inputs and of returned arrays that it uses."""


def emit(graph: Graph, threads: int, *, is_timed: bool = False) -> Sources:
    """The program as one module; the same graph and thread count give the same text.

    ``is_timed``: whether the step calls ``mark()`` after each of its statements.
    """
    return Emission(graph, threads, is_timed=is_timed).sources()


class Emission:
    """The state of one emission: names, kernels, the plan, and the lines of the step."""

    def __init__(self, graph: Graph, threads: int, *, is_timed: bool = False) -> None:
        self.graph = graph
        self.threads, self.is_timed = threads, is_timed
        self.schedule, self.layouts = scheduled(graph)
        self.names = Names(RESERVED, keyword.kwlist)
        self.result_names: dict[Result, str] = {}
        self.early: dict[Result, bool] = {}
        """Whether a result's memory is there when the program is bound."""
        self.constants: list[tuple[str, str]] = []
        self.constant_names: dict[tuple[object, ...], str] = {}
        self.numbers: dict[str, str] = {}
        """The numbers that small kernels read by name."""
        self.kernels: list[Kernel] = []
        self.sections = [Section()]
        self.returned: list[str] = []
        """The lines that make the arrays which are returned."""
        self.functions: list[str] = []
        self.made: dict[Node, Made] = {}
        self.plan: Plan

    def sources(self) -> Sources:
        """The whole text."""
        state = [self._given(x, early=True) for x in self.graph.state]
        inputs = [self._given(x, early=False) for x in self.graph.inputs]
        kernel_names = [self._make(kernel) for kernel in self.schedule.order]
        plan = self._plan()
        for kernel in self.schedule.order:
            for i in range(len(kernel.types)):
                target = self.schedule.in_state.get((kernel, i))
                late = target is not None and not self.early[target, 0]
                self.early[kernel, i] = not late and (kernel, i) not in self.schedule.in_output
        self.plan = plan
        for kernel, name in zip(self.schedule.order, kernel_names, strict=True):
            section = self.sections[-1]
            if len(section.steps) >= SECTION or len(section.views) >= VIEWS:
                self.sections.append(Section())
            self._call(kernel, name)
        results = self._finish()
        named = [step for section in self.sections for step in section.steps]
        if self.is_timed:
            for _, lines in named:
                lines.append("mark()")
        text = self._render(state, inputs, results, plan)
        facts: dict[str, object] = {
            "live_peak": plan.live_peak,
            "kernels": len(self.kernels),
            "threads": self.threads,
        }
        if self.is_timed:
            # What is copied at the end follows all kernels.
            names = [x.name for x in self.kernels] + ["copy"] * (len(named) - len(self.kernels))
            facts["statements"] = tuple(
                ((name,), note) for name, (note, _) in zip(names, named, strict=True)
            )
        return Sources(text, tuple(self.kernels), "py", plan.arena_bytes, facts)

    # -- names and memory ----------------------------------------------------------------------

    def _given(self, node: Node, *, early: bool) -> str:
        assert isinstance(node.op, Input)
        name = self.names.new(node.op.label)
        self.result_names[node, 0] = name
        self.early[node, 0] = early
        return name

    def _make(self, kernel: Node) -> str:
        """Generate the function of a kernel; its name."""
        number_ = len(self.made)
        function = kernel.origin.function.replace(".backward", "_grad") or kernel.op.name
        name = self.names.new(f"{function}_{number_}")
        layouts = [self._layout(x) for x in kernel.inputs]
        setting = Setting(layouts, self.schedule.aliased(kernel), self.threads)
        made = make(name, kernel, _described(kernel), setting)
        self.made[kernel] = made
        self.numbers.update(made.constants)
        if made.text:
            self.functions.append(made.text.strip("\n"))
        for i in range(len(kernel.types)):
            suffix = "" if len(kernel.types) == 1 else f"_{i}"
            self.result_names[kernel, i] = self.names.new(f"t{number_}{suffix}")
        return name

    def _layout(self, node: Node) -> Layout:
        return self.layouts.get(node) or Layout((node, 0), None)

    def _plan(self) -> Plan:
        workspace = {
            kernel: [prod(shape) * np.dtype(name).itemsize for shape, name in made.workspace]
            for kernel, made in self.made.items()
        }
        return arena(self.schedule, workspace)

    def _reference(self, result: Result) -> str:
        """The name of a result's array, which the section at hand is made to know."""
        name = self.result_names[result]
        section = self.sections[-1]
        target = self.schedule.in_state.get(result)
        if target is not None and not self.early[target, 0]:
            return self._state(result, target)
        if not self.early[result]:
            section.given[name] = None
        elif isinstance(result[0].op, Input):
            section.bound[name] = None
        elif name not in section.bound and ("made", name) not in section.known:
            section.known["made", name] = name
            section.views.append((name, self._memory(result)))
        return name

    def _memory(self, result: Result) -> str:
        kernel, i = result
        type_ = kernel.types[i]
        target = self.schedule.in_state.get(result)
        if target is None:
            return _region(self.plan.offsets[result], type_.shape, type_.dtype)
        return self._state(result, target)

    def _state(self, result: Result, target: Node) -> str:
        """The expression for the state that a result is written over, in the result's shape."""
        shape = result[0].types[result[1]].shape
        text = self._reference((target, 0))
        return text if target.shape == shape else f"{text}.reshape{call(shape)}"

    # -- expressions ---------------------------------------------------------------------------

    def _value(self, node: Node, shape: Shape | None = None) -> str:
        """The expression for a node's value, made once where it can be; in ``shape`` if given."""
        extra = () if shape is None else (f".reshape{call(shape)}",)
        if node not in self.layouts or self._is_constant(node):
            return self._constant(node, extra)
        layout = self.layouts[node]
        return self._viewed(layout.owner, layout.steps + extra)

    def _viewed(self, owner: Result, steps: tuple[str, ...]) -> str:
        name = self._reference(owner)
        steps = shortened(steps, owner[0].types[owner[1]].shape)
        if not steps or not self.early[owner]:
            return viewed(name, steps)
        section = self.sections[-1]
        key = (owner, steps)
        if key not in section.known:
            made = self.names.new(f"{name}_{_view_word(steps)}")
            section.views.append((made, viewed(name, steps)))
            section.known[key] = made
        return section.known[key]

    def _is_constant(self, node: Node) -> bool:
        return isinstance(self.layouts[node].owner[0].op, Arange)

    def _constant(self, node: Node, extra: tuple[str, ...]) -> str:
        """A number, a broadcast number or a range, made once."""
        steps: tuple[str, ...] = extra
        while not isinstance(node.op, Const | Arange):
            steps = (looked_at(node), *steps)
            node = node.inputs[0]
        if isinstance(node.op, Arange):
            text = f"({_arange(node)})" if steps else _arange(node)
            key: tuple[object, ...] = ("arange", node.op, steps)
        else:
            text = f"np.array({number(node.op.value)}, {numpy_dtype(node.dtype)})"
            key = ("const", node.op, steps)
        if key not in self.constant_names:
            self.constant_names[key] = self.names.new(f"c{len(self.constants)}")
            self.constants.append((self.constant_names[key], viewed(text, steps)))
        self.sections[-1].bound[self.constant_names[key]] = None
        return self.constant_names[key]

    # -- the step ------------------------------------------------------------------------------

    def _call(self, kernel: Node, name: str) -> None:
        made = self.made[kernel]
        if isinstance(kernel.op, Arange):
            return
        reshapes = made.reshapes or (None,) * (len(kernel.inputs) + len(kernel.types))
        marks: dict[str, str] = {}
        for i, type_ in enumerate(kernel.types):
            if (kernel, i) in self.schedule.in_output:
                self._return(self.result_names[kernel, i], type_)
            shape = reshapes[len(kernel.inputs) + i]
            steps = () if shape is None else (f".reshape{call(shape)}",)
            marks[f"out{i}"] = self._viewed((kernel, i), steps)
        operands = [self._value(x, s) for x, s in zip(kernel.inputs, reshapes, strict=False)]
        for i, (shape, dtype) in enumerate(made.workspace):
            work = self.names.new(f"{name}_work{i}")
            offset = self.plan.offsets[kernel, "workspace", i]
            self.sections[-1].views.append((work, _region(offset, shape, dtype)))
            marks[f"work{i}"] = work
        lines = made.call.format(*operands, **marks).split("\n")
        comment = _described(kernel)
        self.sections[-1].steps.append((comment, lines))
        text = made.text.strip("\n") or "\n".join(lines)
        numbers = "".join(f"{name} = {value}\n" for name, value in made.constants)
        head = f"import numpy as np\n\n{numbers}\n\n" if made.text else ""
        self.kernels.append(Kernel(name, comment, f"{head}{text}\n"))

    def _return(self, name: str, type_: TensorType) -> None:
        """Make an array which is returned."""
        shape, dtype = literal(type_.shape), numpy_dtype(type_.dtype)
        if type_.nbytes < RECYCLED:
            self.returned.append(f"{name} = np.empty({shape}, {dtype})")
            return
        kept = self.names.new(f"{name}_given")
        self.constants.append((kept, "[]"))
        self.returned.append(f"{name} = recycled({kept}, {shape}, {dtype})")

    def _finish(self) -> list[str]:
        """Copy what is returned and was not computed in place, then the updates."""
        results: list[str] = []
        for i, output in enumerate(self.graph.outputs):
            layout = self.layouts.get(output)
            if layout is not None and self.schedule.in_output.get(layout.owner) == i:
                results.append(self._value(output))
                continue
            name = self.names.new(f"y{i}")
            self._return(name, output.type)
            copy = f"np.copyto({name}, {self._value(output)})"
            self.sections[-1].given[name] = None
            self.sections[-1].steps.append(("", [copy]))
            results.append(name)
        self._write_updates()
        return results

    def _write_updates(self) -> None:
        in_place = set(self.schedule.in_state.items())
        copies = []
        for target, value in self.graph.updates:
            layout = self.layouts.get(value)
            if layout is not None and (layout.owner, target) in in_place:
                continue
            text = self._value(value)
            if layout is not None and layout.owner[0] in (*self.graph.inputs, *self.graph.state):
                text += ".copy()"
            copies.append((self._reference((target, 0)), text))
        if len(copies) == 1 or all(not text.endswith(".copy()") for _, text in copies):
            lines = [f"np.copyto({target}, {text})" for target, text in copies]
        else:  # an old value may be another's new one: all are read before any is written
            lines = [f"new{i} = {text}" for i, (_, text) in enumerate(copies)]
            lines += [f"np.copyto({target}, new{i})" for i, (target, _) in enumerate(copies)]
        if lines:
            self.sections[-1].steps.append(("updates", lines))

    def _render(self, state: list[str], inputs: list[str], results: list[str], plan: Plan) -> str:
        pieces = [
            *self.functions,
            *self.numbers.values(),
            *self.returned,
            *(x for _, x in self.constants),
        ]
        for section in self.sections:
            pieces += [x for _, lines in section.steps for x in lines]
            pieces += [x for _, x in section.views]
        imports, texts = helpers("\n".join(pieces), self.threads)
        return render(
            "program.numpy.j2",
            title=f"{self.graph.name}: generated by graphc for numpy.",
            facts=[
                f"{len(self.kernels)} kernels; an arena of {plan.arena_bytes} bytes holds every "
                "intermediate value."
            ],
            imports=imports,
            helpers=texts,
            numbers=self.numbers.items(),
            kernels=self.functions,
            state=state,
            constants=self.constants,
            # An empty array has a place in the arena too, even if nothing has more than that.
            arena=plan.arena_bytes if plan.offsets or len(self.sections) > 1 else None,
            sections=self.sections,
            returned=self.returned,
            inputs=inputs,
            results=results,
            is_timed=self.is_timed,
        )


def _view_word(steps: tuple[str, ...]) -> str:
    if steps == (".T",):
        return "T"
    return "v"


def _region(offset: int, shape: Shape, dtype: DType | str) -> str:
    return f"view(arena, {offset}, {literal(shape)}, {numpy_dtype(dtype)})"


def _arange(node: Node) -> str:
    op = node.op
    assert isinstance(op, Arange)
    return f"{op.start!r} + {op.step!r} * np.arange({op.size}).astype({numpy_dtype(node.dtype)})"


def _described(kernel: Node) -> str:
    """What a kernel computes, for its comment."""
    origin = str(kernel.origin)
    types = ", ".join(map(str, kernel.types))
    return f"{origin or kernel.op.name}: {types}"
