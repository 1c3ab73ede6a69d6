"""Arrays with something around them: padding, and slices that are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from graphc.backends.c_language.statements import INDICES, Lines
from graphc.backends.c_language.types import is_low, number, stored
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Copy,
    Cut,
    Pointer,
    axes_of,
    copy_lines,
    cut,
    function,
    merged,
    pointers,
    spelled_shape,
    spelled_strides,
)
from graphc.backends.native.made import Made, Setting, Stage
from graphc.ir.dtype import DType, Scalar
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand
from graphc.ops.movement import Pad, Place


def literal(dtype: DType, value: Scalar) -> str:
    """A number as a C constant of the type that is stored, or of its bits."""
    if is_low(dtype):
        return f"0x{int(dtype.numpy.type(value).view('uint16')):04x}"
    return number(dtype, value)


@dataclass(frozen=True)
class Side:
    """An axis of a result, of which an operand covers some elements."""

    extent: int
    low: int
    """The first element that is covered."""
    inside: int
    """How many are."""
    steps: tuple[int, ...]
    """Of the result, of the operand, and of what is around it."""

    @property
    def is_whole(self) -> bool:
        return self.inside == self.extent


def sides(low: Shape, inside: Shape, *operands: Operand) -> list[Side]:
    """The axes in the order of the first array's memory, merged where they can be."""
    found: list[Side] = []
    y = operands[0]
    for d in sorted(range(len(y.shape)), key=lambda d: -y.strides[d]):
        if y.shape[d] == 1:
            continue
        axis = Side(y.shape[d], low[d], inside[d], tuple(x.strides[d] for x in operands))
        before = found[-1] if found else None
        even = tuple(s * axis.extent for s in axis.steps)
        if before is not None and axis.is_whole and before.steps == even:
            n = axis.extent
            found[-1] = Side(before.extent * n, before.low * n, before.inside * n, axis.steps)
        else:
            found.append(axis)
    return found


class _Bordered:
    """The loops that write a result of an operand with a border around it."""

    def __init__(self, dtype: DType, axes: Sequence[Side], part: Cut | None) -> None:
        self.dtype, self.axes, self.part = dtype, axes, part
        self.lines, self.helpers = Lines(), set[str]()

    def around(self, axes: Sequence[Axis], target: Pointer, around: Pointer, depth: int) -> None:
        """Write what is around the operand."""
        Copy(self.lines, self.dtype, self.helpers, depth).write(axes, target, around)

    def write(self, target: Pointer, source: Pointer, around: Pointer, level: int = 0) -> None:
        """Loops over the axes from ``level`` on."""
        rest = self.axes[level:]
        if all(axis.is_whole for axis in rest):
            axes = [Axis(axis.extent, axis.steps[:2]) for axis in rest]
            part = self.part
            part = replace(part, axis=part.axis - level) if part and part.axis >= level else None
            axes = axes if part else merged(axes)
            Copy(self.lines, self.dtype, self.helpers, level).write(axes, target, source, part)
            return
        if self.part is not None and self.part.axis == level:
            self._part(target, source, around, level)
            return
        axis, index = rest[0], INDICES[level]
        y, x, o = axis.steps
        self._outside(level, 0, axis.low, target, around)
        to, beyond = target.shifted(axis.low * y), around.shifted(axis.low * o)
        if len(rest) == 1:
            inner = [Axis(axis.inside, (y, x))]
            Copy(self.lines, self.dtype, self.helpers, level).write(inner, to, source)
        else:
            self.lines.open(f"for (long {index} = 0; {index} < {axis.inside}; {index}++)")
            inside = source.moved(x, index)
            self.write(to.moved(y, index), inside, beyond.moved(o, index), level + 1)
            self.lines.close()
        self._outside(level, axis.low + axis.inside, axis.extent, target, around)

    def _part(self, target: Pointer, source: Pointer, around: Pointer, level: int) -> None:
        """A loop over the task's part of an axis."""
        axis, index = self.axes[level], INDICES[level]
        y, x, o = axis.steps
        self.lines.open(f"for (long {index} = low; {index} < high; {index}++)")
        to, beyond = target.moved(y, index), around.moved(o, index)
        if not axis.is_whole:
            high = axis.low + axis.inside
            outside = [f"{index} < {axis.low}"] * bool(axis.low)
            outside += [f"{index} >= {high}"] * (high < axis.extent)
            self.lines.open(f"if ({' || '.join(outside)})")
            inner = [Axis(a.extent, (a.steps[0], a.steps[2])) for a in self.axes[level + 1 :]]
            self.around(merged(inner), to, beyond, level + 1)
            self.lines.add("continue;")
            self.lines.close()
        self.write(to, source.moved(x, index).shifted(-axis.low * x), beyond, level + 1)
        self.lines.close()

    def _outside(self, level: int, low: int, high: int, target: Pointer, around: Pointer) -> None:
        """What is around the operand from ``low`` to ``high`` along an axis."""
        if low == high:
            return
        axes = [Axis(a.extent, (a.steps[0], a.steps[2])) for a in self.axes[level:]]
        target = target.shifted(low * axes[0].steps[0])
        around = around.shifted(low * axes[0].steps[1])
        axes[0] = Axis(high - low, axes[0].steps)
        self.around(merged([a for a in axes if a.extent > 1]), target, around, level)


