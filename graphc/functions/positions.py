"""``x[...]``: elements at positions, after the user's index has been brought to its normal form."""

from __future__ import annotations

from math import prod
from types import EllipsisType
from typing import Any

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.ir.dtype import int64
from graphc.ir.node import Node, cast
from graphc.ir.types import Shape, broadcast_shapes
from graphc.ops import indexing, movement
from graphc.ops.elementwise import where
from graphc.ops.function import function

Item = int | slice | EllipsisType | None


def _step_name(input: Node, *items: Item) -> str:
    """PyTorch takes the items one by one; the last that does something names the gradient."""
    if len(items) == 1 and isinstance(items[0], slice):
        return "SliceBackward0"
    for item in reversed(items):
        if item is None:
            return "UnsqueezeBackward0"
        if isinstance(item, int):
            return "SelectBackward0"
        if isinstance(item, slice) and item != slice(None):
            return "SliceBackward0"
    return "AliasBackward0"


@function(method=False, namespace=False, view=True, grad_name=_step_name)
def basic_index(input: Node, *items: Item) -> Node:
    """Integers, slices, None and one ``...``: a view."""
    starts: list[int] = []
    stops: list[int] = []
    steps: list[int] = []
    shape: list[int] = []
    for item in whole(items, input.rank):
        if item is None:
            shape.append(1)
            continue
        axis = len(starts)
        extent = input.shape[axis]
        if isinstance(item, slice):
            start, stop, step = _range(item, extent)
            shape.append(len(range(start, stop, step)))
        else:
            if not -extent <= item < extent:
                raise GraphcIndexError(
                    f"index {item} is out of bounds for dimension {axis} with size {extent}"
                )
            start = item % extent
            stop, step = start + 1, 1
        starts.append(start)
        stops.append(stop)
        steps.append(step)
    whole_range = movement.Slice((0,) * input.rank, input.shape, (1,) * input.rank)
    wanted = movement.Slice(tuple(starts), tuple(stops), tuple(steps))
    part = input if wanted == whole_range else wanted(input)
    return movement.reshape(part, tuple(shape))


def whole(items: tuple[Any, ...], rank: int) -> list[Any]:
    """The items with one for every dimension: full slices for ``...`` and at the end."""
    taken = sum(item is not None and item is not ... for item in items)
    if taken > rank:
        if not rank:
            raise GraphcIndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        raise GraphcIndexError(f"too many indices for tensor of dimension {rank}")
    if not any(item is ... for item in items):
        items = (*items, ...)
    found: list[Any] = []
    for item in items:
        if item is not ...:
            found.append(item)
        else:
            found.extend([slice(None)] * (rank - taken))
            taken = rank
    return found


def _range(item: slice, extent: int) -> tuple[int, int, int]:
    start, stop, step = item.indices(extent)
    return start, max(start, stop), step


def _front(dims: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The order of the dimensions that has ``dims`` first."""
    return (*dims, *(d for d in range(rank) if d not in dims))


def _result_order(dims: tuple[int, ...], places: int, rank: int) -> tuple[int, ...]:
    """Where the dimensions of the places go: to where ``dims`` were, if these are neighbours."""
    first = dims[0] if dims == tuple(range(dims[0], dims[0] + len(dims))) else 0
    return (*range(places, places + first), *range(places), *range(places + first, rank))


@function(method=False, namespace=False, grad_name="IndexBackward0")
def index_at(input: Node, dims: tuple[int, ...], *indices: Node) -> Node:
    """The elements at index tensors for the dimensions ``dims``, which broadcast together."""
    places = [cast(x, int64) for x in indices]
    found = indexing.GatherNd()(movement.permute(input, _front(dims, input.rank)), *places)
    count = len(broadcast_shapes(*(x.shape for x in places)))
    return movement.permute(found, _result_order(dims, count, found.rank))


@function(method=False, namespace=False, grad_name="IndexPutBackward0")
def put_at(
    input: Node, dims: tuple[int, ...], value: Node, accumulate: bool, *indices: Node
) -> Node:
    """``input`` with ``value`` at index tensors for the dimensions ``dims``, or added there."""
    places = [cast(x, int64) for x in indices]
    order = _front(dims, input.rank)
    rows = movement.permute(input, order)
    found = indexing.check_indices("index_put", rows.type, [x.type for x in places])
    back = _result_order(dims, len(found), len(found) + input.rank - len(dims))
    front_shape = (*found, *rows.shape[len(dims) :])
    shape = tuple(front_shape[d] for d in back)
    spread = _spread(value, shape)
    if value.dtype is not input.dtype:
        raise GraphcRuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{C_NAMES[input.dtype.name]} for the destination and {C_NAMES[value.dtype.name]} for "
            "the source."
        )
    spread = movement.permute(spread, tuple(back.index(d) for d in range(len(back))))
    put = indexing.IndexPut(accumulate)(rows, spread, *places)
    return movement.permute(put, tuple(order.index(d) for d in range(input.rank)))


def _spread(value: Node, shape: Shape) -> Node:
    """``value`` broadcast to ``shape``; leading extents of one may be too many."""
    extra = value.rank - len(shape)
    if extra > 0 and prod(value.shape[:extra]) == 1:
        value = movement.reshape(value, value.shape[extra:])
    try:
        fits = broadcast_shapes(value.shape, shape) == shape
    except GraphcRuntimeError:
        fits = False
    if not fits:
        raise GraphcRuntimeError(
            f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to "
            f"indexing result of shape {list(shape)}"
        )
    return movement.expand(value, shape)


@function(method=False, namespace=False, grad_name="IndexPutBackward0")
def put_where(input: Node, mask: Node, dim: int, value: Node) -> Node:
    """``input`` with ``value`` where ``mask``, whose first dimension is ``dim``, is true.

    ``value`` is one number, or has no more dimensions than come after those of the mask.
    """
    if value.type.size == 1:
        value = movement.reshape(value, ())
    after = input.rank - dim - mask.rank
    shape = (*mask.shape, *(1,) * after)
    spread = _spread(cast(value, input.dtype), input.shape[dim + mask.rank :])
    return where(movement.reshape(mask, shape), spread, input)
