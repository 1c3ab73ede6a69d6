"""Sums of values that are zero but for a part each: the parts put side by side."""

from __future__ import annotations

from graphc.ir.node import Const, Node
from graphc.ops.movement import Concat, Expand, Place, Reshape

Piece = tuple[Place, Node]
"""Where a part stands, and the part."""


def joined(node: Node) -> Node | None:
    """An addition of two values that are zero but for parts that do not meet, without adding.

    The gradients of slices are such values; those of all parts of a tensor are one concatenation.
    """
    a, b = node.inputs
    left, right = _pieces(a), _pieces(b)
    if not left or not right or a.shape != node.shape or b.shape != node.shape:
        return None
    dim = _dimension([*left, *right], node.shape)
    if dim is None:
        return None
    parts = sorted([*left, *right], key=lambda part: part[0].starts[dim])
    ends = [0, *(op.stops[dim] for op, _ in parts)]
    begins = [op.starts[dim] for op, _ in parts]
    if any(begin < end for begin, end in zip(begins, ends, strict=False)):
        return None
    if [*begins, node.shape[dim]] == ends:
        return Concat(dim)(*(value for _, value in parts))
    result = a
    for op, value in right:
        result = op(result, value)
    return result


def _pieces(node: Node) -> list[Piece] | None:
    """The parts of a value that is zero elsewhere; None if it is not of this kind."""
    found: list[Piece] = []
    while isinstance(node.op, Place):
        found.append((node.op, node.inputs[1]))
        node = node.inputs[0]
    while isinstance(node.op, Expand | Reshape):
        node = node.inputs[0]
    return found if isinstance(node.op, Const) and node.op.value == 0 else None


def _dimension(parts: list[Piece], shape: tuple[int, ...]) -> int | None:
    """The one dimension along which the parts are cut from a value of this shape."""
    cut = {
        axis
        for op, _ in parts
        for axis, n in enumerate(shape)
        if (op.starts[axis], op.stops[axis], op.steps[axis]) != (0, n, 1)
    }
    if len(cut) != 1 or any(step != 1 for op, _ in parts for step in op.steps):
        return None
    return cut.pop()
