"""Reading and writing at positions that tensors of integers or truth values give."""

from __future__ import annotations

import warnings

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.operands import C_NAMES, Operand, numbered
from graphc.functions.reduction import normal_dim
from graphc.functions.selection import check_fits
from graphc.ir.dtype import Scalar, bool_, int32, int64, uint8
from graphc.ir.node import Node, cast, const, elementwise
from graphc.ir.types import TensorType, broadcast_shapes
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.indexing import CheckRange, Gather, GatherNd, IndexPut, IndexSum
from graphc.ops.movement import expand, permute, reshape, zeros
from graphc.ops.scan import CumSum
from graphc.ops.sloped import level

INTEGERS = (int32, int64)


def raised(x: Node) -> Node:
    """``x`` with one dimension at least."""
    return x if x.rank else reshape(x, (1,))


def flat(x: Node) -> Node:
    """All elements in one dimension."""
    return reshape(x, (x.type.size,))


def within(index: Node, low: int, high: int, message: str, error: str) -> Node:
    """The index as int64, checked at each run to be in [low, high)."""
    return CheckRange(low, high, message, error)(cast(index, int64))


def in_bounds(index: Node, x: Node, axis: int, error: str, *, wrap: bool = False) -> Node:
    """The index as int64, checked at each run to lie in ``x`` along ``axis``."""
    size = raised(x).shape[axis]
    message = f"index {{}} is out of bounds for dimension {axis} with size {size}"
    return within(index, -size if wrap else 0, size, message, error)


def front(x: Node, axis: int) -> Node:
    """``x`` with ``axis`` as its first dimension."""
    return permute(x, (axis, *(d for d in range(x.rank) if d != axis)))


def back(x: Node, axis: int) -> Node:
    """``x`` with its first dimension as ``axis``."""
    return permute(x, (*range(1, axis + 1), 0, *range(axis + 1, x.rank)))


@function()
def gather(input: Node, dim: int, index: Node, *, sparse_grad: bool = False) -> Node:
    """y[i, j] = x[index[i, j], j] for ``dim`` 0, and so on."""
    axis = normal_dim(dim, input.rank)
    if not index.type.size:
        return level(zeros(TensorType(index.shape, input.dtype)), input)
    if index.dtype not in INTEGERS:
        raise GraphcRuntimeError("gather(): Expected dtype int32/int64 for index")
    found = Gather(axis)(raised(input), cast(raised(index), int64))
    return reshape(found, index.shape)


@function(grad_name="GatherBackward0")
def take_along_dim(input: Node, indices: Node, dim: int | None = None) -> Node:
    """``gather`` with both operands broadcast except along ``dim``; of all elements without it."""
    if indices.dtype is not int64:
        raise GraphcRuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{C_NAMES[indices.dtype.name]}"
        )
    if dim is None:
        return Gather(0)(flat(input), flat(indices))
    if input.rank != indices.rank:
        raise GraphcRuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.rank} dimensions for input, and {indices.rank} dimensions for indices"
        )
    if not input.rank:
        raise GraphcIndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = normal_dim(dim, input.rank)
    ends = [
        broadcast_shapes(input.shape[a:b], indices.shape[a:b]) for a, b in _around(axis, input.rank)
    ]
    x, places = (expand(t, (*ends[0], t.shape[axis], *ends[1])) for t in (input, indices))
    # PyTorch counts on from the start beyond the end.
    return Gather(axis)(x, elementwise("remainder", places, max(x.shape[axis], 1)))


