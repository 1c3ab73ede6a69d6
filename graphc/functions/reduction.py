"""Reductions as the user calls them: dimensions by PyTorch's names, kept or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan, prod as product
from operator import index as integer
from typing import Any

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.functions.return_types import return_type
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.node import Node, cast, const, elementwise, grad_mode
from graphc.ops import reduce
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.movement import full, reshape

Dims = int | Sequence[int] | None


def normal_dim(dim: int, rank: int) -> int:
    """``dim`` counted from the front; an IndexError in PyTorch's words if there is none."""
    dim, limit = integer(dim), max_of(rank, 1)
    if not -limit <= dim < limit:
        raise GraphcIndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})"
        )
    return dim % limit


def max_of(a: int, b: int) -> int:
    """The larger number; ``max`` is the reduction here."""
    return a if a > b else b


def normal_dims(dim: Dims, rank: int) -> tuple[int, ...]:
    """The dimensions meant by ``dim``, ascending; all of them for None or none given."""
    if dim is None or (isinstance(dim, Sequence) and not dim):
        return tuple(range(rank))
    dims = [normal_dim(d, rank) for d in (dim if isinstance(dim, Sequence) else [dim])]
    for d in dims:
        if dims.count(d) > 1:
            raise GraphcRuntimeError(f"dim {d} appears multiple times in the list of dims")
    return tuple(sorted(dims)) if rank else ()


def dropped(x: Node, axes: tuple[int, ...], keepdim: bool) -> Node:
    """``x`` without the reduced axes, unless they are kept."""
    if keepdim:
        return x
    return reshape(x, tuple(n for axis, n in enumerate(x.shape) if axis not in axes))


def _numbered(whole: str, along: str) -> Any:
    """The name of a gradient that depends on whether dimensions are given."""

    def name(input: Any, dim: Any = None, *_: Any, **__: Any) -> str:
        return whole if dim is None else along

    return name


def _summed(input: Node, dtype: Any) -> Node:
    """The operand of a sum or product, integers as int64 unless another type is asked for."""
    if dtype is not None:
        return cast(input, dtype_given(dtype))
    return input if input.dtype.is_floating_point else cast(input, int64)


@function(grad_name=_numbered("SumBackward0", "SumBackward1"))
def sum(input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Node:
    """Σ over ``dim``; integers and truth values are summed as int64."""
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.Sum(axes)(_summed(input, dtype)), axes, keepdim)


