"""Variance and standard deviation as the user calls them."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.reduction import Dims, dropped, normal_dims, square_root
from graphc.ir.node import Node
from graphc.ops import reduce
from graphc.ops.complex import square_of_magnitude
from graphc.ops.function import function


def _squared_spread(
    name: str, input: Node, dim: Dims, correction: float
) -> tuple[Node, Node, tuple[int, ...]]:
    """The variance and the mean over ``dim``, which both keep extent one."""
    if not input.dtype.is_inexact:
        raise GraphcRuntimeError(f"{name} only support floating point and complex dtypes")
    axes = normal_dims(dim, input.rank)
    center = reduce.mean(input, axes)
    away = input - center
    _warn_of_few(name, input, axes, correction)
    count = prod(input.shape[axis] for axis in axes) - correction
    return reduce.Sum(axes)(square_of_magnitude(away)) / (count if count > 0 else 0.0), center, axes


def _warn_of_few(name: str, input: Node, axes: tuple[int, ...], correction: float) -> None:
    rows = prod(n for axis, n in enumerate(input.shape) if axis not in axes)
    if correction >= input.type.size / max(rows, 1):
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input numel divided by output numel).",
            stacklevel=6,
        )


def _spread_arguments(
    dim: Any, unbiased: bool | None, correction: float | None
) -> tuple[Dims, float]:
    """Both of PyTorch's ways to say how many degrees of freedom are taken off."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is not None:
        return dim, correction
    return dim, 0 if unbiased is False else 1


@function()
def var(
    input: Node,
    dim: Dims | bool = None,
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
    dim: Dims | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Node:
    """The square root of the variance."""
    dim, taken = _spread_arguments(dim, unbiased, correction)
    spread, _, axes = _squared_spread("std", input, dim, taken)
    return dropped(square_root(spread), axes, keepdim)


@function(method=False)
def var_mean(
    input: Node,
    dim: Dims | bool = None,
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
    dim: Dims | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Node, Node]:
    """The standard deviation and the mean."""
    dim, taken = _spread_arguments(dim, unbiased, correction)
    spread, center, axes = _squared_spread("std_mean", input, dim, taken)
    return dropped(square_root(spread), axes, keepdim), dropped(center, axes, keepdim)