def _bordered(
    setting: Setting, low: Shape, inside: Operand, around: Operand, names: Sequence[str]
) -> tuple[_Bordered, list[str], int]:
    """The loops that write ``inside`` from ``low`` on, and ``around`` it."""
    y = setting.results[0]
    axes = sides(low, inside.shape, y, inside, around)
    # Where a task's part would cut rows whose ends differ, it is of rows instead.
    rows = axes if not axes or axes[-1].is_whole else axes[:-1]
    each = prod(axis.extent for axis in axes[len(rows) :])
    part = cut([Axis(axis.extent, axis.steps) for axis in rows], setting.threads, each)
    made = _Bordered(y.dtype, axes, part)
    made.write(Pointer("y"), Pointer(names[0]), Pointer(names[1]))
    return made, part.lines if part else [], part.tasks if part else 1


def pad(name: str, setting: Setting) -> Made:
    """The operand with a number around it."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Pad)
    if 0 in y.shape:
        return NOTHING
    nothing = Operand(y.shape, (0,) * len(y.shape), y.dtype)
    opening = [f"const {stored(y.dtype)} border[1] = {{{_braced(y.dtype, op.value)}}};"]
    if 0 in x.shape:
        more, lines, tasks, helpers = copy_lines(
            y.shape, nothing.strides, y.strides, y.dtype, source="border", threads=setting.threads
        )
    else:
        made, more, tasks = _bordered(setting, op.low, x, nothing, ("x", "border"))
        lines, helpers = made.lines.text, frozenset(made.helpers)
    summary = f"{spelled_shape(x.shape)}, padded by {op.value} to {spelled_shape(y.shape)}."
    text = function(name, summary, pointers(setting, "x"), opening + more, lines)
    return Made(text, (Stage(name, tasks),), helpers=helpers)


def _braced(dtype: DType, value: Scalar) -> str:
    return "{" + literal(dtype, value) + "}" if is_low(dtype) else literal(dtype, value)


def place(name: str, setting: Setting) -> Made:
    """The first operand with the second one in place of a slice of it."""
    op, (x, value), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Place)
    if 0 in y.shape:
        return NOTHING
    whole, part = spelled_shape(x.shape), spelled_shape(value.shape)
    summary = f"{whole} with {part} from {spelled_strides(op.starts)} on"
    parameters = pointers(setting, "x", "value")
    if 0 not in value.shape and all(step == 1 for step in op.steps):
        made, opening, tasks = _bordered(setting, op.starts, value, x, ("value", "x"))
        text = function(name, f"{summary}.", parameters, opening, made.lines.text)
        return Made(text, (Stage(name, tasks),), helpers=frozenset(made.helpers))
    return _every(name, setting, summary)


def _every(name: str, setting: Setting, summary: str) -> Made:
    """A copy of the whole, and then of the slice."""
    op, (x, value), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Place)
    parameters = pointers(setting, "x", "value")
    opening, lines, tasks, helpers = copy_lines(
        x.shape, x.strides, y.strides, x.dtype, threads=setting.threads
    )
    text = function(name, f"{summary}: at first the whole.", parameters, opening, lines)
    if 0 in value.shape:
        return Made(text, (Stage(name, tasks),), helpers=helpers)
    begin = sum(a * s for a, s in zip(op.starts, y.strides, strict=True))
    apart = tuple(a * s for a, s in zip(op.steps, y.strides, strict=True))
    axes = axes_of(value.shape, apart, value.strides)
    part = cut(axes, setting.threads)
    made, called = Lines(), set(helpers)
    Copy(made, x.dtype, called).write(axes, Pointer("y", start=begin), Pointer("value"), part)
    summary = f"{summary}, every {spelled_strides(op.steps)}-th."
    opening = part.lines if part else []
    text += "\n" + function(f"{name}_slice", summary, parameters, opening, made.text)
    stages = (Stage(name, tasks), Stage(f"{name}_slice", part.tasks if part else 1))
    return Made(text, stages, helpers=frozenset(called))
