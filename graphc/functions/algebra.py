"""Contractions, powers and further products of matrices, as the user calls them."""

from __future__ import annotations

import warnings
from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.decompositions import linalg_inv
from graphc.functions.diagonals import band, diagonal
from graphc.functions.joining import cat
from graphc.functions.operands import check_tensors
from graphc.functions.pieces import cut
from graphc.functions.reduction import normal_dims, sum
from graphc.ir.node import Node, cast, elementwise, promoted
from graphc.ir.types import broadcast_shapes
from graphc.ops.function import function
from graphc.ops.movement import expand, permute, reshape
from graphc.ops.precision import multiplied
from graphc.ops.reduce import Sum
from graphc.ops.sloped import level


def _contracted(x: Node, y: Node, left: list[int], right: list[int]) -> Node:
    """Σ over pairs of dimensions; the other dimensions of x come first, then those of y."""
    keep_x = [d for d in range(x.rank) if d not in left]
    keep_y = [d for d in range(y.rank) if d not in right]
    lead, tail = ([v.shape[d] for d in kept] for v, kept in ((x, keep_x), (y, keep_y)))
    summed = prod(x.shape[d] for d in left)
    rows = reshape(permute(x, (*keep_x, *left)), (prod(lead), summed))
    columns = reshape(permute(y, (*right, *keep_y)), (summed, prod(tail)))
    return reshape(multiplied(rows, columns), (*lead, *tail))


@function(method=False, grad_name="ViewBackward0")
def tensordot(a: Node, b: Node, dims: Any = 2) -> Node:
    """Σ over pairs of dimensions: so many at the end of a and the start of b, or those given."""
    if isinstance(dims, int):
        left, right = list(range(-dims, 0)), list(range(dims))
    else:
        left, right = (list(x) if isinstance(x, list | tuple) else [x] for x in dims)
    for i, j in zip(left, right, strict=True):
        if a.shape[i] == 1:
            b = Sum((j % b.rank,))(b)
        elif b.shape[j] == 1:
            a = Sum((i % a.rank,))(a)
        elif a.shape[i] != b.shape[j]:
            raise GraphcRuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {i} "
                f"and second has size {b.shape[j]} in dim {j}"
            )
    return _contracted(a, b, [d % a.rank for d in left], [d % b.rank for d in right])


def _inner_name(input: Any, other: Any) -> str:
    return "ViewBackward0" if input.rank and other.rank else "MulBackward0"


@function(grad_name=_inner_name)
def inner(input: Node, other: Node) -> Node:
    """Σ over the last dimensions of both."""
    check_tensors("inner", input, other)
    if not input.rank or not other.rank:
        return elementwise("mul", input, other)
    if input.shape[-1] != other.shape[-1]:
        raise GraphcRuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return _contracted(input, other, [input.rank - 1], [other.rank - 1])


@function()
def trace(input: Node) -> Node:
    """Σ of the diagonal of a matrix."""
    if input.rank != 2:
        raise GraphcRuntimeError(f"trace: expected a matrix, but got tensor with dim {input.rank}")
    return sum(diagonal(input))


@function(grad_name="UnsafeViewBackward0")
def kron(input: Node, other: Node) -> Node:
    """Every element of the first times the whole second."""
    rank = max(input.rank, other.rank)
    x, y = (reshape(v, (1,) * (rank - v.rank) + v.shape) for v in promoted((input, other)))
    left = reshape(x, tuple(m for n in x.shape for m in (n, 1)))
    right = reshape(y, tuple(m for n in y.shape for m in (1, n)))
    shape = tuple(m * n for m, n in zip(x.shape, y.shape, strict=True))
    return reshape(elementwise("mul", left, right), shape)


_NO_DIM = (
    "Using torch.cross without specifying the dim arg is deprecated.\n"
    "Please either pass the dim explicitly or simply use torch.linalg.cross.\n"
    "The default value of dim will change to agree with that of linalg.cross in a future release."
)


@function(grad_name="LinalgCrossBackward0")
def cross(input: Node, other: Node, dim: int | None = None) -> Node:
    """The cross product of vectors of three elements along ``dim``."""
    x, y = promoted((input, other))
    shape = broadcast_shapes(x.shape, y.shape)
    x, y = expand(x, shape), expand(y, shape)
    if dim is None:
        warnings.warn(_NO_DIM, stacklevel=4)
        dim = next((d for d, n in enumerate(shape) if n == 3), -1)
    (axis,) = normal_dims(dim, x.rank)
    if shape[axis] != 3:
        raise GraphcRuntimeError(
            f"linalg.cross: inputs dimension {axis} must have length 3. Got {input.shape[axis]} "
            f"and {other.shape[axis]}"
        )
    a, b = ([cut(v, axis, i, i + 1) for i in range(3)] for v in (x, y))
    return cat([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)], axis)


def _power_name(input: Any, n: int) -> str:
    if n == -1:
        return "LinalgInvExBackward0"
    n = max(n, -n)
    if n < 2:
        return "CloneBackward0" if n else "CopyBackwards"
    return "MmBackward0" if input.rank == 2 else "UnsafeViewBackward0"


@function(grad_name=_power_name)
def matrix_power(input: Node, n: int) -> Node:
    """A square matrix multiplied with itself ``n`` times, or its inverse with itself."""
    if input.rank < 2 or input.shape[-1] != input.shape[-2]:
        raise GraphcRuntimeError(
            "linalg.matrix_power: A must be batches of square matrices, but they are "
            f"{' by '.join(map(str, input.shape[-2:]))} matrices"
        )
    if n < 0:
        input, n = linalg_inv(input), -n
    size = input.shape[-1]
    result: Node | None = None
    square = input
    while n:
        if n & 1:
            result = square if result is None else multiplied(result, square)
        n >>= 1
        square = multiplied(square, square) if n else square
    if result is not None:
        return result
    unit = elementwise("xor", band(size, size, 0), band(size, size, -1))
    return level(expand(cast(unit, input.dtype), input.shape), input)
