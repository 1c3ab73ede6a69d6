"""Systems of linear equations, and chains of matrices, as the user calls them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.algebra import cross, matrix_power
from graphc.functions.decompositions import (
    check_floating,
    check_kernel,
    check_square,
    linalg_inv,
)
from graphc.functions.diagonals import diagonal
from graphc.functions.linear import matmul
from graphc.functions.matrices import chained
from graphc.functions.operands import C_NAMES, c_type
from graphc.functions.reduction import dropped, normal_dim
from graphc.functions.return_types import return_type
from graphc.ir.dtype import int64
from graphc.ir.node import Item, Node, cast, const, grad_mode
from graphc.ops.complex import conjugate
from graphc.ops.function import FUNCTIONS, function
from graphc.ops.linalg import Inverse, Solve, SolveTriangular, product, triangle
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, expand, full, permute, reshape
from graphc.ops.reduce import Sum
from graphc.ops.scan import CumProd


def _check_fit(name: str, A: Node, B: Node, left: bool) -> None:
    if A.shape[-1] != B.shape[-2 if left else -1]:
        shapes = [f"{x.shape[-2]}x{x.shape[-1]}" for x in (A, B)]
        raise GraphcRuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX' if left else 'XA'} = B ({shapes[0]} and {shapes[1]})"
        )


def _solved(name: str, A: Node, B: Node, left: bool, check: str) -> tuple[Node, Node]:
    check_square(name, A)
    check_floating(name, A)
    if A.dtype is not B.dtype:
        raise GraphcRuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type "
            f"{C_NAMES[A.dtype.name]} and B of type {C_NAMES[B.dtype.name]} instead"
        )
    vector = B.rank == 1 or (A.rank - 1 == B.rank and B.shape == A.shape[:-1])
    if vector and not left:
        raise GraphcRuntimeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False. "
            "In this case linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    sides = reshape(B, (*B.shape, 1)) if vector else B
    _check_fit(name, A, sides, left)
    check_kernel("lu_cpu", A)
    both = Solve(check)(A, sides) if left else Solve(check)(transposed(A), transposed(sides))
    found = Item(0)(both) if left else transposed(Item(0)(both))
    return reshape(found, found.shape[:-1]) if vector else found, Item(1)(both)


@function(method=False, namespace=False, grad_name="LinalgSolveExBackward0")
def linalg_solve(A: Node, B: Node, *, left: bool = True) -> Node:
    """X with A · X = B, or X · A = B unless ``left``; singular matrices raise."""
    return _solved("linalg.solve", A, B, left, "torch.linalg.solve")[0]


@function(method=False, namespace=False)
def linalg_solve_ex(
    A: Node, B: Node, *, left: bool = True, check_errors: bool = False
) -> tuple[Node, Node]:
    """X with A · X = B, and 0 or which pivot is zero."""
    kind = return_type("linalg_solve_ex", "result", "info")
    check = "torch.linalg.solve_ex" if check_errors else ""
    return kind(*_solved("linalg.solve", A, B, left, check))  # type: ignore[no-any-return]


@function(method=False, namespace=False)
def linalg_solve_triangular(
    A: Node, B: Node, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Node:
    """X with A · X = B, or X · A = B unless ``left``, of one triangle of A."""
    name = "linalg.solve_triangular"
    check_square(name, A)
    if B.rank < 2:
        raise GraphcRuntimeError(f"{name}: The input tensor B must have at least 2 dimensions.")
    _check_fit(name, A, B, left)
    check_kernel("triangular_solve_cpu", A)
    sides = cast(B, A.dtype)
    if left:
        return SolveTriangular(upper, unitriangular)(A, sides)
    turned = SolveTriangular(not upper, unitriangular)(transposed(A), transposed(sides))
    return transposed(turned)


_DEPRECATED = (
    "torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangularand will be "
    "removed in a future PyTorch release."
)


@function()
def triangular_solve(
    b: Node,
    A: Node,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Any:
    """X with A · X = b of one triangle of A, or of its transpose; and A."""
    warnings.warn(_DEPRECATED, stacklevel=5)
    check_square("triangular_solve", A)
    _check_fit("triangular_solve", A, b, True)
    check_kernel("triangular_solve_cpu", A)
    matrix, upper = (transposed(A), not upper) if transpose else (A, upper)
    found = SolveTriangular(upper, unitriangular)(matrix, b)
    return return_type("triangular_solve", "solution", "cloned_coefficient")(found, A)


@function()
def cholesky_solve(B: Node, L: Node, upper: bool = False) -> Node:
    """X with A · X = B, given the Cholesky factor of A."""
    if B.rank < 2:
        raise GraphcRuntimeError(
            f"b should have at least 2 dimensions, but has {B.rank} dimensions instead"
        )
    if L.rank < 2 or L.shape[-1] != L.shape[-2]:
        raise GraphcRuntimeError(
            f"A must be batches of square matrices, but they are {L.shape[-2]} by {L.shape[-1]} "
            "matrices"
        )
    if B.shape[-2] != L.shape[-1]:
        raise GraphcRuntimeError(
            "Incompatible matrix sizes for cholesky_solve: each A matrix is "
            f"{L.shape[-2]} by {L.shape[-1]} but each b matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    return Item(0)(Solve()(_whole(L, upper), B))


def _whole(L: Node, upper: bool) -> Node:
    """The matrix of which a Cholesky factor is given; its gradient goes to the factor's zeros too,
    as PyTorch's does."""
    with grad_mode(False):
        rest = L - triangle(L, upper=upper)
    factor = L - rest
    return product(transposed(factor), factor) if upper else product(factor, transposed(factor))


