"""Factors of matrices by Gauss's elimination, and what is solved with them, as the user calls them.

An elimination is as many steps as there are pivots, each of elementwise functions and reductions.
"""

from __future__ import annotations

import warnings
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.decompositions import check_floating, check_kernel, check_square
from graphc.functions.diagonals import counted
from graphc.functions.indexing import within
from graphc.functions.return_types import return_type
from graphc.ir.dtype import bool_, int32, int64
from graphc.ir.node import Item, Node, cast, const, elementwise
from graphc.ir.types import TensorType
from graphc.ops.composite import Flows
from graphc.ops.elementwise import where
from graphc.ops.formula import formula
from graphc.ops.function import function
from graphc.ops.indexing import Gather, Scatter
from graphc.ops.linalg import SolveTriangular, on_diagonal, product, triangle
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, Slice, expand, full, reshape, zeros
from graphc.ops.reduce import Max, Min, Sum
from graphc.ops.sloped import level

_OLD = (
    "torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and "
    "will be removed in a future PyTorch release.\nLU, pivots = torch.lu(A, compute_pivots)\n"
    "should be replaced with\nLU, pivots = torch.linalg.lu_factor(A, compute_pivots)\nand\n"
    "LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)\nshould be replaced with\n"
    "LU, pivots, info = torch.linalg.lu_factor_ex(A, compute_pivots)"
)
_OLD_SOLVE = (
    "torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be removed in a future "
    "PyTorch release.\nNote that torch.linalg.lu_solve has its arguments reversed.\n"
    "X = torch.lu_solve(B, LU, pivots)\nshould be replaced with\n"
    "X = torch.linalg.lu_solve(LU, pivots, B)"
)
Factors = tuple[Node, Node, Node, Node]


def block(x: Node, rows: slice, columns: slice) -> Node:
    """A part of each matrix."""
    ends = [(0, n) for n in x.shape[:-2]]
    ends += [part.indices(n)[:2] for part, n in zip((rows, columns), x.shape[-2:], strict=True)]
    starts, stops = zip(*ends, strict=True)
    return Slice(starts, stops, (1,) * x.rank)(x)


def _swapped(place: Node, first: int, second: Node) -> Node:
    """Places of which two have changed sides."""
    moved = where(elementwise("eq", place, second), const(first, int64), place)
    return where(elementwise("eq", place, first), expand(second, place.shape), moved)


def _eliminated_gradient(node: Node, flows: Flows) -> Flows:
    """With X = L⁻¹ · dA · U⁻¹ of the square part, dL = L · tril(X, -1) and dU = triu(X) · U."""
    dy = flows[0]
    if dy is None:
        return (None,)
    factors, place = Item(0)(node), Item(2)(node)
    k = min(factors.shape[-2:])
    both = slice(0, k)
    square = block(factors, both, both)
    lower, upper = square, triangle(square, upper=True)
    unit = unit_lower(square)
    to_square = block(dy, both, both)
    low = product(transposed(unit), triangle(to_square, diagonal=-1))
    high = product(triangle(to_square, upper=True), transposed(upper))
    parts: list[Node] = []
    back_l = SolveTriangular(upper=True, unit=True)
    back_u = SolveTriangular(upper=True)
    rows, columns = factors.shape[-2:]
    if rows > k:
        rest = block(factors, slice(k, rows), both)
        to_rest = block(dy, slice(k, rows), both)
        high = high - product(transposed(rest), to_rest)
        parts.append(transposed(back_u(upper, transposed(to_rest))))
    if columns > k:
        rest = block(factors, both, slice(k, columns))
        to_rest = block(dy, both, slice(k, columns))
        low = low - product(to_rest, transposed(rest))
        parts.append(back_l(transposed(lower), to_rest))
    inner = triangle(low, diagonal=-1) + triangle(high, upper=True)
    inner = back_l(transposed(lower), inner)
    first = transposed(back_u(upper, transposed(inner)))
    axis = dy.rank - (2 if rows > k else 1)
    whole = Concat(axis)(first, *parts) if parts else first
    return (Gather(dy.rank - 2)(whole, expand(place, whole.shape)),)


