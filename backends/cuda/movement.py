"""Copies: views that no strides can express, joins, padding, writes to slices, and ranges."""

from __future__ import annotations

from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, number, wrapping
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.ir.dtype import float64, int64
from graphc.ir.types import Shape
from graphc.lowering.operands import spread
from graphc.lowering.views import reshaped
from graphc.ops.creation import Arange
from graphc.ops.movement import Concat, Expand, Pad, Place, Reshape, Slice
from graphc.ops.strided import Strided


def reshape(name: str, setting: Setting) -> Made:
    """The copy of an operand that strides alone cannot give its new shape."""
    x, y, cells = setting.operands[0], setting.results[0], Cells(name, setting)
    summary = f"A copy of {spelled(x.shape)} as {spelled(y.shape)}"
    seen = reshaped(y.shape, y.strides, x.shape)
    if seen is not None:
        source, target = ("a0", x.strides, 0), ("out0", seen, 0)
        cells.copy(x.dtype, x.shape, source, target, suffix="", summary=summary)
        return cells.made()
    names, lines = coordinates(x.shape)
    others, more = coordinates(y.shape, "j")
    lines += [*more, f"out0[{terms(y.strides, others)}] = a0[{terms(x.strides, names)}];"]
    cells.add(summary, prod(x.shape), lines)
    return cells.made()


def expand(name: str, setting: Setting) -> Made:
    """The copy of an operand that is repeated along axes of extent one and along new ones."""
    x, y, cells = setting.operands[0], setting.results[0], Cells(name, setting)
    source = ("a0", spread(x, len(y.shape)).strides, 0)
    summary = f"{spelled(x.shape)} repeated as {spelled(y.shape)}"
    cells.copy(x.dtype, y.shape, source, ("out0", y.strides, 0), suffix="", summary=summary)
    return cells.made()


def strided(name: str, setting: Setting) -> Made:
    """Elements of a vector at any distances."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Strided)
    cells = Cells(name, setting)
    (step,) = x.strides
    source = ("a0", tuple(s * step for s in op.strides), op.offset * step)
    summary = f"{spelled(y.shape)} elements of a vector"
    cells.copy(x.dtype, y.shape, source, ("out0", y.strides, 0), suffix="", summary=summary)
    return cells.made()


def concat(name: str, setting: Setting) -> Made:
    """The operands one after the other."""
    op, y, cells = setting.node.op, setting.results[0], Cells(name, setting)
    assert isinstance(op, Concat)
    begin = 0
    for i, x in enumerate(setting.operands):
        target = ("out0", y.strides, begin * y.strides[op.dim])
        summary = f"Part {i} of {spelled(y.shape)}: {spelled(x.shape)} along dimension {op.dim}"
        source = (f"a{i}", x.strides, 0)
        cells.copy(x.dtype, x.shape, source, target, suffix=f"_{i}", summary=summary)
        begin += x.shape[op.dim]
    return cells.made()


def _inside(starts: Shape, steps: Shape, strides: Shape) -> tuple[int, Shape]:
    """Where a slice begins, and its strides."""
    begin = sum(a * s for a, s in zip(starts, strides, strict=True))
    return begin, tuple(a * s for a, s in zip(steps, strides, strict=True))


def pad(name: str, setting: Setting) -> Made:
    """The operand with a number around it."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Pad)
    cells = Cells(name, setting)
    whole = ("out0", y.strides, 0)
    summary = f"{op.value} over {spelled(y.shape)}"
    cells.copy(x.dtype, y.shape, op.value, whole, suffix="_border", summary=summary)
    begin, strides = _inside(op.low, (1,) * len(op.low), y.strides)
    summary = f"{spelled(x.shape)} within {spelled(y.shape)}"
    source = ("a0", x.strides, 0)
    cells.copy(
        x.dtype, x.shape, source, ("out0", strides, begin), suffix="_inside", summary=summary
    )
    return cells.made()


def place(name: str, setting: Setting) -> Made:
    """The first operand with the second written over a slice."""
    op, (x, value), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Place)
    cells = Cells(name, setting)
    source, whole = ("a0", x.strides, 0), ("out0", y.strides, 0)
    summary = f"A copy of {spelled(x.shape)}"
    cells.copy(x.dtype, x.shape, source, whole, suffix="_copy", summary=summary)
    begin, strides = _inside(op.starts, op.steps, y.strides)
    shape = Slice(op.starts, op.stops, op.steps).extents()
    summary = f"{spelled(shape)} within {spelled(y.shape)}"
    target = ("out0", strides, begin)
    cells.copy(x.dtype, shape, ("a1", value.strides, 0), target, suffix="_put", summary=summary)
    return cells.made()


def arange(name: str, setting: Setting) -> Made:
    """Equally spaced numbers."""
    op, y, cells = setting.node.op, setting.results[0], Cells(name, setting)
    assert isinstance(op, Arange)
    wide = float64 if op.dtype.is_floating_point else int64
    start, step = number(wide, op.start), number(wide, op.step)
    to = wrapping(wide) or f"({computed(wide)})"
    value = f"({computed(op.dtype)})({start} + {step} * {to}at)"
    line = cells.store(op.dtype, f"out0[{terms(y.strides, ['at'])}]", value)
    cells.add(f"{op.size} numbers from {op.start} on, {op.step} apart", op.size, [line])
    return cells.made()


MOVEMENT: dict[str, Maker] = {
    Reshape.name: reshape,
    Expand.name: expand,
    Strided.name: strided,
    Concat.name: concat,
    Pad.name: pad,
    Place.name: place,
    Arange.name: arange,
}
"""By the op's name."""
