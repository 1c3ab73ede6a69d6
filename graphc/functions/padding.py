"""Padding: numbers, or the tensor's own elements, around its last dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.functions.pieces import cut
from graphc.ir.dtype import DType, Scalar
from graphc.ir.node import Node
from graphc.ops.function import function
from graphc.ops.movement import Concat, Flip, Pad, Slice, expand

Side = tuple[int, int]
"""How many elements come before and after; negative ones are taken away."""


def _name(input: Node, pad: Sequence[int], mode: str = "constant", value: Any = None) -> str:
    kinds = {"reflect": "ReflectionPad", "replicate": "ReplicationPad"}
    if mode in kinds:
        return f"{kinds[mode]}{len(pad) // 2}DBackward0"
    return "ConstantPadNdBackward0" if mode == "constant" else "CopySlices"


@function(method=False, namespace=False, functional=True, grad_name=_name)
def pad(
    input: Node, pad: Sequence[int], mode: str = "constant", value: Scalar | None = None
) -> Node:
    """``input`` padded: two numbers for each of its last dimensions, the last one first.

    With ``value``, or by mode with elements of the dimension: mirrored at its ends ("reflect"),
    those at its ends ("replicate"), or those of its other end ("circular").
    """
    sides = _sides(input, tuple(pad))
    if mode == "constant":
        return _framed(input, sides, value or 0)
    if value is not None and value != 0:
        raise GraphcRuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _MODES:
        raise GraphcNotImplementedError(f"Unrecognised padding mode {mode}")
    if len(sides) not in (1, 2, 3) or input.rank not in (len(sides) + 1, len(sides) + 2):
        raise GraphcNotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.rank}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    result = input
    for axis, side in sides.items():
        result = _MODES[mode](result, axis, side)
    return result


def python_number(value: Scalar, dtype: DType) -> Scalar:
    """``value`` as the kind of Python number that ``dtype`` holds."""
    kind: Any = (bool, int, float, complex)[dtype.category]
    return kind(value)  # type: ignore[no-any-return]


def _sides(x: Node, given: tuple[int, ...]) -> dict[int, Side]:
    """The padding of each axis that has some, or may have."""
    if len(given) % 2:
        raise GraphcRuntimeError("Padding length must be divisible by 2")
    if len(given) > 2 * x.rank:
        raise GraphcRuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but "
            f"got padding length {len(given)} and input of dimension {x.rank}"
        )
    found = {}
    for i in range(len(given) // 2):
        axis, side = x.rank - 1 - i, (given[2 * i], given[2 * i + 1])
        if x.shape[axis] + sum(side) < 0:
            raise GraphcRuntimeError("narrow(): length must be non-negative.")
        found[axis] = side
    return found


def _cropped(x: Node, sides: dict[int, Side]) -> Node:
    """``x`` without what negative padding takes away."""
    starts = tuple(max(0, -sides.get(i, (0, 0))[0]) for i in range(x.rank))
    stops = tuple(n - max(0, -sides.get(i, (0, 0))[1]) for i, n in enumerate(x.shape))
    if starts == (0,) * x.rank and stops == x.shape:
        return x
    return Slice(starts, stops, (1,) * x.rank)(x)


def _framed(x: Node, sides: dict[int, Side], value: Scalar) -> Node:
    inner = _cropped(x, sides)
    low = tuple(max(0, sides.get(i, (0, 0))[0]) for i in range(x.rank))
    high = tuple(max(0, sides.get(i, (0, 0))[1]) for i in range(x.rank))
    if not any(low) and not any(high):
        return inner if inner is not x else x * 1
    return Pad(low, high, python_number(value, x.dtype))(inner)


def _joined(parts: Sequence[Node], axis: int) -> Node:
    kept = [part for part in parts if part.shape[axis]]
    return kept[0] if len(kept) == 1 else Concat(axis)(*kept)


def _reflected(x: Node, axis: int, side: Side) -> Node:
    size = x.shape[axis]
    if max(side) >= size:
        raise GraphcRuntimeError(
            f"Argument #{2 * (x.rank - axis) + 2}: Padding size should be less than the "
            f"corresponding input dimension, but got: padding {side} at dimension {axis} of input "
            f"{list(x.shape)}"
        )
    before, after = (max(0, n) for n in side)
    low = Flip((axis,))(cut(x, axis, 1, before + 1))
    high = Flip((axis,))(cut(x, axis, size - 1 - after, size - 1))
    return _cropped(_joined((low, x, high), axis), {axis: side})


def _replicated(x: Node, axis: int, side: Side) -> Node:
    size = x.shape[axis]
    before, after = (max(0, n) for n in side)
    ends = []
    for place, count in ((0, before), (size - 1, after)):
        shape = tuple(count if i == axis else n for i, n in enumerate(x.shape))
        ends.append(expand(cut(x, axis, place, place + 1), shape))
    return _cropped(_joined((ends[0], x, ends[1]), axis), {axis: side})


def _wrapped(x: Node, axis: int, side: Side) -> Node:
    size = x.shape[axis]
    if max(side) > size:
        raise GraphcRuntimeError("Padding value causes wrapping around more than once.")
    inner = _cropped(x, {axis: side})
    length = inner.shape[axis]
    before, after = (max(0, n) for n in side)
    low = cut(inner, axis, length - before, length)
    return _joined((low, inner, cut(inner, axis, 0, after)), axis)


_MODES: dict[str, Callable[[Node, int, Side], Node]] = {
    "reflect": _reflected,
    "replicate": _replicated,
    "circular": _wrapped,
}