@formula(_eliminated_gradient)
def eliminated(A: Node) -> Factors:
    """L below the diagonal and U, ``[..., m, n]``; the pivots from 1 on, int32 ``[..., k]``; the
    place of each row of A, int64 ``[..., m, 1]``; and which pivot is zero, from 1 on, or else 0."""
    *batch, rows, columns = A.shape
    place = expand(reshape(counted(rows), (rows, 1)), (*batch, rows, 1))
    column = counted(columns)
    pivots: list[Node] = []
    failed = full((*batch, 1, 1), const(0, int64))
    for k in range(min(rows, columns)):
        own = block(A, slice(None), slice(k, k + 1))
        size = where(place >= k, elementwise("abs", own), -1.0)
        largest = elementwise("eq", size, Max((A.rank - 2,))(size))
        chosen = Min((A.rank - 2,))(where(largest, place, const(rows, int64)))
        place = _swapped(place, k, chosen)
        pivots.append(chosen)
        row = Sum((A.rank - 2,))(where(elementwise("eq", place, k), A, 0.0))
        pivot = block(row, slice(None), slice(k, k + 1))
        none = elementwise("eq", pivot, 0.0)
        first = elementwise("and", none, elementwise("eq", failed, 0))
        failed = where(first, const(k + 1, int64), failed)
        factor = own / where(none, 1.0, pivot)
        below = place > k
        A = where(elementwise("and", below, column > k), A - factor * row, A)
        A = where(elementwise("and", below, elementwise("eq", column, k)), factor, A)
    order = Scatter(A.rank - 2)(
        place, expand(reshape(counted(rows), (rows, 1)), place.shape), place
    )
    A = Gather(A.rank - 2)(A, expand(order, A.shape))
    found = Concat(A.rank - 1)(*pivots) if pivots else zeros(TensorType((*batch, 1, 0), int64))
    found = reshape(cast(found + 1, int32), (*batch, len(pivots)))
    return A, found, place, reshape(cast(failed, int32), tuple(batch))


def unit_lower(x: Node) -> Node:
    """What lies below the diagonal, and ones on it."""
    return where(on_diagonal(x), 1.0, triangle(x, diagonal=-1))


