"""Reductions as the user calls them: dimensions by PyTorch's names, kept or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from operator import index as integer
from typing import Any

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.node import Node, cast, elementwise, grad_mode
from graphc.ops import reduce
from graphc.ops.elementwise import where
from graphc.ops.function import GradName, function
from graphc.ops.movement import reshape

Dims = int | Sequence[int] | None


def normal_dim(dim: int, rank: int) -> int:
    """``dim`` counted from the front; an IndexError in PyTorch's words if there is none."""
    dim, limit = integer(dim), max_of(rank, 1)
    if not -limit <= dim < limit:
        raise GraphcIndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], "
            f"but got {dim})"
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


def _numbered(name: str) -> GradName:
    """The name of a gradient that PyTorch numbers by whether dimensions are given."""

    def grad_name(input: Any, *dims: Any, **named: Any) -> str:
        return f"{name}Backward{1 if dims or 'dim' in named else 0}"

    return grad_name


def _summed(input: Node, dtype: Any) -> Node:
    """The operand of a sum or product, integers as int64 unless another type is asked for."""
    if dtype is not None:
        return as_differentiable(input, dtype_given(dtype))
    return input if input.dtype.is_inexact else cast(input, int64)


def as_differentiable(x: Node, dtype: DType) -> Node:
    """``x`` in another type. Raises where a gradient is needed that the type cannot have."""
    if x.requires_grad and not dtype.is_inexact:
        raise GraphcRuntimeError(f"Autograd not support dtype: {C_NAMES[dtype.name]}")
    return cast(x, dtype)


@function(grad_name=_numbered("Sum"))
def sum(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """Σ over ``dim``; integers and truth values are summed as int64."""
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.Sum(axes)(_summed(input, dtype)), axes, keepdim)


@function()
def nansum(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """Σ over ``dim`` with nan as zero."""
    return sum(_zero_for_nan(input), dim, keepdim, dtype=dtype)


def _zero_for_nan(x: Node) -> Node:
    return where(elementwise("ne", x, x), 0.0, x) if x.dtype.is_inexact else x


def _floats(name: str, input: Node, dtype: Any = None) -> Node:
    x = input if dtype is None else cast(input, dtype_given(dtype))
    if not x.dtype.is_inexact:
        raise GraphcRuntimeError(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {C_NAMES[x.dtype.name]}"
        )
    return x


@function(grad_name=_numbered("Mean"))
def mean(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """Σ / n over ``dim``, of floating-point numbers."""
    x = _floats("mean", input, dtype)
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.mean(x, axes), axes, keepdim)


@function(grad_name="DivBackward0")
def nanmean(
    input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """The mean over ``dim`` of the elements that are numbers."""
    x = _floats("nanmean", input, dtype)
    count = sum(cast(elementwise("eq", x, x), x.dtype), dim, keepdim)
    return sum(_zero_for_nan(x), dim, keepdim) / count


@function(grad_name=_numbered("Prod"))
def prod(
    input: Node, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """The product of all elements, or along ``dim``."""
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.Prod(axes)(_summed(input, dtype)), axes, keepdim)


def square_root(x: Node) -> Node:
    """√x, whose gradient at 0 is 0."""
    at_zero = elementwise("eq", x, 0)
    return where(at_zero, 0.0, elementwise("sqrt", where(at_zero, 1.0, x)))


@function()
def logsumexp(input: Node, dim: Dims, keepdim: bool = False) -> Node:
    """ln Σ eˣ over ``dim``, safe from overflow."""
    x = input if input.dtype.is_floating_point else input * 1.0
    axes = normal_dims(dim, x.rank)
    if not x.type.size:
        return dropped(elementwise("log", reduce.Sum(axes)(elementwise("exp", x))), axes, keepdim)
    with grad_mode(False):
        largest = reduce.Max(axes)(x)
        largest = where(elementwise("eq", elementwise("abs", largest), inf), 0.0, largest)
    total = reduce.Sum(axes)(elementwise("exp", x - largest))
    return dropped(elementwise("log", total) + largest, axes, keepdim)


def _quantified(name: str, over: type[reduce.Reduce]) -> None:
    def call(input: Node, dim: Dims = None, keepdim: bool = False) -> Node:
        axes = () if dim == () or dim == [] else normal_dims(dim, input.rank)
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
