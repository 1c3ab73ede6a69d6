"""The C function of a fused group: its tasks, its workspaces, the totals that tasks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc.backends.c_language.statements import Lines, combined, group_summary, start_of, terms
from graphc.backends.c_language.types import computed, is_low, store, stored
from graphc.backends.native.loops import BLOCK, Writer, is_column
from graphc.backends.native.made import SMALL, Made, Setting, Stage
from graphc.backends.native.totals import Total
from graphc.ir.dtype import DType
from graphc.kernels_templates import render
from graphc.lowering.kernel import Kernel, Ramp, Reduction, Step
from graphc.lowering.operands import lowered_node
from graphc.passes.costs import cost


@dataclass(frozen=True)
class Partition:
    """How a kernel is cut into tasks: the axis, and how much of it each has."""

    axis: int
    extent: int
    step: int

    @property
    def tasks(self) -> int:
        return -(-self.extent // self.step)


def sweeps(name: str, setting: Setting, ramps: Sequence[Ramp | None], aliased: bool) -> Made:
    """The kernel of a fused group.

    ``ramps`` has the operands that are ranges rather than memory. ``aliased`` says that a result
    lies over an operand, element for element.
    """
    kernel = lowered_node(setting.node, setting.operands, ramps, setting.results)
    return Emission(name, setting, kernel, aliased).made()


LONG = 64 * SMALL
"""Elements of light work that take so long that handing out a task costs nothing beside them."""


def work(kernel: Kernel) -> int:
    """About how much an element of the space costs, in loads and additions."""
    actions = [x for sweep in kernel.sweeps for x in sweep.body]
    return sum(cost(x.node) if isinstance(x, Step) else 1 for x in actions)


def partition(kernel: Kernel, threads: int) -> Partition | None:
    """The axis that is cut, and into what; None where one task does everything."""
    space = kernel.space
    elements = prod(space) * max(1, work(kernel) // 8)
    if threads == 1 or elements < 2 * SMALL:
        return None
    free = [i for i, axis in enumerate(kernel.axes) if not axis.reduced]
    if not free:
        return None
    # Of long work more pieces, so that no thread waits long for one that another process held up.
    wanted = max(min(4 * threads, elements // SMALL), min(16 * threads, elements // LONG))
    last = len(space) - 1
    line = BLOCK // 4 if is_column(kernel) else BLOCK

    def units(axis: int) -> int:
        """Along the innermost axis whole cache lines stay together."""
        return space[axis] // (line if axis == last else 1)

    axis = next((i for i in free if units(i) >= wanted), max(free, key=units))
    unit = line if axis == last else 1
    pieces = max(1, min(wanted, units(axis)))
    if pieces == 1:
        return None
    step = -(-space[axis] // (pieces * unit)) * unit
    return Partition(axis, space[axis], step)


class Emission:
    """The state of one emission."""

    def __init__(self, name: str, setting: Setting, kernel: Kernel, aliased: bool) -> None:
        self.name, self.setting, self.kernel = name, setting, kernel
        self.aliased = aliased
        self.cut = partition(kernel, setting.threads)
        self.tasks = 1 if self.cut is None else self.cut.tasks
        count = len(setting.operands)
        self.names = [f"a{i}" for i in range(count)]
        self.names += [f"out{i}" for i in range(len(setting.results))]
        self.workspace: list[tuple[str, str, int]] = []
        """C type, name and bytes."""
        self.opening: list[str] = []
        self.before = Lines()
        self.combining = Lines()
        bounds = {}
        if self.cut is not None:
            bounds[self.cut.axis] = ("low", "high")
            self.opening += self._bounds(self.cut)
        steps = {} if self.cut is None else {self.cut.axis: self.cut.step}
        self.writer = Writer(kernel, self.names, bounds, steps, setting.target)

    def _bounds(self, cut: Partition) -> list[str]:
        low = f"const long low = task * {cut.step};"
        if cut.extent % cut.step == 0:
            return [low, f"const long high = low + {cut.step};"]
        return [
            low,
            f"const long high = low + {cut.step} < {cut.extent} ? low + {cut.step} : {cut.extent};",
        ]

    def made(self) -> Made:
        """The functions."""
        for dtype in self.kernel.scratch:
            self._kept(dtype)
        for sweep in self.kernel.sweeps:
            for x in sweep.body:
                if isinstance(x, Reduction) and x.result is not None:
                    self._total(x)
        self.writer.write()
        self.opening += self.writer.distances()
        lines = [*self.before.text, *self.writer.lines.text]
        text = self._function(self.name, group_summary(self.setting.node), self.opening, lines)
        stages = [Stage(self.name, self.tasks)]
        if self.combining.text:
            name = f"{self.name}_combine"
            text += "\n" + self._function(
                name, "The totals of all tasks, in order.", [], self.combining.text
            )
            stages.append(Stage(name, 1))
        helpers = set(self.writer.helpers)
        if "_nan:" in text:
            helpers.add("nan_reductions")
        sizes = tuple(nbytes for _, _, nbytes in self.workspace)
        return Made(text, tuple(stages), sizes, helpers=frozenset(helpers))

    def _function(
        self, name: str, summary: str, opening: Sequence[str], lines: Sequence[str]
    ) -> str:
        return render(
            "sweeps.c.j2",
            name=name,
            summary=summary,
            parameters=self._parameters(),
            opening=opening,
            lines=lines,
        )

    def _parameters(self) -> list[str]:
        restrict = "" if self.aliased else "restrict "
        found = [
            f"const {stored(x.dtype)} *{restrict}a{i}" for i, x in enumerate(self.setting.operands)
        ]
        found += [
            f"{stored(x.dtype)} *{restrict}out{i}" for i, x in enumerate(self.setting.results)
        ]
        return found + [f"{kind} *restrict {name}" for kind, name, _ in self.workspace]

    def _kept(self, dtype: DType) -> None:
        number = sum(name.startswith("rows") for _, name, _ in self.workspace)
        kind, size = computed(dtype), self.writer.row_size
        self.workspace.append((kind, f"rows{number}", self.tasks * size * _size(dtype)))
        self.opening.append(f"{kind} *restrict kept{number} = rows{number} + task * {size};")

    def _total(self, x: Reduction) -> None:
        """The memory in which a result is added up: its own, or a share for each task."""
        assert x.result is not None
        if x.result in self.writer.totals:
            return
        axes = [i for i in range(len(self.kernel.axes)) if i not in x.axes]
        shared = self.cut is not None and self.cut.axis in x.axes
        result = self.names[x.result.parameter]
        dtype = x.value.dtype
        if not shared and not is_low(dtype):
            total = Total(x, result, x.result.strides)
            self.writer.totals[x.result] = total
            self._start(x, axes, total)
            return
        strides, size = self._packed(axes)
        number = sum(name.startswith("totals") for _, name, _ in self.workspace)
        padded = -(-size * _size(dtype) // 64) * 64 // _size(dtype)
        tasks = self.tasks if shared else 1
        self.workspace.append((computed(dtype), f"totals{number}", tasks * padded * _size(dtype)))
        place = f"task * {padded}" if shared else "0"
        self.opening.append(
            f"{computed(dtype)} *restrict total{number} = totals{number} + {place};"
        )
        total = Total(x, f"total{number}", strides)
        self.writer.totals[x.result] = total
        self._start(x, axes, total)
        self._combine(x, axes, f"totals{number}", strides, padded if shared else 0)

    def _packed(self, axes: Sequence[int]) -> tuple[tuple[int, ...], int]:
        """Strides of a dense array over ``axes``, and its size."""
        strides, step = [0] * len(self.kernel.axes), 1
        for axis in reversed(axes):
            strides[axis] = step
            step *= self.kernel.axes[axis].extent
        return tuple(strides), step

    def _start(self, x: Reduction, axes: Sequence[int], total: Total) -> None:
        """Loops that give a total its first value."""
        for axis in axes:
            index = self.writer.indices[axis]
            low, high = self.writer.bounds.get(axis, ("0", str(self.kernel.axes[axis].extent)))
            self.before.open(f"for (long {index} = {low}; {index} < {high}; {index}++)")
        place = f"{total.name}[{terms(total.strides, self.writer.indices)}]"
        self.before.add(f"{place} = {start_of(x.op, x.value.dtype)};")
        self.before.close(len(axes))

    def _combine(
        self, x: Reduction, axes: Sequence[int], name: str, strides: tuple[int, ...], apart: int
    ) -> None:
        """Loops that take the tasks' totals into the result."""
        assert x.result is not None
        lines, dtype = self.combining, x.value.dtype
        for axis in axes:
            index = self.writer.indices[axis]
            extent = self.kernel.axes[axis].extent
            lines.open(f"for (long {index} = 0; {index} < {extent}; {index}++)")
        place = terms(strides, self.writer.indices)
        lines.add(f"{computed(dtype)} sum = {name}[{place}];")
        if apart:
            lines.open(f"for (long part = 1; part < {self.tasks}; part++)")
            value = f"{name}[part * {apart} + {place}]"
            lines.add(combined(x.op, dtype, "sum", value, wraps=True))
            lines.close()
        target = f"{self.names[x.result.parameter]}[{terms(x.result.strides, self.writer.indices)}]"
        if is_low(dtype):
            self.writer.helpers.add(f"narrow_{dtype.name}")
        lines.add(store(dtype, target, "sum"))
        lines.close(len(axes))
        if not axes:
            lines.text = ["    {", *("    " + line for line in lines.text), "    }"]


def _size(dtype: DType) -> int:
    return 4 if is_low(dtype) else dtype.itemsize
