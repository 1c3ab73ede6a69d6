"""Lengths of vectors, and what is measured with them."""

from __future__ import annotations

from math import inf

from graphc.functions.neural import at_least
from graphc.functions.precision import real
from graphc.functions.reduction import dropped, normal_dim
from graphc.ir.node import Node, cast, elementwise
from graphc.ops.elementwise import equal, number, where
from graphc.ops.function import function
from graphc.ops.reduce import Max, Min, Sum


def length(x: Node, p: float, axes: tuple[int, ...]) -> Node:
    """(Σ |x|ᵖ)^(1/p) over ``axes``, which keep extent one; its gradient at zero is zero."""
    if p == 2:
        return _root(Sum(axes)(x * x), 0.5)
    size = elementwise("abs", x)
    if p == 1:
        return Sum(axes)(size)
    if p == inf:
        return Max(axes)(size)
    if p == -inf:
        return Min(axes)(size)
    if p == 0:
        return Sum(axes)(cast(elementwise("ne", x, 0.0), x.dtype))
    zero = equal(size, number(0, size))
    powers = where(zero, 0.0, elementwise("pow", where(zero, 1.0, size), float(p)))
    return _root(Sum(axes)(powers), 1 / p)


def _root(total: Node, exponent: float) -> Node:
    zero = equal(total, number(0, total))
    safe = where(zero, 1.0, total)
    root = elementwise("sqrt", safe) if exponent == 0.5 else elementwise("pow", safe, exponent)
    return where(zero, 0.0, root)


@function(method=False, namespace=False, functional=True, grad_name="DivBackward0")
@real
def normalize(input: Node, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Node:
    """x / max(‖x‖, ε), the length along ``dim``."""
    axis = normal_dim(dim, input.rank)
    return input / at_least(length(input, p, (axis,) if input.rank else ()), eps)


@function(method=False, functional=True, grad_name="SumBackward1")
@real
def cosine_similarity(x1: Node, x2: Node, dim: int = 1, eps: float = 1e-8) -> Node:
    """x₁ · x₂ / (max(‖x₁‖, ε) · max(‖x₂‖, ε)) along ``dim``."""
    axis = normal_dim(dim, max(x1.rank, x2.rank))
    rank = max(x1.rank, x2.rank)
    a, b = (x / at_least(_length_along(x, axis - rank), eps) for x in (x1, x2))
    return dropped(Sum((axis,))(a * b), (axis,), False)


def _length_along(x: Node, axis: int) -> Node:
    """The length along an axis counted from the back; of a broadcast one, of each element."""
    return length(x, 2, (axis + x.rank,) if -axis <= x.rank else ())


@function(method=False, functional=True, grad_name="NormBackward1")
@real
def pairwise_distance(
    x1: Node, x2: Node, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Node:
    """‖x₁ - x₂ + ε‖ of each row."""
    difference = x1 - x2 + eps
    axes = (difference.rank - 1,) if difference.rank else ()
    return dropped(length(difference, p, axes), axes, keepdim)