def _factored(name: str, A: Node, pivot: bool, check: bool) -> Factors:
    if A.rank < 2:
        raise GraphcRuntimeError(
            "torch.lu_factor: Expected tensor with 2 or more dimensions. Got size: "
            f"{list(A.shape)} instead"
        )
    check_kernel("lu_cpu", A)
    if not pivot:
        raise GraphcRuntimeError(f"{name}: LU without pivoting is not implemented on the CPU")
    found: Any = eliminated(A)
    factors, pivots, place, info = found
    if check:
        message = (
            "torch.linalg.lu_factor: pivot {} is zero and using it on lu_solve would result in a "
            "division by zero. If you still want to perform the factorization, consider calling "
            "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
        failed = cast(within(info, 0, 1, message, "RuntimeError"), bool_)
        factors = where(reshape(failed, (*info.shape, 1, 1)), float("nan"), factors)
    return factors, pivots, place, info


@function(method=False, namespace=False)
def linalg_lu_factor_ex(A: Node, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """L below the diagonal and U, ``[..., m, n]``; which rows changed sides, int32 from 1 on; and
    0 or which pivot is zero."""
    factors, pivots, _, info = _factored("linalg.lu_factor", A, pivot, check_errors)
    return return_type("linalg_lu_factor_ex", "LU", "pivots", "info")(factors, pivots, info)


@function(method=False, namespace=False, grad_name="LinalgLuFactorExBackward0")
def linalg_lu_factor(A: Node, *, pivot: bool = True) -> Any:
    """L below the diagonal and U, and which rows changed sides; a zero pivot raises."""
    factors, pivots, _, _ = _factored("linalg.lu_factor", A, pivot, True)
    return return_type("linalg_lu_factor", "LU", "pivots")(factors, pivots)


@function(grad_name="LinalgLuFactorExBackward0")
def lu(A: Node, pivot: bool = True, get_infos: bool = False) -> Any:
    """``linalg.lu_factor``, by its older name, or ``linalg.lu_factor_ex`` with ``get_infos``."""
    warnings.warn(_OLD, stacklevel=5)
    factors, pivots, _, info = _factored("linalg.lu_factor", A, pivot, False)
    if get_infos:
        return return_type("_lu_with_info", "LU", "pivots", "info")(factors, pivots, info)
    return factors, pivots


def _permutation(place: Node, like: Node) -> Node:
    """The matrix that moves each row back from its place."""
    return cast(elementwise("eq", place, counted(place.shape[-2])), like.dtype)


def _triangles(factors: Node) -> tuple[Node, Node]:
    """Unit lower triangular L and upper triangular U."""
    rows, columns = factors.shape[-2:]
    k = min(rows, columns)
    lower = block(factors, slice(0, rows), slice(0, k))
    upper = block(factors, slice(0, k), slice(0, columns))
    return unit_lower(lower), triangle(upper, upper=True)


@function(method=False, namespace=False)
def linalg_lu(A: Node, *, pivot: bool = True) -> Any:
    """P, L and U with P · L · U = A: a permutation, unit lower and upper triangular ones."""
    if A.rank < 2:
        raise GraphcRuntimeError(
            f"linalg.lu: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} "
            "instead"
        )
    factors, _, place, _ = _factored("linalg.lu_factor", A, pivot, False)
    kind = return_type("linalg_lu", "P", "L", "U")
    return kind(_permutation(place, A), *_triangles(factors))


def _places(pivots: Node, rows: int) -> Node:
    """Where each row goes, int64 ``[..., rows, 1]``, of which rows changed sides."""
    *batch, count = pivots.shape
    place = expand(reshape(counted(rows), (rows, 1)), (*batch, rows, 1))
    chosen = reshape(cast(pivots, int64) - 1, (*batch, count, 1))
    for k in range(count):
        place = _swapped(place, k, block(chosen, slice(k, k + 1), slice(0, 1)))
    return place


def _check_unpacked(pivots: Node) -> None:
    if pivots.dtype is not int32:
        raise GraphcRuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\n"
            "Note: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )


@function(method=False)
def lu_unpack(
    LU_data: Node, LU_pivots: Node, unpack_data: bool = True, unpack_pivots: bool = True
) -> Any:
    """P, L and U of what ``linalg.lu_factor`` returns; those not asked for have no elements."""
    if unpack_pivots:
        _check_unpacked(LU_pivots)
    P = zeros(TensorType((0,), LU_data.dtype))
    L = U = level(P, LU_data)
    if unpack_pivots:
        P = _permutation(_places(LU_pivots, LU_data.shape[-2]), LU_data)
    if unpack_data:
        L, U = _triangles(LU_data)
    return return_type("lu_unpack", "P", "L", "U")(P, L, U)


@function(method=False, namespace=False)
def linalg_lu_solve(
    LU: Node, pivots: Node, B: Node, *, left: bool = True, adjoint: bool = False
) -> Node:
    """X with A · X = B, or X · A = B unless ``left``, of the factors of A, or of Aᵀ if adjoint."""
    check_floating("torch.linalg.lu_solve", LU)
    check_square("torch.linalg.lu_solve", LU)
    if pivots.dtype is not int32:
        raise GraphcRuntimeError(
            "linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32"
        )
    if LU.shape[-1] != B.shape[-2 if left else -1]:
        shapes = [f"{x.shape[-2]}x{x.shape[-1]}" for x in (LU, B)]
        raise GraphcRuntimeError(
            "linalg.lu_solve: Incompatible shapes of A and B for the equation "
            f"{'AX' if left else 'XA'} = B ({shapes[0]} and {shapes[1]})"
        )
    check_kernel("lu_solve_cpu", LU)
    if not left:
        return transposed(_substituted(LU, pivots, transposed(B), not adjoint))
    return _substituted(LU, pivots, B, adjoint)


def _substituted(factors: Node, pivots: Node, B: Node, turned: bool) -> Node:
    """A⁻¹ · B, or if ``turned`` A⁻ᵀ · B."""
    P = _permutation(_places(pivots, factors.shape[-1]), factors)
    if turned:
        onward = SolveTriangular(upper=False)(transposed(factors), B)
        return product(P, SolveTriangular(upper=True, unit=True)(transposed(factors), onward))
    onward = SolveTriangular(upper=False, unit=True)(factors, product(transposed(P), B))
    return SolveTriangular(upper=True)(factors, onward)


@function(grad_name="LinalgLuSolveBackward0")
def lu_solve(input: Node, LU_data: Node, LU_pivots: Node) -> Node:
    """``linalg.lu_solve`` with its operands in another order."""
    warnings.warn(_OLD_SOLVE, stacklevel=5)
    return linalg_lu_solve(LU_data, LU_pivots, input)
