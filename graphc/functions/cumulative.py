"""Running results along a dimension: sums, products and extremes of all elements so far."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.joining import cat
from graphc.functions.operands import dtype_given, not_implemented
from graphc.functions.reduction import as_differentiable, normal_dim
from graphc.functions.return_types import return_type
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.node import Node, cast, const, elementwise, grad_mode
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, Ne, Not, Or, where
from graphc.ops.function import function
from graphc.ops.indexing import Gather
from graphc.ops.movement import Pad, Reshape, Slice, expand, reshape
from graphc.ops.scan import CumProd, CumSum, Scan
from graphc.ops.sloped import sloped


def _scanned(scan: type[Scan], input: Node, dim: int, dtype: Any) -> Node:
    axis = normal_dim(dim, input.rank)
    x = input if dtype is None else as_differentiable(input, dtype_given(dtype))
    if dtype is None and not x.dtype.is_inexact:
        x = cast(x, int64)
    return scan(axis)(x) if x.rank else x


@function(inplace=True)
def cumsum(input: Node, dim: int, *, dtype: DType | None = None) -> Node:
    """Σ of each element and all before it along ``dim``; integers as int64."""
    return _scanned(CumSum, input, dim, dtype)


@function(inplace=True)
def cumprod(input: Node, dim: int, *, dtype: DType | None = None) -> Node:
    """The product of each element and all before it along ``dim``; integers as int64."""
    return _scanned(CumProd, input, dim, dtype)


def _moved(x: Node, axis: int, step: int, filling: Any) -> Node:
    """``x`` moved on by ``step`` along ``axis``; what comes in is ``filling``."""
    low = tuple(step if d == axis else 0 for d in range(x.rank))
    padded = Pad(low, (0,) * x.rank, filling)(x)
    return Slice((0,) * x.rank, x.shape, (1,) * x.rank)(padded)


def _steps(extent: int) -> list[int]:
    """1, 2, 4, ...: after each, a running result covers twice as many elements."""
    return [1 << i for i in range(max(0, extent - 1).bit_length())]


def _cumulative_extreme(name: str) -> None:
    """Declare cummax or cummin: with the places, of equals the last."""

    def call(input: Node, dim: int) -> tuple[Node, Node]:
        if not input.rank and dim not in (0, -1):
            raise GraphcIndexError(
                f"{name}(): Expected reduction dim -1 or 0 for scalar but got {dim}"
            )
        axis = normal_dim(dim, input.rank)
        kind = return_type(name, "values", "indices")
        if not input.rank:
            return kind(input, const(0, int64))  # type: ignore[no-any-return]
        with grad_mode(False):
            places = _running_places(input, axis, name == "cummax")
        return kind(Gather(axis)(input, places), places)  # type: ignore[no-any-return]

    call.__name__ = name
    call.__doc__ = f"The {name[3:]}imum of each element and all before it, and where it stands."
    function()(call)


def _running_places(x: Node, axis: int, largest: bool) -> Node:
    """Where the extreme of each element and all before it stands; nan is as extreme as can be."""
    extent = x.shape[axis]
    numbers = Arange(0, 1, extent, int64)()
    places = expand(reshape(numbers, (extent, *(1,) * (x.rank - axis - 1))), x.shape)
    # An order of truth values is that of integers.
    best = cast(x, int64) if x.dtype is bool_ else x
    for step in _steps(extent):
        earlier, stood = (_moved(v, axis, step, 0) for v in (best, places))
        better = earlier <= best if largest else best <= earlier
        stays = Or()(_is_nan(best), And()(Not()(_is_nan(earlier)), better))
        stays = Or()(stays, expand(reshape(numbers < step, _column(x, axis)), x.shape))
        best, places = where(stays, best, earlier), where(stays, places, stood)
    return places


def _column(x: Node, axis: int) -> tuple[int, ...]:
    """A shape that varies along ``axis`` alone."""
    return (x.shape[axis], *(1,) * (x.rank - axis - 1))


def _is_nan(x: Node) -> Node:
    return Ne()(x, x)


_cumulative_extreme("cummax")
_cumulative_extreme("cummin")


@function()
def logcumsumexp(input: Node, dim: int) -> Node:
    """ln Σ eˣ of each element and all before it along ``dim``, safe from overflow."""
    if not input.dtype.is_floating_point:
        raise not_implemented("logcumsumexp_out_cpu", input.dtype)
    axis = normal_dim(dim, input.rank)
    if not input.rank:
        return input
    total = input
    for step in _steps(input.shape[axis]):
        total = _log_add(total, _moved(total, axis, step, float("-inf")))
    return total


def _log_add(x: Node, y: Node) -> Node:
    """ln(eˣ + eʸ), whose gradient is zero where both are -inf."""
    with grad_mode(False):
        value = elementwise("logaddexp", x, y)
    empty = elementwise("eq", value, float("-inf"))
    gap = where(empty, 0.0, x - y)
    of_x, of_y = (where(empty, 0.0, elementwise("sigmoid", z)) for z in (gap, -gap))
    return sloped(value, x, of_x, y, of_y)


def _diff_name(input: Any, n: int = 1, *_: Any, **__: Any) -> str:
    return "SubBackward0" if n else "CopyBackwards"


@function(grad_name=_diff_name, same=True)
def diff(
    input: Node,
    n: int = 1,
    dim: int = -1,
    prepend: Node | None = None,
    append: Node | None = None,
) -> Node:
    """Each element less the one before it along ``dim``, ``n`` times over."""
    if not input.rank:
        raise GraphcRuntimeError("diff expects input to be at least one-dimensional")
    axis = normal_dim(dim, input.rank)
    if n < 0:
        raise GraphcRuntimeError(f"order must be non-negative but got {n}")
    for other in (prepend, append):
        if other is not None:
            _check_longer(input, other, axis)
    if not n:
        return Reshape(input.shape)(input)
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, axis) if len(parts) > 1 else input
    less = "xor" if x.dtype is bool_ else "sub"
    for _ in range(min(n, x.shape[axis])):
        last = x.shape[axis] - 1
        x = elementwise(less, _between(x, axis, 1, last + 1), _between(x, axis, 0, last))
    return x


def _check_longer(x: Node, other: Node, axis: int) -> None:
    """Raise where the two do not join along the axis."""
    if other.rank != x.rank:
        raise GraphcRuntimeError("diff expects prepend or append to be the same dimension as input")
    for d, (m, n) in enumerate(zip(x.shape, other.shape, strict=True)):
        if d != axis and m != n:
            raise GraphcRuntimeError(
                "diff expects the shape of tensor to prepend or append to match that of input "
                f"except along the differencing dimension; input.size({d}) = {m}, but got "
                f"tensor.size({d}) = {n}"
            )


def _between(x: Node, axis: int, start: int, stop: int) -> Node:
    starts = tuple(start if d == axis else 0 for d in range(x.rank))
    stops = tuple(max(stop, start) if d == axis else n for d, n in enumerate(x.shape))
    return Slice(starts, stops, (1,) * x.rank)(x)
