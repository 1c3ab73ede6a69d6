"""Copies of elements from strides to strides: as few loops as there can be, contiguous writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from graphc.backends.c_language.statements import INDICES, Lines
from graphc.backends.c_language.types import is_low, stored
from graphc.backends.native.made import SMALL, Made, Setting, Stage
from graphc.backends.native.windows import spelled
from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.kernels_templates import render

NOTHING = Made("", ())
"""What computes a result without elements."""
LINE = 64
"""Neighbours in memory that stay in one task."""
LONG = 256
"""Bytes of a run from which ``memcpy`` copies it."""
TURNED = 8
"""Extents from which a transposition is done tile by tile."""


@dataclass(frozen=True)
class Axis:
    """Equally spaced elements of several arrays at once."""

    extent: int
    steps: tuple[int, ...]
    """Elements from one to the next in each array; the first is the one that is written."""


@dataclass(frozen=True)
class Pointer:
    """A place in an array that depends on the loops around it."""

    name: str
    start: int = 0
    strides: tuple[int, ...] = ()
    indices: tuple[str, ...] = ()

    def moved(self, stride: int, index: str) -> Pointer:
        """The place so many strides further."""
        if not stride:
            return self
        return replace(self, strides=(*self.strides, stride), indices=(*self.indices, index))

    def shifted(self, elements: int) -> Pointer:
        """The place so many elements further."""
        return replace(self, start=self.start + elements)

    @property
    def offset(self) -> str:
        return spelled(*zip(self.strides, self.indices, strict=True), start=self.start)

    @property
    def element(self) -> str:
        return f"{self.name}[{self.offset}]"

    @property
    def address(self) -> str:
        if self.offset == "0":
            return self.name
        return f"{self.name} + {self.offset}".replace("+ -", "- ", 1)


@dataclass(frozen=True)
class Cut:
    """An axis of which each task has a part."""

    axis: int
    extent: int
    step: int

    @property
    def tasks(self) -> int:
        return -(-self.extent // self.step)

    @property
    def lines(self) -> list[str]:
        """Declarations of the task's part, from ``low`` to ``high``."""
        low, high = f"task * {self.step}", f"low + {self.step}"
        if self.extent % self.step:
            high = f"{high} < {self.extent} ? {high} : {self.extent}"
        return [f"const long low = {low}, high = {high};"]


def axes_of(shape: Shape, *strides: Shape) -> list[Axis]:
    """The axes as the first array has them in memory, outermost first, merged where they can be."""
    steps = zip(*strides, strict=True)
    found = [Axis(n, each) for n, each in zip(shape, steps, strict=True) if n != 1]
    return merged(sorted(found, key=lambda axis: -abs(axis.steps[0])))


def merged(axes: Sequence[Axis]) -> list[Axis]:
    """Neighbours along which every array goes on evenly are one axis."""
    found: list[Axis] = []
    for axis in axes:
        if found and found[-1].steps == tuple(s * axis.extent for s in axis.steps):
            found[-1] = Axis(found[-1].extent * axis.extent, axis.steps)
        else:
            found.append(axis)
    return found


