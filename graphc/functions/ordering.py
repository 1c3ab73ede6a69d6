"""Sorting, choosing by size, and searching in what is sorted."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.indexing import within
from graphc.functions.operands import C_NAMES, Operand, not_implemented
from graphc.functions.reduction import dropped, normal_dim
from graphc.functions.return_types import return_type
from graphc.ir.dtype import bool_, int32, int64
from graphc.ir.node import Item, Node, cast, const, elementwise, promoted
from graphc.ops.elementwise import And, Not, where
from graphc.ops.function import function
from graphc.ops.indexing import Gather
from graphc.ops.movement import Slice, expand, full, reshape
from graphc.ops.sort import Sort, TopK


class Ranked(NamedTuple):
    """Values and where they stood."""

    values: Node
    indices: Node


def _sorted(x: Node, axis: int, descending: bool) -> Ranked:
    if not x.rank:
        return Ranked(x, const(0, int64))
    both = Sort(axis, descending)(x)
    return Ranked(Item(0)(both), Item(1)(both))


def _sort_name(input: Any, *_: Any, stable: bool | None = None, **__: Any) -> str:
    return f"SortBackward{0 if stable is None else 1}"


@function(grad_name=_sort_name)
def sort(
    input: Node, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> tuple[Node, Node]:
    """The elements in order along ``dim``, equal ones as they stood, and where each one stood."""
    found = _sorted(input, normal_dim(dim, input.rank), descending)
    return return_type("sort", "values", "indices")(*found)  # type: ignore[no-any-return]


@function()
def argsort(input: Node, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Node:
    """Where the elements in order along ``dim`` stood."""
    return _sorted(input, normal_dim(dim, input.rank), descending).indices


@function(grad_name="SortBackward0")
def msort(input: Node) -> Node:
    """The elements in order along the first dimension."""
    return _sorted(input, 0, False).values


@function()
def topk(
    input: Node, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Node, Node]:
    """The ``k`` largest or smallest elements along ``dim``, in order, and where they stood."""
    if input.dtype is bool_:
        raise GraphcRuntimeError("topk does not support bool dtypes on CPU")
    axis = normal_dim(dim, input.rank)
    if not 0 <= k <= (input.shape[axis] if input.rank else 1):
        raise GraphcRuntimeError("selected index k out of range")
    kind = return_type("topk", "values", "indices")
    if not input.rank:
        return kind(input, const(0, int64))  # type: ignore[no-any-return]
    both = TopK(axis, k, largest)(input)
    return kind(Item(0)(both), Item(1)(both))  # type: ignore[no-any-return]


@function()
def kthvalue(input: Node, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Node, Node]:
    """The ``k``-th smallest element along ``dim``, and where it stood."""
    if input.dtype is bool_:
        raise not_implemented("kthvalue_cpu", bool_)
    axis = normal_dim(dim, input.rank)
    if input.rank and not input.shape[axis]:
        raise GraphcIndexError(f"kthvalue(): Expected reduction dim {axis} to have non-zero size.")
    if not 1 <= k <= (input.shape[axis] if input.rank else 1):
        raise GraphcRuntimeError(f"kthvalue(): selected number k out of range for dimension {axis}")
    both = _sorted(input, axis, False)
    kind = return_type("kthvalue", "values", "indices")
    if not input.rank:
        return kind(*both)  # type: ignore[no-any-return]
    return kind(*(dropped(_kth(x, k - 1, axis), (axis,), keepdim) for x in both))  # type: ignore[no-any-return]


def _kth(x: Node, place: int, axis: int) -> Node:
    """The elements at ``place`` along ``axis``, which keeps extent one."""
    starts = tuple(place if d == axis else 0 for d in range(x.rank))
    stops = tuple(place + 1 if d == axis else n for d, n in enumerate(x.shape))
    return Slice(starts, stops, (1,) * x.rank)(x)


@function(method=False)
def searchsorted(
    sorted_sequence: Node,
    input: Operand,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Node | None = None,
) -> Node:
    """Where each of ``input`` would go in the sorted last dimension, before its equals or after."""
    values = input if isinstance(input, Node) else const(input, sorted_sequence.dtype)
    _check_search(sorted_sequence, values, isinstance(input, Node), right, side)
    rows = sorted_sequence
    if sorter is not None:
        rows = _in_order(rows, sorter)
    lead = rows.shape[:-1]
    count = rows.type.size // max(1, rows.shape[-1]) if rows.shape[-1] else 1
    if rows.rank == 1:
        shape = (1, values.type.size)
    else:
        shape = (count, values.shape[-1])
        assert values.shape[:-1] == lead
    rows, wanted = promoted((rows, values)) if isinstance(input, Node) else (rows, values)
    after = right or side == "right"
    found = _bisect(reshape(rows, (count, rows.shape[-1])), reshape(wanted, shape), after)
    return cast(reshape(found, values.shape), int32 if out_int32 else int64)


def _in_order(rows: Node, sorter: Node) -> Node:
    """The rows in the order that the sorter gives."""
    if sorter.shape != rows.shape:
        raise GraphcRuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
            f"tensor {list(rows.shape)}and got sorter tensor {list(sorter.shape)}"
        )
    if sorter.dtype is not int64:
        raise GraphcRuntimeError(
            "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
            f"{C_NAMES[sorter.dtype.name]}"
        )
    message = "torch.searchsorted(): sorter index out of range"
    places = within(sorter, 0, rows.shape[-1], message, "RuntimeError")
    return Gather(rows.rank - 1)(rows, places)


def _check_search(rows: Node, values: Node, is_tensor: bool, right: bool, side: str | None) -> None:
    if side not in (None, "left", "right"):
        raise GraphcRuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise GraphcRuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    if not is_tensor and rows.rank != 1:
        raise GraphcRuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor "
            f"dimension is 1, but we got boundaries tensor dim({rows.rank}) and input value's "
            f"dim({values.rank}) numel({values.type.size})"
        )
    if rows.rank != 1 and (rows.rank != values.rank or rows.shape[:-1] != values.shape[:-1]):
        raise GraphcRuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(rows.shape)} and input value tensor {list(values.shape)}"
        )


def _bisect(rows: Node, wanted: Node, after: bool) -> Node:
    """By halves, how many elements of the sorted rows come before each of the wanted."""
    size = rows.shape[1]
    low = full(wanted.shape, const(0, int64))
    if not size or not wanted.type.size:
        return low
    high = full(wanted.shape, const(size, int64))
    for _ in range(size.bit_length()):
        middle = elementwise("floor_divide", low + high, 2)
        pivot = Gather(1)(rows, elementwise("minimum", middle, size - 1))
        # nan, which compares with nothing, counts as the largest.
        beyond = elementwise("lt", wanted, pivot) if after else elementwise("le", wanted, pivot)
        onward = And()(Not()(beyond), low < high)
        low, high = where(onward, middle + 1, low), where(onward, high, middle)
    return low


@function(method=False)
def bucketize(
    input: Operand, boundaries: Node, *, out_int32: bool = False, right: bool = False
) -> Node:
    """Between which boundaries each element lies; one equal to a boundary lies before it."""
    if boundaries.rank != 1:
        raise GraphcRuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries.rank})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@function(method=False)
def isin(
    elements: Operand,
    test_elements: Operand,
    *,
    assume_unique: bool = False,
    invert: bool = False,
) -> Node:
    """Whether each element is among the test elements."""
    x, y = promoted((elements, test_elements))
    if not y.type.size:
        found = full(x.shape, const(False, bool_))
    else:
        rows = expand(_sorted(reshape(y, (y.type.size,)), 0, False).values, (y.type.size,))
        places = searchsorted(rows, x)
        nearest = elementwise("minimum", places, y.type.size - 1)
        at = reshape(Gather(0)(rows, reshape(nearest, (x.type.size,))), x.shape)
        found = elementwise("eq", at, x)
    return Not()(found) if invert else found
