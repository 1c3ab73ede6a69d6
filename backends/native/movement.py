"""Views that no strides can express, joins, padding, writes to slices, and ranges."""

from __future__ import annotations

from math import prod

from graphc.backends.c_language.statements import Lines
from graphc.backends.c_language.types import computed, number, store, stored
from graphc.backends.native.borders import pad, place
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Copy,
    Pointer,
    axes_of,
    copied,
    copy_lines,
    cut,
    function,
    pointers,
    spelled_shape,
    spelled_strides,
)
from graphc.backends.native.joins import concat
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.windows import conversions
from graphc.ir.dtype import float64, int64
from graphc.lowering.operands import spread
from graphc.lowering.views import dense, reshaped
from graphc.ops.creation import Arange
from graphc.ops.movement import Concat, Expand, Pad, Place, Reshape
from graphc.ops.strided import Strided


def reshape(name: str, setting: Setting) -> Made:
    """The copy of an operand that strides alone cannot give its new shape."""
    x, y = setting.operands[0], setting.results[0]
    seen = reshaped(y.shape, y.strides, x.shape)
    if seen is not None:
        return copied(name, setting, x.shape, x.strides, seen)
    seen = reshaped(x.shape, x.strides, y.shape)
    if seen is not None:
        return copied(name, setting, y.shape, seen, y.strides)
    return _through(name, setting)


def _through(name: str, setting: Setting) -> Made:
    """A reshape by way of a workspace in C order, where both sides lie otherwise."""
    x, y = setting.operands[0], setting.results[0]
    parameters = [*pointers(setting, "x"), f"{stored(y.dtype)} *restrict between"]
    ways = (
        ("_gather", x, x.strides, dense(x.shape), "x", "between"),
        ("", y, dense(y.shape), y.strides, "between", "y"),
    )
    texts, stages, helpers = [], [], frozenset[str]()
    for suffix, seen, source, target, read, written in ways:
        opening, lines, tasks, called = copy_lines(
            seen.shape, source, target, x.dtype,
            source=read, target=written, threads=setting.threads,
        )  # fmt: skip
        summary = (
            f"A copy of {spelled_shape(seen.shape)}, strides {spelled_strides(source)}, "
            f"to strides {spelled_strides(target)}."
        )
        texts.append(function(name + suffix, summary, parameters, opening, lines))
        stages.append(Stage(name + suffix, tasks))
        helpers |= called
    size = prod(x.shape) * x.dtype.itemsize
    return Made("\n".join(texts), tuple(stages), (size,), helpers=helpers)


def expand(name: str, setting: Setting) -> Made:
    """The copy of an operand that is repeated along axes of extent one and along new ones."""
    x, y = setting.operands[0], setting.results[0]
    return copied(name, setting, y.shape, spread(x, len(y.shape)).strides, y.strides)


def strided(name: str, setting: Setting) -> Made:
    """Elements of a vector at any distances."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Strided)
    if 0 in y.shape:
        return NOTHING
    (step,) = x.strides
    lines, helpers = Lines(), set[str]()
    axes = axes_of(y.shape, y.strides, tuple(s * step for s in op.strides))
    part = cut(axes, setting.threads)
    source = Pointer("x", start=op.offset * step)
    Copy(lines, x.dtype, helpers).write(axes, Pointer("y"), source, part)
    text = function(
        name,
        f"{spelled_shape(y.shape)} elements of a vector from {op.offset} on, at distances "
        f"{spelled_strides(op.strides)}.",
        pointers(setting, "x"),
        part.lines if part else [],
        lines.text,
    )
    return Made(text, (Stage(name, part.tasks if part else 1),), helpers=frozenset(helpers))


def arange(name: str, setting: Setting) -> Made:
    """Equally spaced numbers."""
    op, y = setting.node.op, setting.results[0]
    assert isinstance(op, Arange)
    if not op.size:
        return NOTHING
    dtype = op.dtype
    axis = Axis(op.size, (y.strides[0] if op.size > 1 else 1,))
    part = cut([axis], setting.threads)
    low, high = ("low", "high") if part else ("0", str(op.size))
    element = Pointer("y").moved(axis.steps[0], "i").element
    kind = "double" if dtype.is_floating_point else "int64_t"
    wide = float64 if dtype.is_floating_point else int64
    start, step = number(wide, op.start), number(wide, op.step)
    value = f"({computed(dtype)})({start} + {step} * ({kind})i)"
    text = function(
        name,
        f"{op.size} numbers from {op.start} on, {op.step} apart.",
        pointers(setting),
        part.lines if part else [],
        [f"    for (long i = {low}; i < {high}; i++) {store(dtype, element, value)}"],
    )
    return Made(text, (Stage(name, part.tasks if part else 1),), helpers=conversions(dtype))


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
