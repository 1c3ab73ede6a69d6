"""Lengths of vectors, and what is measured with them."""

from __future__ import annotations

from math import inf
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.neural import at_least
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.functions.precision import widened
from graphc.functions.reduction import Dims, dropped, normal_dim, normal_dims, square_root
from graphc.functions.shaping import Extents
from graphc.functions.singular_values import spectral_norm
from graphc.ir.dtype import DType
from graphc.ir.node import Node, cast, common_dtype, elementwise
from graphc.ir.types import broadcast_shapes
from graphc.ops.complex import square_of_magnitude
from graphc.ops.elementwise import equal, number, where
from graphc.ops.function import function
from graphc.ops.movement import expand
from graphc.ops.reduce import Max, Min, Sum


def vector_norm(x: Node, p: float, axes: tuple[int, ...]) -> Node:
    """(Σ |x|ᵖ)^(1/p) over ``axes``, which keep extent one; its gradient at zero is zero."""
    if p == 2:
        return square_root(Sum(axes)(square_of_magnitude(x)))
    size = elementwise("abs", x)
    if p == 1:
        return Sum(axes)(size)
    if p == inf:
        return Max(axes, nan_shares=True)(size)
    if p == -inf:
        return Min(axes, nan_shares=True)(size)
    if p == 0:
        return Sum(axes)(cast(elementwise("ne", x, 0.0), size.dtype))
    zero = equal(size, number(0, size))
    at_zero = 0.0 if p > 0 else inf
    powers = where(zero, at_zero, elementwise("pow", where(zero, 1.0, size), float(p)))
    total = Sum(axes)(powers)
    nothing = equal(total, number(0, total))
    root = elementwise("pow", where(nothing, 1.0, total), 1 / p)
    return where(nothing, at_zero, root)


def _norm_name(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, **_: Any) -> str:
    if p != "nuc":
        return "LinalgVectorNormBackward0"
    return "PermuteBackward0" if keepdim else "SumBackward1"


@function(grad_name=_norm_name)
def norm(
    input: Node,
    p: float | str | None = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Node:
    """(Σ |x|ᵖ)^(1/p) over ``dim``; "fro" is p = 2."""
    x = input if dtype is None else cast(input, dtype_given(dtype))
    _check_floating(x)
    axes = normal_dims(dim, x.rank)
    if p == "nuc":
        if len(axes) != 2:
            shown = "" if dim is None else dim if isinstance(dim, int) else " ".join(map(str, dim))
            raise GraphcRuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {shown}")
        return dropped(spectral_norm(x, p, *axes), axes, keepdim)
    if isinstance(p, str) and p != "fro":
        raise GraphcRuntimeError(f"norm: p='{p}' is not supported; a number, 'fro' or 'nuc' is")
    exponent = 2.0 if p is None or p == "fro" else float(p)
    return dropped(vector_norm(x, exponent, axes), axes, keepdim)


def _check_floating(x: Node) -> None:
    if not x.dtype.is_inexact:
        raise GraphcRuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{C_NAMES[x.dtype.name]}"
        )


@function(method=True)
def dist(input: Node, other: Node, p: float = 2) -> Node:
    """The norm of input - other."""
    return norm(input - other, p)


@function(method=False, namespace=False, functional=True, grad_name="DivBackward0")
def normalize(input: Node, p: float = 2.0, dim: Extents = 1, eps: float = 1e-12) -> Node:
    """x / max(‖x‖, ε), the length along ``dim``."""
    _check_floating(input)
    axes = normal_dims(dim, input.rank)
    x = widened(input)
    return cast(x / at_least(vector_norm(x, p, axes), eps), input.dtype)


@function(method=False, functional=True, grad_name="SumBackward1")
def cosine_similarity(x1: Node, x2: Node, dim: int = 1, eps: float = 1e-8) -> Node:
    """x₁ · x₂ / (max(‖x₁‖, ε) · max(‖x₂‖, ε)) along ``dim``."""
    dtype = common_dtype((x1, x2))
    if not dtype.is_floating_point:
        raise GraphcRuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {C_NAMES[dtype.name]}"
        )
    shape = broadcast_shapes(x1.shape, x2.shape)
    axes = (normal_dim(dim, len(shape)),) if shape else ()
    # Each in its own type, if that has fractions.
    given = (widened(v if v.dtype.is_floating_point else cast(v, dtype)) for v in (x1, x2))
    x, y = (expand(v, shape) for v in given)
    a, b = (v / at_least(vector_norm(v, 2, axes), eps) for v in (x, y))
    return cast(dropped(Sum(axes)(a * b), axes, False), dtype)


@function(method=False, functional=True, grad_name="NormBackward1")
def pairwise_distance(
    x1: Node, x2: Node, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Node:
    """‖x₁ - x₂ + ε‖ of each row."""
    dtype = common_dtype((x1, x2, eps))
    difference = widened(x1) - widened(x2) + eps
    axes = (difference.rank - 1,) if difference.rank else ()
    return cast(dropped(vector_norm(difference, p, axes), axes, keepdim), dtype)
