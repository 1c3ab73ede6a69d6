"""What stands most often, and how many elements fall between bounds."""

from __future__ import annotations

from math import isfinite

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.indexing import flat, within
from graphc.functions.operands import not_implemented
from graphc.functions.pieces import cut
from graphc.functions.reduction import dropped, normal_dim
from graphc.functions.return_types import return_type
from graphc.ir.dtype import Scalar, int64
from graphc.ir.node import Item, Node, cast, const, elementwise
from graphc.ir.types import TensorType
from graphc.ops import reduce
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.indexing import Gather, IndexSum, ScatterAdd
from graphc.ops.movement import Pad, full, zeros
from graphc.ops.scan import CumSum
from graphc.ops.sort import Sort


@function()
def mode(input: Node, dim: int = -1, keepdim: bool = False) -> tuple[Node, Node]:
    """The value that stands most often along ``dim``, and where it stands last; of equals the
    smallest."""
    axis, kind = normal_dim(dim, input.rank), return_type("mode", "values", "indices")
    if not input.rank:
        return kind(input, const(0, int64))  # type: ignore[no-any-return]
    if not input.shape[axis]:
        raise GraphcIndexError(f"mode(): Expected reduction dim {axis} to have non-zero size.")
    if input.type.size:
        places = _last_of_most(input, axis)
    else:
        shape = tuple(1 if d == axis else n for d, n in enumerate(input.shape))
        places = zeros(TensorType(shape, int64))
    found = (Gather(axis)(input, places), places)
    return kind(*(dropped(x, (axis,), keepdim) for x in found))  # type: ignore[no-any-return]


def _last_of_most(x: Node, axis: int) -> Node:
    """Where the last of the longest run of equals stood before sorting."""
    both = Sort(axis)(x)
    values, stood = Item(0)(both), Item(1)(both)
    last = x.shape[axis] - 1
    begins = elementwise("ne", cut(values, axis, 1, last + 1), cut(values, axis, 0, last))
    low = tuple(int(d == axis) for d in range(x.rank))
    runs = CumSum(axis)(cast(Pad(low, (0,) * x.rank, False)(begins), int64))
    lengths = ScatterAdd(axis, x.shape)(full(x.shape, const(1, int64)), runs)
    own = Gather(axis)(lengths, runs)
    first = reduce.ArgMax((axis,))(own)
    return Gather(axis)(stood, first + reduce.Max((axis,))(own) - 1)


@function()
def histc(input: Node, bins: int = 100, min: Scalar = 0, max: Scalar = 0) -> Node:
    """How many elements fall into each of ``bins`` equal parts of the range from min to max.

    Where these are equal, the range is that of the elements.
    """
    if not input.dtype.is_floating_point:
        raise not_implemented("histogram_cpu", input.dtype)
    if bins <= 0:
        raise GraphcRuntimeError(
            f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0"
        )
    if not (isfinite(min) and isfinite(max)):
        raise GraphcRuntimeError(f"torch.histc: range of [{min:g}, {max:g}] is not finite")
    if min > max:
        raise GraphcRuntimeError("torch.histc: max must be larger than min")
    x = flat(input)
    if not x.type.size:
        return zeros(TensorType((bins,), x.dtype))
    low, high = (const(bound, x.dtype) for bound in (min, max))
    if min == max:
        low, high = reduce.Min((0,))(x), reduce.Max((0,))(x)
        flat_range = elementwise("eq", low, high)
        low, high = where(flat_range, low - 1, low), where(flat_range, high + 1, high)
    counts = IndexSum((bins + 1,))(full(x.shape, const(1, x.dtype)), _bins(x, low, high, bins))
    return cut(counts, 0, 0, bins)


def _bins(x: Node, low: Node, high: Node, bins: int) -> Node:
    """The part of the range that each element is in; ``bins`` for what is outside."""
    inside = elementwise("and", low <= x, x <= high)
    place = cast(where(inside, (x - low) * bins / (high - low), 0.0), int64)
    found = where(inside, elementwise("minimum", place, bins - 1), bins)
    width = high - low
    finite = elementwise("eq", width - width, 0)
    message = "torch.histc: range of the elements is not finite"
    return within(where(finite, found, -1), 0, bins + 1, message, "RuntimeError")