def _around(axis: int, rank: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The ranges of dimensions before and after ``axis``."""
    return (0, axis), (axis + 1, rank)


@function()
def index_select(input: Node, dim: int, index: Node) -> Node:
    """The slices along ``dim`` that a vector of integers names."""
    axis = normal_dim(dim, input.rank)
    if index.rank > 1:
        raise GraphcIndexError("index_select(): Index is supposed to be a vector")
    if index.dtype not in INTEGERS:
        raise GraphcRuntimeError("index_select(): Expected dtype int32 or int64 for index")
    rows = GatherNd(wrap=False)(front(raised(input), axis), cast(raised(index), int64))
    return back(rows, axis) if input.rank else reshape(rows, ())


@function(inplace=True)
def index_add(input: Node, dim: int, index: Node, source: Node, *, alpha: Scalar = 1) -> Node:
    """``input`` with the slices of ``source`` times ``alpha`` added where a vector names."""
    axis = normal_dim(dim, input.rank)
    check_added("index_add_()", input, axis, index, source)
    values = source if alpha == 1 else source * const(alpha, source.dtype)
    places = in_bounds(raised(index), input, axis, "RuntimeError")
    slices = front(raised(values), axis)
    total = IndexSum(front(raised(input), axis).shape, wrap=False)(slices, places)
    return input + reshape(back(total, axis), input.shape)


def check_added(name: str, input: Node, axis: int, index: Node, source: Node) -> None:
    """Raise where slices of ``source`` fit neither the vector nor what it names parts of."""
    if index.dtype not in INTEGERS:
        raise GraphcRuntimeError(
            f"{name}: Expected dtype int32/int64 for index but got: {C_NAMES[index.dtype.name]}"
        )
    if index.rank > 1:
        raise GraphcIndexError(
            f"{name}: Index is supposed to be a vector, but got dim: {index.rank} with type: "
            f"{C_NAMES[index.dtype.name]} and size: {list(index.shape)}"
        )
    if input.dtype is not source.dtype:
        raise GraphcRuntimeError(
            f"{name}: self ({C_NAMES[input.dtype.name]}) and source "
            f"({C_NAMES[source.dtype.name]}) must have the same scalar type"
        )
    if not source.rank and input.rank:
        raise GraphcIndexError(f"Dimension specified as {axis} but tensor has no dimensions")
    count = raised(source).shape[axis] if source.rank == input.rank else -1
    if count not in (-1, index.type.size):
        raise GraphcRuntimeError(
            f"{name}: Number of indices ({index.type.size}) should be equal to "
            f"source.size(dim): ({count}), for dim: {axis}"
        )
    if count < 0 or _rest(input, axis) != _rest(source, axis):
        raise GraphcRuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
        )


def _rest(x: Node, axis: int) -> tuple[int, ...]:
    """The extents other than that of ``axis``."""
    return (*x.shape[:axis], *x.shape[axis + 1 :])


@function(inplace=True)
def index_copy(input: Node, dim: int, index: Node, source: Node) -> Node:
    """``input`` with the slices of ``source`` written where a vector names."""
    axis = normal_dim(dim, input.rank)
    _check_copied(input, axis, index, source)
    size = raised(input).shape[axis]
    message = f"index_copy_(): index {{}} is out of bounds for dimension {axis} with size {size}"
    places = within(raised(index), 0, size, message, "IndexError")
    result = IndexPut(False)(front(raised(input), axis), front(raised(source), axis), places)
    return reshape(back(result, axis), input.shape)


def _check_copied(input: Node, axis: int, index: Node, source: Node) -> None:
    if index.rank > 1:
        raise GraphcIndexError(
            f"index_copy_(): Index should have dimension 1 or 0 (got {index.rank})"
        )
    if index.dtype is not int64:
        raise GraphcRuntimeError(
            f"index_copy_(): Expected a long tensor for index, but got {C_NAMES[index.dtype.name]}"
        )
    if input.dtype is not source.dtype:
        raise GraphcRuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{C_NAMES[input.dtype.name]} and (source) {C_NAMES[source.dtype.name]}"
        )
    if source.rank not in (input.rank, 0) and input.rank:
        raise GraphcIndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must "
            f"match. Source dimensionality ({source.rank}), destination dimensionality "
            f"({input.rank})"
        )
    x, values = raised(input), raised(source)
    if source.rank and _rest(x, axis) != _rest(values, axis):
        ours, theirs = (list(_rest(t, axis)) for t in (x, values))
        raise GraphcRuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            f"slice shape: {' '.join(map(str, ours))} at dimension {axis} and source slice shape: "
            f"{' '.join(map(str, theirs))} at dimension {axis}."
        )
    count = values.shape[axis] if source.rank else 1
    if count != index.type.size:
        raise GraphcIndexError(
            f"index_copy_(): Number of indices ({index.type.size}) should be equal to "
            f"source.size(dim) ({count})"
        )


@function(inplace=True, grad_name=numbered("IndexFill", tensor=1, number=0, place=3))
def index_fill(input: Node, dim: int, index: Node, value: Operand) -> Node:
    """``input`` with ``value`` in the slices that a vector names."""
    axis = normal_dim(dim, input.rank)
    if index.dtype is not int64:
        raise GraphcIndexError("index_fill_(): Expected dtype int64 for index.")
    if index.rank > 1:
        raise GraphcRuntimeError("Index has to be a vector/scalar")
    if isinstance(value, Node):
        if value.rank:
            raise GraphcRuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.rank} dimension(s)."
            )
        filling = cast(value, input.dtype)
    else:
        check_fits(value, input.dtype)
        filling = const(value, input.dtype)
    places = in_bounds(raised(index), input, axis, "IndexError", wrap=True)
    return reshape(
        back(IndexPut(False)(front(raised(input), axis), filling, places), axis), input.shape
    )


@function()
def take(input: Node, index: Node) -> Node:
    """The elements at the flat positions of ``index``, in its shape."""
    if index.dtype is not int64:
        raise GraphcRuntimeError(
            f"take(): Expected a long tensor for index, but got {C_NAMES[index.dtype.name]}"
        )
    if not input.type.size and index.type.size:
        raise GraphcIndexError("take(): tried to take from an empty tensor")
    if not index.type.size:
        return level(zeros(TensorType(index.shape, input.dtype)), input)
    return GatherNd()(flat(input), _flat_index(input, index))


def _flat_index(x: Node, index: Node) -> Node:
    size = x.type.size
    message = f"out of range: tried to access index {{}} on a tensor of {size} elements."
    return within(index, -size, size, message, "IndexError")


@function(inplace=True)
def put(input: Node, index: Node, source: Node, accumulate: bool = False) -> Node:
    """``input`` with the elements of ``source`` at flat positions, written or added."""
    if index.dtype is not int64:
        raise GraphcRuntimeError(
            f"put_(): Expected a long tensor for index, but got {C_NAMES[index.dtype.name]}"
        )
    if input.dtype is not source.dtype:
        raise GraphcRuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{C_NAMES[input.dtype.name]} and source.dtype = {C_NAMES[source.dtype.name]}"
        )
    if index.type.size != source.type.size:
        raise GraphcIndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.type.size}, index.numel() = {index.type.size}"
        )
    places = _flat_index(input, flat(index))
    return reshape(IndexPut(accumulate)(flat(input), flat(source), places), input.shape)


_OF_BYTES = (
    "masked_scatter_ received a mask with dtype torch.uint8, this behavior is now deprecated,"
    "please use a mask with dtype torch.bool instead."
)


@function(inplace=True)
def masked_scatter(input: Node, mask: Node, source: Node) -> Node:
    """``input`` with the elements of ``source``, in order, where the mask holds."""
    if mask.dtype is uint8:
        warnings.warn(_OF_BYTES, stacklevel=5)
    if mask.dtype is not bool_:
        raise GraphcRuntimeError(
            "masked_scatter_ only supports boolean masks, but got mask with dtype "
            f"{C_NAMES[mask.dtype.name]}"
        )
    if input.dtype is not source.dtype:
        raise GraphcRuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{C_NAMES[input.dtype.name]} and {C_NAMES[source.dtype.name]}"
        )
    shape = broadcast_shapes(mask.shape, input.shape)
    chosen = flat(expand(mask, shape))
    place = where(chosen, CumSum(0)(cast(chosen, int64)) + -1, 0)
    if not source.type.size:
        source = level(zeros(TensorType((1,), input.dtype)), source)
        place = CumSum(0)(cast(chosen, int64))
    message = "Number of elements of source < number of ones in mask"
    checked = within(place, 0, source.type.size, message, "RuntimeError")
    values = reshape(GatherNd(wrap=False)(flat(source), checked), shape)
    return where(expand(mask, shape), values, expand(input, shape))