@function()
def cholesky_inverse(L: Node, upper: bool = False) -> Node:
    """The inverses of matrices, given their Cholesky factors."""
    check_square("cholesky_inverse", L)
    return Item(0)(Inverse()(_whole(L, upper)))


# -- chains and other products -----------------------------------------------------------------


@function(method=False, namespace=False, grad_name="ViewBackward0")
def linalg_multi_dot(tensors: Sequence[Node]) -> Node:
    """The product of the matrices, in the order that takes the fewest multiplications."""
    if len(tensors) < 2:
        raise GraphcRuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    _check_chain(tensors)
    first, *inner, last = tensors
    lead, end = first.rank == 1, last.rank == 1
    chain = [
        reshape(first, (1, *first.shape)) if lead else first,
        *inner,
        reshape(last, (*last.shape, 1)) if end else last,
    ]
    found = chained(chain, [x.shape for x in tensors])
    shape = (*found.shape[:1] * (not lead), *found.shape[1:] * (not end))
    return reshape(found, shape)


def _check_chain(tensors: Sequence[Node]) -> None:
    for place, x in enumerate(tensors):
        outer = place in (0, len(tensors) - 1)
        if x.rank != 2 and not (outer and x.rank == 1):
            which = {0: "the first tensor", len(tensors) - 1: "the last tensor"}
            raise GraphcRuntimeError(
                f"multi_dot(): {which.get(place, f'tensor {place}')} must be "
                f"{'1D or ' if outer else ''}2D but got {x.rank}D"
            )
        if x.dtype is not tensors[0].dtype:
            raise GraphcRuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{c_type(tensors[0].dtype)} and tensor {place} {c_type(x.dtype)}"
            )


def _vecdot_name(x: Any, y: Any, **_: Any) -> str:
    return "VdotBackward0" if x.rank == y.rank == 1 else "SumBackward1"


@function(method=False, namespace=False, grad_name=_vecdot_name)
def linalg_vecdot(x: Node, y: Node, *, dim: int = -1) -> Node:
    """Σ x̄ · y along one dimension."""
    check_floating("linalg.vecdot", x)
    terms = conjugate(x) * y
    axis = normal_dim(dim, terms.rank)
    return dropped(Sum((axis,))(terms), (axis,), False)


@function(method=False, namespace=False)
def linalg_cross(input: Node, other: Node, *, dim: int = -1) -> Node:
    """The cross product of vectors of three elements along ``dim``."""
    if input.rank != other.rank:
        raise GraphcRuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    normal_dim(dim, input.rank)
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise GraphcRuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and "
            f"{other.shape[dim]}"
        )
    return cross(input, other, dim)


@function(method=False, namespace=False, view=True, grad_name="DiagonalBackward0")
def linalg_diagonal(A: Node, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    """The diagonal over two dimensions, which goes last."""
    return diagonal(A, offset, dim1, dim2)


def _matmul_name(input: Any, other: Any) -> str:
    name = FUNCTIONS["matmul"].grad_name
    return name if isinstance(name, str) else str(name(input, other))


def _power_name(A: Any, n: int) -> str:
    name = FUNCTIONS["matrix_power"].grad_name
    return name if isinstance(name, str) else str(name(A, n))


@function(method=False, namespace=False, grad_name=_power_name)
def linalg_matrix_power(A: Node, n: int) -> Node:
    """A square matrix multiplied with itself ``n`` times, or its inverse with itself."""
    return matrix_power(A, n)


@function(method=False, namespace=False, grad_name=_matmul_name)
def linalg_matmul(input: Node, other: Node) -> Node:
    """The product of matrices, whose leading dimensions broadcast."""
    return matmul(input, other)


@function(method=False, namespace=False, grad_name="CatBackward0")
def linalg_vander(x: Node, *, N: int | None = None) -> Node:
    """The powers of each element from the lowest up, in a further last dimension."""
    count = N if N is not None else x.shape[-1] if x.rank else 0
    if count <= 1:
        raise GraphcRuntimeError("N must be greater than 1.")
    if not x.rank:
        x = reshape(x, (1,))
    numbers = x if x.dtype.is_inexact else cast(x, int64)
    shape = (*x.shape, count - 1)
    column = expand(reshape(numbers, (*x.shape, 1)), shape)
    ones = full((*x.shape, 1), const(1, numbers.dtype))
    return Concat(x.rank)(ones, CumProd(x.rank)(column))


@function(method=False, namespace=False, grad_name="ViewBackward0")
def linalg_tensorinv(A: Node, ind: int = 2) -> Node:
    """The inverse of what ``tensordot`` over the last dimensions does."""
    if ind <= 0:
        raise GraphcRuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    lead, rest = A.shape[:ind], A.shape[ind:]
    _check_square_tensor("ind", prod(rest), prod(lead))
    return reshape(linalg_inv(reshape(A, (prod(lead), prod(rest)))), (*rest, *lead))


def _check_square_tensor(where_: str, last: int, first: int) -> None:
    if last != first:
        raise GraphcRuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[{where_}:]) == "
            f"prod(self.shape[:{where_}]), but got {last} != {first}"
        )


@function(method=False, namespace=False, grad_name="ViewBackward0")
def linalg_tensorsolve(A: Node, B: Node, dims: Sequence[int] | None = None) -> Node:
    """X with ``tensordot(A, X)`` = B over the last dimensions of A."""
    moved = A
    if dims is not None:
        last = [normal_dim(d, A.rank) for d in dims]
        moved = permute(A, (*(d for d in range(A.rank) if d not in last), *last))
    rest = moved.shape[B.rank :]
    _check_square_tensor("other.ndim", prod(rest), B.type.size)
    matrix = reshape(moved, (B.type.size, prod(rest)))
    return reshape(linalg_solve(matrix, reshape(B, (B.type.size,))), rest)
