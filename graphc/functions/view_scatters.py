"""Copies in which a part is replaced, and copies of parts."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphcRuntimeError
from graphc.functions.diagonals import diagonal
from graphc.functions.indexing import flat
from graphc.functions.pieces import cut, narrow, select
from graphc.functions.reduction import normal_dim
from graphc.ir.node import Node, cast
from graphc.ir.types import Shape
from graphc.ops.function import function
from graphc.ops.movement import reshape
from graphc.ops.sloped import level
from graphc.ops.strided import Strided


def _replaced(input: Node, view: Node, src: Node) -> Node:
    """``input`` with ``src`` written to what ``view`` shows of it."""
    if src.shape != view.shape:
        raise GraphcRuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(view.shape)}"
        )
    value, step = cast(src, input.dtype), view
    if step is input:
        return level(value, input)
    while step is not input:
        (source,) = step.inputs
        value = step.op.put(source, value)  # type: ignore[attr-defined]
        step = source
    return value


@function()
def select_scatter(input: Node, src: Node, dim: int, index: int) -> Node:
    """``input`` with ``src`` at ``index`` along ``dim``."""
    return _replaced(input, select(input, dim, index), src)


@function()
def slice_scatter(
    input: Node,
    src: Node,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Node:
    """``input`` with ``src`` from ``start`` to before ``end`` along ``dim``, at every ``step``."""
    axis = normal_dim(dim, input.rank)
    if step <= 0:
        raise GraphcRuntimeError("slice step must be positive")
    first, last, _ = slice(start, end).indices(input.shape[axis])
    return _replaced(input, cut(input, axis, first, max(first, last), step), src)


@function()
def diagonal_scatter(input: Node, src: Node, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """``input`` with ``src`` as the diagonal over two dimensions."""
    return _replaced(input, diagonal(input, offset, dim1, dim2), src)


@function()
def as_strided_scatter(
    input: Node,
    src: Node,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Node:
    """``input``, in order, with ``src`` at the places that the strides say."""
    memory = flat(input)
    view = strided(memory, size, stride, storage_offset or 0)
    return reshape(_replaced(memory, view, src), input.shape)


@function(method=False, namespace=False, view=True, grad_name="AsStridedBackward0")
def strided(input: Node, size: Sequence[int], stride: Sequence[int], offset: int) -> Node:
    """The elements of a vector at the places that the strides say."""
    _check_strides(tuple(size), tuple(stride))
    if offset < 0:
        raise GraphcRuntimeError(f"Tensor: invalid storage offset {offset}")
    reach = sum(step * (n - 1) for n, step in zip(size, stride, strict=True))
    count, width = input.type.size, input.dtype.itemsize
    if 0 not in size and offset + reach >= count:
        raise GraphcRuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {width} requiring a storage size of {(offset + reach + 1) * width} are out "
            f"of bounds for storage of size {count * width}"
        )
    return Strided(tuple(size), tuple(stride), offset)(input)


def _check_strides(size: Shape, stride: Shape) -> None:
    if len(size) != len(stride):
        raise GraphcRuntimeError("mismatch in length of strides and shape")
    if any(n < 0 for n in stride):
        raise GraphcRuntimeError(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    if any(n < 0 for n in size):
        raise GraphcRuntimeError(
            f"Storage size calculation overflowed with sizes={list(size)} and "
            f"strides={list(stride)}"
        )


@function()
def narrow_copy(input: Node, dim: int, start: int, length: int) -> Node:
    """``length`` elements from ``start`` on along ``dim``, in memory of their own."""
    return narrow(input, dim, start, length)