def cut(axes: Sequence[Axis], threads: int, each: int = 1) -> Cut | None:
    """The axis that tasks share, of elements of so much light work; None for a single task."""
    extents = [axis.extent for axis in axes]
    elements = prod(extents) * each
    if threads == 1 or elements < 2 * SMALL or not axes:
        return None
    wanted = min(4 * threads, elements // SMALL)

    def unit(axis: int) -> int:
        return LINE if axes[axis].steps[0] == 1 else 1

    def units(axis: int) -> int:
        return extents[axis] // unit(axis)

    longest = max(range(len(axes)), key=units)
    axis = next((i for i in range(len(axes)) if units(i) >= wanted), longest)
    pieces = min(wanted, units(axis))
    if pieces < 2:
        return None
    step = -(-extents[axis] // (pieces * unit(axis))) * unit(axis)
    return Cut(axis, extents[axis], step)


def function(
    name: str, summary: str, parameters: Sequence[str], opening: Sequence[str], lines: Sequence[str]
) -> str:
    """The text of a function that moves elements."""
    return render(
        "moving.c.j2",
        name=name,
        summary=summary,
        parameters=parameters,
        opening=opening,
        lines=lines,
    )


def pointers(setting: Setting, *names: str) -> list[str]:
    """The C declarations of the operands, which have these names, and of the one result, ``y``."""
    found = [
        f"const {stored(x.dtype)} *restrict {name}"
        for x, name in zip(setting.operands, names, strict=True)
    ]
    return [*found, f"{stored(setting.results[0].dtype)} *restrict y"]


class Copy:
    """The loops of a copy, or of filling with one number, for one task."""

    def __init__(self, lines: Lines, dtype: DType, helpers: set[str], depth: int = 0) -> None:
        self.lines, self.dtype, self.helpers = lines, dtype, helpers
        self.depth = depth
        """How many letters are the indices of loops around it."""
        self.bits = ".bits" if is_low(dtype) else ""

    def write(
        self, axes: Sequence[Axis], target: Pointer, source: Pointer, part: Cut | None = None
    ) -> None:
        """Copy along axes of target and source; of the cut axis from ``low`` to ``high``."""
        if not axes:
            self.lines.add(f"{target.element} = {source.element};")
            return
        turned = turned_axis(axes)
        loops = [i for i in range(len(axes) - 1) if i != turned]
        for i in loops:
            index = INDICES[self.depth + i]
            low, high = bounds(axes, i, part)
            self.lines.open(f"for (long {index} = {low}; {index} < {high}; {index}++)")
            target = target.moved(axes[i].steps[0], index)
            source = source.moved(axes[i].steps[1], index)
        if turned is None:
            self._run(axes, target, source, part)
        else:
            self._turn(axes, turned, target, source, part)
        self.lines.close(len(loops))

    def _run(
        self, axes: Sequence[Axis], target: Pointer, source: Pointer, part: Cut | None
    ) -> None:
        """The innermost axis."""
        last, axis = len(axes) - 1, axes[-1]
        low, high = bounds(axes, last, part)
        if axis.steps == (1, 1) and (axis.extent * self.dtype.itemsize >= LONG):
            whole = part is None or part.axis != last
            size = str(axis.extent) if whole else "(high - low)"
            if not whole:
                target, source = target.moved(1, "low"), source.moved(1, "low")
            kind = f"sizeof(*{target.name})"
            self.lines.add(f"memcpy({target.address}, {source.address}, {size} * {kind});")
            return
        index = INDICES[self.depth + last]
        element = target.moved(axis.steps[0], index).element
        loop = f"for (long {index} = {low}; {index} < {high}; {index}++)"
        value = source.moved(axis.steps[1], index).element
        self.lines.add(f"{loop} {element}{self.bits} = {value}{self.bits};")

    def _turn(
        self, axes: Sequence[Axis], turned: int, target: Pointer, source: Pointer, part: Cut | None
    ) -> None:
        """The last axis, along which the target is contiguous, and that where the source is."""
        last = len(axes) - 1
        rows, columns = bounds(axes, turned, part), bounds(axes, last, part)
        if part is not None and part.axis in (turned, last):
            at = part.axis
            target = target.moved(axes[at].steps[0], "low")
            source = source.moved(axes[at].steps[1], "low")
        size = self.dtype.itemsize
        self.helpers |= {"shuffled", f"turn_{8 * size}"}
        counts = ", ".join("high - low" if x[1] == "high" else x[1] for x in (rows, columns))
        self.lines.add(
            f"turn_{8 * size}({counts}, {source.address}, {axes[last].steps[1]}, "
            f"{target.address}, {axes[turned].steps[0]});"
        )


def bounds(axes: Sequence[Axis], axis: int, part: Cut | None) -> tuple[str, str]:
    """From where to where a task goes along an axis."""
    if part is not None and part.axis == axis:
        return "low", "high"
    return "0", str(axes[axis].extent)


def turned_axis(axes: Sequence[Axis]) -> int | None:
    """The axis along which the source is contiguous, where it is not the last as in the target."""
    last = axes[-1]
    if last.steps[0] != 1 or abs(last.steps[1]) < 2 or last.extent < TURNED:
        return None
    for i, axis in enumerate(axes[:-1]):
        if axis.steps[1] == 1 and axis.extent >= TURNED:
            return i
    return None


def copy_lines(
    shape: Shape,
    source_strides: Shape,
    target_strides: Shape,
    dtype: DType,
    *,
    source: str = "x",
    target: str = "y",
    threads: int = 1,
) -> tuple[list[str], list[str], int, frozenset[str]]:
    """The declarations and loops of a copy, its tasks, and the helpers that it calls."""
    lines, helpers = Lines(), set[str]()
    if 0 in shape:
        return [], [], 0, frozenset()
    axes = axes_of(shape, target_strides, source_strides)
    part = cut(axes, threads)
    Copy(lines, dtype, helpers).write(axes, Pointer(target), Pointer(source), part)
    return part.lines if part else [], lines.text, part.tasks if part else 1, frozenset(helpers)


def copied(name: str, setting: Setting, shape: Shape, source: Shape, target: Shape) -> Made:
    """The kernel that copies its operand, seen in these strides, to its result, seen in those."""
    dtype, result = setting.operands[0].dtype, setting.results[0]
    opening, lines, tasks, helpers = copy_lines(
        shape, source, target, dtype, threads=setting.threads
    )
    if not tasks:
        return NOTHING
    summary = (
        f"A copy of {spelled_shape(shape)}, strides {spelled_strides(source)}, "
        f"to {spelled_shape(result.shape)}, strides {spelled_strides(result.strides)}."
    )
    text = function(name, summary, pointers(setting, "x"), opening, lines)
    return Made(text, (Stage(name, tasks),), helpers=helpers)


def copy(name: str, setting: Setting) -> Made:
    """The kernel that copies its operand to its result, both of one shape."""
    x, y = setting.operands[0], setting.results[0]
    return copied(name, setting, x.shape, x.strides, y.strides)


def spelled_shape(shape: Shape) -> str:
    """A shape in a comment."""
    return " x ".join(map(str, shape)) or "one element"


def spelled_strides(strides: Shape) -> str:
    """Strides in a comment."""
    return f"({', '.join(map(str, strides))})"
