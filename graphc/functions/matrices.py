"""Matrices of blocks and of powers, chains of matrices, and covariances."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.diagonals import diagonal
from graphc.functions.indexing import within
from graphc.functions.operands import C_NAMES
from graphc.functions.reduction import sum
from graphc.ir.dtype import Scalar, bool_, get_default_dtype, int64
from graphc.ir.node import Node, cast, const, elementwise, promoted
from graphc.ir.types import Shape, TensorType
from graphc.ops.complex import conjugate
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, Flip, Pad, expand, full, reshape, zeros
from graphc.ops.precision import multiplied
from graphc.ops.scan import CumProd

_DEPRECATED = (
    "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use "
    "torch.linalg.multi_dot instead, which accepts a list of two or more tensors rather than "
    "multiple parameters."
)
_FEW = (
    "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of "
    "observations."
)


@function(method=False)
def block_diag(*tensors: Node) -> Node:
    """The matrices along the diagonal, zero elsewhere; a vector is a row."""
    for place, x in enumerate(tensors):
        if x.rank > 2:
            raise GraphcRuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{place} has {x.rank} dimensions"
            )
    if not tensors:
        return zeros(TensorType((1, 0), get_default_dtype()))
    blocks = [reshape(x, (1,) * (2 - x.rank) + x.shape) for x in promoted(tensors)]
    width, before, rows = 0, 0, []
    for x in blocks:
        width += x.shape[1]
    for x in blocks:
        rows.append(Pad((0, before), (0, width - before - x.shape[1]), 0)(x))
        before += x.shape[1]
    return Concat(0)(*rows) if len(rows) > 1 else rows[0]


def _vander_name(x: Any, N: int | None = None, increasing: bool = False) -> str:
    return "CopySlices" if increasing else "FlipBackward0"


@function(method=False, grad_name=_vander_name)
def vander(x: Node, N: int | None = None, increasing: bool = False) -> Node:
    """The powers of each element, a row each: from the highest down unless ``increasing``."""
    if x.rank != 1:
        raise GraphcRuntimeError("x must be a one-dimensional tensor.")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise GraphcRuntimeError("N must be non-negative.")
    numbers = x if x.dtype.is_inexact else cast(x, int64)
    if not count:
        return zeros(TensorType((x.shape[0], 0), numbers.dtype))
    powers = full((x.shape[0], 1), const(1, numbers.dtype))
    if count > 1:
        column = expand(reshape(numbers, (x.shape[0], 1)), (x.shape[0], count - 1))
        powers = Concat(1)(powers, CumProd(1)(column))
    return powers if increasing else Flip((1,))(powers)


def _chain_name(*matrices: Any) -> str:
    return "CloneBackward0" if len(matrices) == 1 else "ViewBackward0"


@function(method=False, grad_name=_chain_name)
def chain_matmul(*matrices: Node) -> Node:
    """The product of the matrices, in the order that takes the fewest multiplications."""
    warnings.warn(_DEPRECATED, stacklevel=5)
    for x in matrices:
        if x.rank != 2:
            raise GraphcRuntimeError(f"Tensor dimension is {x.rank}, expected 2 instead.")
    if not matrices:
        raise GraphcRuntimeError("chain_matmul(): Expected one or more matrices")
    return chained(matrices)


def chained(matrices: Sequence[Node], shapes: Sequence[Shape] | None = None) -> Node:
    """The product of matrices, in the order that takes the fewest multiplications.

    ``shapes`` are what errors say that they have.
    """
    said = [list(shape) for shape in shapes or [x.shape for x in matrices]]
    for place, (x, y) in enumerate(pairwise(matrices)):
        if x.shape[1] != y.shape[0]:
            raise GraphcRuntimeError(
                f"multi_dot(): tensors {place} and {place + 1} with shapes {said[place]} and "
                f"{said[place + 1]} cannot be multiplied"
            )
    sizes = [x.shape[0] for x in matrices] + [matrices[-1].shape[1]]
    splits = _cheapest_splits(sizes)

    def product(first: int, last: int) -> Node:
        if first == last:
            return matrices[first]
        middle = splits[first, last]
        return multiplied(product(first, middle), product(middle + 1, last))

    return product(0, len(matrices) - 1)


def _cheapest_splits(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """For each stretch of a chain of matrices where it is cut in the cheapest order."""
    count = len(sizes) - 1
    costs = {(i, i): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            found = [
                (costs[i, k] + costs[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            costs[i, j], splits[i, j] = min(found)
    return splits


# -- covariance --------------------------------------------------------------------------------


@function(grad_name="SqueezeBackward0")
def cov(
    input: Node,
    *,
    correction: int = 1,
    fweights: Node | None = None,
    aweights: Node | None = None,
) -> Node:
    """The covariances of the rows; each column counts ``fweights`` times, by ``aweights``."""
    if input.rank > 2:
        raise GraphcRuntimeError(_too_many("cov", "input", "an input", input))
    if input.dtype is bool_:
        raise GraphcRuntimeError("cov(): bool dtype is not supported for input")
    x = input if input.rank == 2 else reshape(input, (1, input.type.size))
    count = x.shape[1]
    weights = _weights(count, fweights, aweights)
    if weights is None:
        total: Node | Scalar = count
        mean = sum(x, 1) / count
        if count - correction <= 0:
            warnings.warn(_FEW, stacklevel=5)
        factor: Node | Scalar = max(count - correction, 0)
    else:
        total = sum(weights)
        mean = sum(x * weights, 1) / total
        factor = total - correction
        if aweights is not None and correction:
            factor = total - sum(weights * aweights) * correction / total
        factor = where(factor <= 0, 0.0, factor * 1.0)
    centred = x - reshape(mean, (x.shape[0], 1))
    weighted = centred if weights is None else centred * weights
    found = multiplied(*promoted((centred, conjugate(transposed(weighted))))) / factor
    return reshape(found, tuple(n for n in found.shape if n != 1))


def _too_many(name: str, what: str, given: str, x: Node) -> str:
    fewer = "two" if what == "input" else "one"
    plural = "" if x.rank == 1 else "s"
    return (
        f"{name}(): expected {what} to have {fewer} or fewer dimensions but got {given} with "
        f"{x.rank} dimension{plural}"
    )


def _weights(count: int, fweights: Node | None, aweights: Node | None) -> Node | None:
    """The weight of each observation, checked at each run not to be negative."""
    for name, kind, x in (("fweights", 1, fweights), ("aweights", 2, aweights)):
        if x is None:
            continue
        if x.rank > 1:
            raise GraphcRuntimeError(_too_many("cov", name, name, x))
        if x.dtype.category != kind:
            label = "integral" if kind == 1 else "floating point"
            raise GraphcRuntimeError(
                f"cov(): expected {name} to have {label} dtype but got {name} with "
                f"{C_NAMES[x.dtype.name]} dtype"
            )
        if x.type.size != count:
            raise GraphcRuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {x.type.size} != {count}"
            )
    given = [
        _not_negative(name, x)
        for name, x in (("fweights", fweights), ("aweights", aweights))
        if x is not None
    ]
    if len(given) == 2:
        return given[0] * given[1]
    return given[0] if given else None


def _not_negative(name: str, x: Node) -> Node:
    message = f"cov(): {name} cannot be negative"
    negative = within(cast(x < 0, int64), 0, 1, message, "RuntimeError")
    return where(cast(negative, bool_), const(0, x.dtype), x)


def _correlation_name(input: Any) -> str:
    return "ClampBackward1" if input.rank == 2 and input.shape[0] > 1 else "DivBackward0"


@function(grad_name=_correlation_name)
def corrcoef(input: Node) -> Node:
    """The correlations of the rows."""
    if input.rank > 2:
        raise GraphcRuntimeError(_too_many("corrcoef", "input", "an input", input))
    found = cov(input)
    if not found.rank:
        return found / found
    spread = elementwise("sqrt", diagonal(found))
    size = spread.shape[0]
    found = found / reshape(spread, (size, 1)) / reshape(spread, (1, size))
    return elementwise("clamp_max", elementwise("clamp_min", found, -1), 1)
