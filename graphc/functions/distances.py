"""Distances between rows, and rows brought within a length."""

from __future__ import annotations

from math import inf
from typing import Any

from graphc.errors import (
    GraphcNotImplementedError,
    GraphcRuntimeError,
    GraphcValueError,
)
from graphc.functions.diagonals import counted
from graphc.functions.norms import vector_norm
from graphc.functions.operands import C_NAMES
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import Scalar, float32
from graphc.ir.node import Node, cast, elementwise, grad_mode
from graphc.ir.types import TensorType, broadcast_shapes
from graphc.ops.elementwise import equal, where
from graphc.ops.function import function
from graphc.ops.indexing import GatherNd
from graphc.ops.matmul import transposed
from graphc.ops.movement import expand, reshape, zeros
from graphc.ops.precision import multiplied
from graphc.ops.reduce import ArgMax, Max, Sum
from graphc.ops.sloped import level, sloped

_BY_PRODUCTS = "use_mm_for_euclid_dist"
_MODES = (f"{_BY_PRODUCTS}_if_necessary", _BY_PRODUCTS, f"donot_{_BY_PRODUCTS}")
_MANY = 25
"""Rows from which products of matrices take the place of differences."""


def _distance_name(x1: Any, x2: Any, p: float = 2.0, compute_mode: str = _MODES[0]) -> str:
    return "ViewBackward0" if _by_products(x1, x2, p, compute_mode) else "CdistBackward0"


def _by_products(x1: Node, x2: Node, p: float, mode: str) -> bool:
    if p != 2 or mode == _MODES[2] or not (x1.type.size and x2.type.size):
        return False
    return mode == _BY_PRODUCTS or x1.shape[-2] > _MANY or x2.shape[-2] > _MANY


@function(method=False, grad_name=_distance_name)
def cdist(x1: Node, x2: Node, p: float = 2.0, compute_mode: Any = _MODES[0]) -> Node:
    """The p-norm of the difference of each row of the one and each row of the other."""
    if compute_mode not in _MODES:
        raise GraphcValueError(f"{compute_mode} is not a valid value for compute_mode")
    _check_rows(x1, x2, p)
    if _by_products(x1, x2, p, compute_mode):
        return _euclidean(x1, x2)
    rows, columns = x1.shape[-2], x2.shape[-2]
    lead = broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    if not x1.shape[-1]:
        return level(zeros(TensorType((*lead, rows, columns), x1.dtype)), x1, x2)
    a = reshape(x1, (*x1.shape[:-1], 1, x1.shape[-1]))
    b = reshape(x2, (*x2.shape[:-2], 1, *x2.shape[-2:]))
    norms = _lengths(a - b, float(p))
    return level(reshape(norms, (*lead, rows, columns)), x1, x2)


def _check_rows(x1: Node, x2: Node, p: float) -> None:
    for label, x in (("X1", x1), ("X2", x2)):
        if not x.dtype.is_floating_point:
            raise GraphcRuntimeError(
                f"cdist only supports floating-point dtypes, {label} got: {C_NAMES[x.dtype.name]}"
            )
    for label, x in (("X1", x1), ("X2", x2)):
        if x.rank < 2:
            raise GraphcRuntimeError(
                f"cdist only supports at least 2D tensors, {label} got: {x.rank}D"
            )
    if x1.shape[-1] != x2.shape[-1]:
        raise GraphcRuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise GraphcRuntimeError("cdist only supports non-negative p values")
    if x1.dtype is not x2.dtype:
        raise GraphcRuntimeError(
            f"expected scalar type {C_NAMES[x1.dtype.name]} but found {C_NAMES[x2.dtype.name]}"
        )
    if x1.dtype.itemsize == 2:
        raise GraphcNotImplementedError(f"\"cdist\" not implemented for '{C_NAMES[x1.dtype.name]}'")


def _lengths(x: Node, p: float) -> Node:
    """The p-norm along the last dimension; all that equal a maximum have the whole gradient."""
    axis = x.rank - 1
    if p != inf:
        return vector_norm(x, p, (axis,))
    with grad_mode(False):
        size = elementwise("abs", x)
        place = ArgMax((axis,))(size)
        chosen = equal(expand(place, x.shape), counted(x.shape[axis]))
        value = where(chosen, size, 0.0)
        largest = Max((axis,))(size)
        slope = where(equal(size, expand(largest, x.shape)), elementwise("sign", x), 0.0)
    return Sum((axis,))(sloped(value, x, slope))


def _euclidean(x1: Node, x2: Node) -> Node:
    """√(|x|² + |y|² - 2 x · y), whose gradient at 0 is 0."""
    squares = [Sum((x.rank - 1,))(x * x) for x in (x1, x2)]
    total = squares[0] + transposed(squares[1]) - multiplied(x1, transposed(x2)) * 2.0
    positive = total > 0
    return where(positive, elementwise("sqrt", where(positive, total, 1.0)), 0.0)


def check_pairs(x: Node, p: float) -> None:
    """Raise where there are no distances of pairs of rows."""
    if x.rank != 2:
        raise GraphcRuntimeError(f"pdist only supports 2D tensors, got: {x.rank}D")
    if not x.dtype.is_floating_point:
        raise GraphcRuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise GraphcRuntimeError("pdist only supports non-negative p values")


@function(method=False, namespace=False, grad_name="PdistBackward0")
def pair_distances(input: Node, p: float, first: Node, second: Node) -> Node:
    """The p-norm of the differences of pairs of rows."""
    check_pairs(input, p)
    if not input.shape[1] or not first.type.size:
        return level(zeros(TensorType(first.shape, input.dtype)), input)
    rows = [GatherNd(wrap=False)(input, place) for place in (first, second)]
    return level(reshape(_lengths(rows[0] - rows[1], float(p)), first.shape), input)


@function(inplace=True)
def renorm(input: Node, p: Scalar, dim: int, maxnorm: Scalar) -> Node:
    """The slices along ``dim``, those with a greater p-norm brought down to ``maxnorm``."""
    if p <= 0:
        raise GraphcRuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise GraphcRuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.rank < 2:
        raise GraphcRuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.rank} dimensions"
        )
    axis = normal_dim(dim, input.rank)
    if not input.dtype.is_floating_point:
        raise GraphcRuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{C_NAMES[input.dtype.name]}"
        )
    wide = cast(input, float32) if input.dtype.itemsize == 2 else input
    others = tuple(d for d in range(input.rank) if d != axis)
    norms = vector_norm(wide, float(p), others)
    factor = where(norms > maxnorm, float(maxnorm) / (norms + 1e-7), 1.0)
    return cast(wide * expand(factor, wide.shape), input.dtype)
