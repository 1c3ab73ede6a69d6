"""Diagonals and triangles of matrices, as the user calls them."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.pieces import cut
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import Scalar, int64
from graphc.ir.node import Node, const, elementwise
from graphc.ops import movement
from graphc.ops.creation import Arange
from graphc.ops.elementwise import where
from graphc.ops.function import function


def counted(size: int, *, start: int = 0, step: int = 1) -> Node:
    """start, start + step, ...: ``size`` int64 numbers."""
    return Arange(start, step, size, int64)(*())


def band(rows: int, columns: int, diagonal: int) -> Node:
    """Whether an element of a matrix lies on the diagonal or below it."""
    row = movement.reshape(counted(rows), (rows, 1))
    return elementwise("le", counted(columns), row + diagonal)


def _check_matrix(name: str, x: Node) -> None:
    if x.rank < 2:
        raise GraphcRuntimeError(f"{name}: input tensor must have at least 2 dimensions")


@function(inplace=True)
def tril(input: Node, diagonal: int = 0) -> Node:
    """Zero above the diagonal."""
    _check_matrix("tril", input)
    mask = band(input.shape[-2], input.shape[-1], diagonal)
    return where(mask, input, const(0, input.dtype))


@function(inplace=True)
def triu(input: Node, diagonal: int = 0) -> Node:
    """Zero below the diagonal."""
    _check_matrix("triu", input)
    mask = band(input.shape[-2], input.shape[-1], diagonal - 1)
    return where(mask, const(0, input.dtype), input)


@function()
def diag_embed(input: Node, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    """Matrices with the last dimension as their diagonal."""
    count, lead = input.shape[-1], input.shape[:-1]
    size = count + (offset if offset > 0 else -offset)
    row, column = counted(size), counted(size)
    mask = elementwise("eq", movement.reshape(row, (size, 1)) + offset, column)
    low = (0,) * len(lead)
    before = offset if offset > 0 else 0
    padded = movement.Pad((*low, before), (*low, size - count - before), 0)(input)
    spread = movement.reshape(padded, (*lead, 1, size))
    matrices = where(mask, spread, const(0, input.dtype))
    a, b = normal_dim(dim1, matrices.rank), normal_dim(dim2, matrices.rank)
    if a == b:
        raise GraphcRuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = iter(range(len(lead)))
    places = {a: matrices.rank - 2, b: matrices.rank - 1}
    order = tuple(places[d] if d in places else next(rest) for d in range(matrices.rank))
    return movement.permute(matrices, order)


def _diag_name(input: Any, diagonal: int = 0) -> str:
    return "DiagEmbedBackward0" if input.rank == 1 else "DiagonalBackward0_copy"


@function(grad_name=_diag_name)
def diag(input: Node, diagonal: int = 0) -> Node:
    """A vector as the diagonal of a matrix, or the diagonal of a matrix."""
    if input.rank == 1:
        return diag_embed(input, diagonal)
    if input.rank != 2:
        raise GraphcRuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.rank}D")
    return _diagonal(input, diagonal)


@function(grad_name="DiagEmbedBackward0")
def diagflat(input: Node, offset: int = 0) -> Node:
    """All elements as the diagonal of a matrix."""
    return diag_embed(movement.reshape(input, (input.type.size,)), offset)


@function(view=True)
def diagonal(input: Node, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The diagonal over two dimensions, which goes last."""
    a, b = normal_dim(dim1, input.rank), normal_dim(dim2, input.rank)
    if a == b:
        raise GraphcRuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = tuple(axis for axis in range(input.rank) if axis not in (a, b))
    lead = tuple(input.shape[axis] for axis in rest)
    rows, columns = input.shape[a], input.shape[b]
    count = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    flat = movement.reshape(movement.permute(input, (*rest, a, b)), (*lead, rows * columns))
    first = offset if offset >= 0 else -offset * columns
    stop = first + (count - 1) * (columns + 1) + 1 if count else first
    return cut(flat, flat.rank - 1, min(first, rows * columns), stop, columns + 1)


_diagonal = diagonal


@function(namespace=False, method=False, inplace=True, grad_name="CopySlices")
def fill_diagonal(input: Node, fill_value: Scalar, wrap: bool = False) -> Node:
    """``fill_value`` on the main diagonal; with ``wrap`` again below it in tall matrices."""
    if input.rank < 2:
        raise GraphcRuntimeError("dimensions must larger than 1")
    if input.rank > 2 and len(set(input.shape)) > 1:
        raise GraphcRuntimeError("all dimensions of input must be of equal length")
    first = counted(input.shape[0])
    if wrap and input.rank == 2:
        first = elementwise("remainder", first, input.shape[1] + 1)
    mask: Node | None = None
    first = movement.reshape(first, (input.shape[0],) + (1,) * (input.rank - 1))
    for axis in range(1, input.rank):
        own = (input.shape[axis],) + (1,) * (input.rank - axis - 1)
        same = elementwise("eq", first, movement.reshape(counted(input.shape[axis]), own))
        mask = same if mask is None else elementwise("and", mask, same)
    assert mask is not None
    return where(mask, const(fill_value, input.dtype), input)