@function(grad_name=_numbered("NansumBackward0", "NansumBackward0"))
def nansum(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """Σ over ``dim`` with nan as zero."""
    return sum(_zero_for_nan(input), dim, keepdim, dtype=dtype)


def _zero_for_nan(x: Node) -> Node:
    return where(elementwise("ne", x, x), 0.0, x) if x.dtype.is_floating_point else x


def _floats(name: str, input: Node, dtype: Any = None) -> Node:
    x = input if dtype is None else cast(input, dtype_given(dtype))
    if not x.dtype.is_floating_point:
        raise GraphcRuntimeError(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {C_NAMES[x.dtype.name]}"
        )
    return x


@function(grad_name=_numbered("MeanBackward0", "MeanBackward1"))
def mean(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """Σ / n over ``dim``, of floating-point numbers."""
    x = _floats("mean", input, dtype)
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.mean(x, axes), axes, keepdim)


@function()
def nanmean(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """The mean over ``dim`` of the elements that are numbers."""
    x = _floats("nanmean", input, dtype)
    count = sum(cast(elementwise("eq", x, x), x.dtype), dim, keepdim)
    return sum(_zero_for_nan(x), dim, keepdim) / count


@function(grad_name=_numbered("ProdBackward0", "ProdBackward1"))
def prod(
    input: Node, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """The product of all elements, or along ``dim``."""
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.Prod(axes)(_summed(input, dtype)), axes, keepdim)


def _squared_spread(
    name: str, input: Node, dim: Dims, correction: float
) -> tuple[Node, Node, tuple[int, ...]]:
    """The variance and the mean over ``dim``, which both keep extent one."""
    if not input.dtype.is_floating_point:
        raise GraphcRuntimeError(f"{name} only support floating point and complex dtypes")
    axes = normal_dims(dim, input.rank)
    center = reduce.mean(input, axes)
    away = input - center
    count = product(input.shape[axis] for axis in axes) - correction
    return reduce.Sum(axes)(away * away) / (count if count > 0 else 0.0), center, axes


def _spread_arguments(
    dim: Any, unbiased: bool | None, correction: float | None
) -> tuple[Dims, float]:
    """Both of PyTorch's ways to say how many degrees of freedom are taken off."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is not None:
        return dim, correction
    return dim, 0 if unbiased is False else 1


def _root(x: Node) -> Node:
    """√x, whose gradient at 0 is 0."""
    at_zero = elementwise("eq", x, 0)
    return where(at_zero, 0.0, elementwise("sqrt", where(at_zero, 1.0, x)))


@function()
def var(
    input: Node,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """Σ (x - mean)² / (n - correction) over ``dim``; the correction is 1 unless given."""
    dim, taken = _spread_arguments(dim, unbiased, correction)
    spread, _, axes = _squared_spread("var", input, dim, taken)
    return dropped(spread, axes, keepdim)


@function()
def std(
    input: Node,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """The square root of the variance."""
    dim, taken = _spread_arguments(dim, unbiased, correction)
    spread, _, axes = _squared_spread("std", input, dim, taken)
    return dropped(_root(spread), axes, keepdim)


@function(method=False)
def var_mean(
    input: Node,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Node, Node]:
    """The variance and the mean."""
    dim, taken = _spread_arguments(dim, unbiased, correction)
    spread, center, axes = _squared_spread("var_mean", input, dim, taken)
    return dropped(spread, axes, keepdim), dropped(center, axes, keepdim)


@function(method=False)
def std_mean(
    input: Node,
    dim: Dims = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Node, Node]:
    """The standard deviation and the mean."""
    dim, taken = _spread_arguments(dim, unbiased, correction)
    spread, center, axes = _squared_spread("std_mean", input, dim, taken)
    return dropped(_root(spread), axes, keepdim), dropped(center, axes, keepdim)


@function(grad_name="LinalgVectorNormBackward0")
def norm(
    input: Node,
    p: float | str | None = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Node:
    """(Σ |x|ᵖ)^(1/p) over ``dim``; "fro" is p = 2."""
    x = _floats("linalg.vector_norm", input, dtype)
    if isinstance(p, str) and p != "fro":
        raise GraphcRuntimeError(f"norm: p='{p}' is not supported; a number or 'fro' is")
    axes = normal_dims(dim, x.rank)
    return dropped(vector_norm(x, 2.0 if p is None or p == "fro" else float(p), axes), axes, keepdim)


def vector_norm(x: Node, p: float, axes: tuple[int, ...]) -> Node:
    """(Σ |x|ᵖ)^(1/p) over ``axes``, which keep extent one."""
    if p == 2:
        return _root(reduce.Sum(axes)(x * x))
    size = elementwise("abs", x)
    if p in (inf, -inf):
        return (reduce.Max if p > 0 else reduce.Min)(axes)(size)
    if p == 0:
        return reduce.Sum(axes)(cast(elementwise("ne", x, 0), x.dtype))
    if p == 1:
        return reduce.Sum(axes)(size)
    total = reduce.Sum(axes)(elementwise("pow", size, p))
    at_zero = elementwise("eq", total, 0)
    return where(at_zero, 0.0, elementwise("pow", where(at_zero, 1.0, total), 1 / p))


@function(method=True)
def dist(input: Node, other: Node, p: float = 2) -> Node:
    """The norm of input - other."""
    return norm(input - other, p)


@function()
def logsumexp(input: Node, dim: Dims, keepdim: bool = False) -> Node:
    """ln Σ eˣ over ``dim``, safe from overflow."""
    x = input if input.dtype.is_floating_point else input * 1.0
    axes = normal_dims(dim, x.rank)
    with grad_mode(False):
        largest = reduce.Max(axes)(x)
        largest = where(elementwise("eq", elementwise("abs", largest), inf), 0.0, largest)
    total = reduce.Sum(axes)(elementwise("exp", x - largest))
    return dropped(elementwise("log", total) + largest, axes, keepdim)


def _extreme(name: str, pick: type[reduce.Extreme], place: type[reduce.ArgReduce]) -> None:
    """Declare max or min: of all, along a dimension with the places, or of two tensors."""

    def call(input: Node, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        other = dim if isinstance(dim, Node) else other
        if other is not None:
            return elementwise("maximum" if name == "max" else "minimum", input, other)
        if dim is None:
            if not input.type.size:
                raise GraphcRuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            axes = tuple(range(input.rank))
            return dropped(pick(axes)(input), axes, False)
        axis = normal_dim(dim, input.rank)
        axes = (axis,) if input.rank else ()
        places = place(axes)(input)
        values = _picked(input, places, axis)
        kind = return_type(name, "values", "indices")
        return kind(dropped(values, axes, keepdim), dropped(places, axes, keepdim))

    def grad_name(input: Any, dim: Any = None, *_: Any, **__: Any) -> str:
        if isinstance(dim, Node):
            return "MaximumBackward0" if name == "max" else "MinimumBackward0"
        return f"{name.capitalize()}Backward{1 if dim is None else 0}"

    call.__name__ = name
    call.__doc__ = f"The {name}imum: of all elements, along ``dim`` with its places, or of two tensors."
    function(grad_name=grad_name)(call)


def _picked(x: Node, places: Node, axis: int) -> Node:
    """The elements of ``x`` at ``places`` along ``axis``; the gradient goes to these alone."""
    from graphc.ops.indexing import Gather

    return Gather(axis)(x, places) if x.rank else x


_extreme("max", reduce.Max, reduce.ArgMax)
_extreme("min", reduce.Min, reduce.ArgMin)


def _amax(name: str, pick: type[reduce.Extreme]) -> None:
    def call(input: Node, dim: Dims = None, keepdim: bool = False) -> Node:
        axes = normal_dims(dim, input.rank)
        return dropped(pick(axes)(input), axes, keepdim)

    call.__name__ = name
    call.__doc__ = f"The {name[1:]}imum over ``dim``; the gradient is shared among equals."
    function()(call)


_amax("amax", reduce.Max)
_amax("amin", reduce.Min)


@function()
def aminmax(input: Node, *, dim: int | None = None, keepdim: bool = False) -> tuple[Node, Node]:
    """The minimum and the maximum."""
    axes = normal_dims(dim, input.rank)
    low, high = (dropped(pick(axes)(input), axes, keepdim) for pick in (reduce.Min, reduce.Max))
    return return_type("aminmax", "min", "max")(low, high)  # type: ignore[no-any-return]


def _arg(name: str, place: type[reduce.ArgReduce]) -> None:
    def call(input: Node, dim: int | None = None, keepdim: bool = False) -> Node:
        axes = normal_dims(dim, input.rank)
        if not input.type.size and dim is None:
            raise GraphcIndexError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        return dropped(place(axes)(input), axes, keepdim)

    call.__name__ = name
    call.__doc__ = f"The place of the first {name[3:]}imum, counted over all elements or along ``dim``."
    function()(call)


_arg("argmax", reduce.ArgMax)
_arg("argmin", reduce.ArgMin)


def _quantified(name: str, over: type[reduce.Reduce]) -> None:
    def call(input: Node, dim: Dims = None, keepdim: bool = False) -> Node:
        axes = normal_dims(dim, input.rank)
        found = dropped(over(axes)(cast(input, bool_)), axes, keepdim)
        return cast(found, input.dtype) if input.dtype.name == "uint8" else found

    call.__name__ = name
    call.__doc__ = f"Whether {'some element' if name == 'any' else 'every element'} is not zero."
    function()(call)


_quantified("any", reduce.Any)
_quantified("all", reduce.All)


@function()
def count_nonzero(input: Node, dim: Dims = None) -> Node:
    """How many elements are not zero."""
    return sum(elementwise("ne", input, 0), dim)


def _median(name: str, skip: bool) -> None:
    def call(input: Node, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return _middle(reshape(input, (input.type.size,)), 0, skip, False)[0]
        axis = normal_dim(dim, input.rank)
        values, places = _middle(input, axis, skip, keepdim)
        return return_type(name, "values", "indices")(values, places)

    call.__name__ = name
    call.__doc__ = "The lower median" + (" of the numbers." if skip else "; nan if there is one.")
    function()(call)


def _middle(x: Node, axis: int, skip: bool, keepdim: bool) -> tuple[Node, Node]:
    """The value in the middle of the sorted numbers, and where it stood."""
    from graphc.ir.node import Item
    from graphc.ops.sort import Sort

    if not x.rank:
        return x, const(0, int64)
    if not x.shape[axis]:
        if x.rank == 1:
            return const(nan, x.dtype), const(0, int64)
        raise GraphcIndexError(f"median(): Expected reduction dim {axis} to have non-zero size.")
    both = Sort(axis)(x)
    numbers = reduce.Sum((axis,))(cast(elementwise("eq", x, x), int64))
    middle = elementwise("floor_divide", elementwise("maximum", numbers - 1, 0), 2)
    if not skip:
        last = x.shape[axis] - 1
        whole = elementwise("eq", numbers, last + 1)
        # nan stands last.
        middle = where(whole, full(middle.shape, const(last // 2, int64)), last)
    axes = (axis,)
    values, places = (_picked(Item(i)(both), middle, axis) for i in (0, 1))
    return dropped(values, axes, keepdim), dropped(places, axes, keepdim)


_median("median", skip=False)
_median("nanmedian", skip=True)
