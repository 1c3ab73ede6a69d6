"""Writing along a dimension where a tensor of integers says, with or without combining."""

from __future__ import annotations

import warnings
from math import inf

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.functions.indexing import INTEGERS, raised
from graphc.functions.operands import Operand, tensors_of
from graphc.functions.reduction import normal_dim
from graphc.functions.selection import check_fits
from graphc.ir.dtype import DType, Scalar, int64
from graphc.ir.node import Node, cast, const, elementwise, grad_mode
from graphc.ops.function import function
from graphc.ops.indexing import Scatter, ScatterAdd, ScatterReduce
from graphc.ops.movement import Slice, full, reshape
from graphc.ops.sloped import level, without_derivative


def _grad_name(
    input: Node, dim: int, index: Node, src: object = None, reduce: str | None = None, **_: object
) -> str:
    if reduce is not None:
        return "NotImplemented"
    return "ScatterBackward0" if isinstance(src, Node) else "ScatterBackward1"


_OF_TENSORS = (
    "The reduce argument of torch.scatter with Tensor src is deprecated and will be removed in a "
    "future PyTorch release. Use torch.scatter_reduce instead for more reduction options."
)


@function(inplace=True, grad_name=_grad_name)
def scatter(
    input: Node,
    dim: int,
    index: Node,
    src: Operand | None = None,
    *,
    value: Scalar | None = None,
    reduce: str | None = None,
) -> Node:
    """y[index[i, j], j] = src[i, j] for ``dim`` 0, and so on; of several the last one stays."""
    given = src if value is None else value
    if given is None:
        raise GraphcTypeError("scatter() missing 1 required positional argument: 'src' or 'value'")
    x, places, values, axis = _operands("scatter", input, dim, index, given)
    if reduce not in (None, "add", "multiply"):
        raise GraphcRuntimeError("reduce argument must be either add or multiply.")
    if reduce is not None and isinstance(given, Node):
        warnings.warn(_OF_TENSORS, stacklevel=5)
    if not places.type.size:
        return level(input, *tensors_of(given))
    if reduce is None:
        return reshape(Scatter(axis)(x, values, places), input.shape)
    with grad_mode(False):
        if reduce == "add":
            result = x + ScatterAdd(axis, x.shape)(values, places)
        else:
            result = ScatterReduce(axis, "mul")(x, values, places)
    missing = "derivative for aten::scatter is not implemented"
    return without_derivative(missing, reshape(result, input.shape), input, *tensors_of(given))


@function(inplace=True)
def scatter_add(input: Node, dim: int, index: Node, src: Node) -> Node:
    """y[index[i, j], j] += src[i, j] for ``dim`` 0, and so on."""
    x, places, values, axis = _operands("scatter", input, dim, index, src)
    if not places.type.size:
        return level(input, src)
    return reshape(x + ScatterAdd(axis, x.shape)(values, places), input.shape)


@function(inplace=True)
def scatter_reduce(
    input: Node, dim: int, index: Node, src: Node, reduce: str, *, include_self: bool = True
) -> Node:
    """All that falls on one place combined: sum, prod, mean, amax or amin.

    What was there takes part, unless ``include_self`` is false and something falls there.
    """
    x, places, values, axis = _operands("scatter", input, dim, index, src)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise GraphcRuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    if not places.type.size:
        return level(input, src)
    start = x
    if not include_self:
        neutral = const(_neutral(reduce, x.dtype), x.dtype)
        start = Scatter(axis)(x, full(places.shape, neutral), places)
    if reduce in ("sum", "mean"):
        result = start + ScatterAdd(axis, x.shape)(values, places)
        if reduce == "mean":
            result = _mean(result, places, axis, include_self)
    else:
        combine = {"prod": "mul", "amax": "maximum", "amin": "minimum"}[reduce]
        result = ScatterReduce(axis, combine)(start, values, places)
    return reshape(result, input.shape)


def _mean(total: Node, index: Node, axis: int, include_self: bool) -> Node:
    """The total over how many were added up; integers are rounded down."""
    count = ScatterAdd(axis, total.shape)(full(index.shape, const(1, int64)), index)
    count = count + 1 if include_self else elementwise("maximum", count, 1)
    divisor = cast(count, total.dtype)
    name = "div" if total.dtype.is_floating_point else "floor_divide"
    return elementwise(name, total, divisor)


def _neutral(reduce: str, dtype: DType) -> Scalar:
    """What changes nothing when it takes part."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.category == 0:
        return reduce == "amin"
    if dtype.is_floating_point:
        return -inf if reduce == "amax" else inf
    limits = np.iinfo(dtype.numpy)
    return int(limits.min if reduce == "amax" else limits.max)


def _operands(
    name: str, input: Node, dim: int, index: Node, src: Operand
) -> tuple[Node, Node, Node, int]:
    """The operands with one dimension at least, the values as large as the index, and the axis."""
    axis = normal_dim(dim, input.rank)
    if index.dtype not in INTEGERS:
        raise GraphcRuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    if not isinstance(src, Node):
        check_fits(src, input.dtype)
    elif src.dtype is not input.dtype:
        raise GraphcRuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
    x, places = raised(input), cast(raised(index), int64)
    if not isinstance(src, Node):
        values = full(places.shape, const(src, x.dtype))
        _check_fit(x, places, None, axis)
        return x, places, values, axis
    values = raised(src)
    _check_fit(x, places, values, axis)
    if values.shape != places.shape and places.type.size:
        values = Slice((0,) * values.rank, places.shape, (1,) * values.rank)(values)
    return x, places, values, axis


def _check_fit(x: Node, index: Node, src: Node | None, axis: int) -> None:
    """Raise where the index reaches beyond ``x`` or the source."""
    if not index.type.size:
        return
    for other, what in ((x, "self"), (src, "src")):
        if other is not None and other.rank != index.rank:
            if what == "src":
                normal_dim(index.rank - 1, other.rank)
            raise GraphcRuntimeError(
                f"Index tensor must have the same number of dimensions as {what} tensor"
            )
    beyond = any(index.shape[d] > x.shape[d] for d in range(x.rank) if d != axis)
    if src is not None:
        beyond = beyond or any(n > m for n, m in zip(index.shape, src.shape, strict=True))
    if beyond:
        size = "" if src is None else f" and to be no larger size than src {list(src.shape)}"
        raise GraphcRuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(x.shape)} apart "
            f"from dimension {axis}{size}"
        )
