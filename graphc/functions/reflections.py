"""Products of reflections and exponentials of matrices, as the user calls them."""

from __future__ import annotations

from math import factorial
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.decompositions import check_floating, check_kernel, check_square
from graphc.functions.diagonals import counted
from graphc.functions.elimination import block, unit_lower
from graphc.functions.return_types import return_type
from graphc.ir.dtype import float32
from graphc.ir.node import Node, cast, elementwise, grad_mode
from graphc.ir.types import TensorType
from graphc.ops.composite import Flows
from graphc.ops.elementwise import where
from graphc.ops.formula import formula
from graphc.ops.function import function
from graphc.ops.linalg import SolveTriangular, on_diagonal, product, triangle
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, expand, reshape, zeros
from graphc.ops.reduce import Max, Sum
from graphc.ops.sloped import without_derivative

MOST_SQUARINGS = 20
"""Matrices of a norm above a million have no exponential of any exact digit."""


def _axes(A: Node) -> tuple[Node, Node]:
    """The numbers of the rows and of the columns."""
    rows, columns = A.shape[-2:]
    return reshape(counted(rows), (rows, 1)), reshape(counted(columns), (1, columns))


def _unit(A: Node) -> Node:
    """Matrices of the same shape with ones on the diagonal, zeros elsewhere."""
    return expand(cast(on_diagonal(A), A.dtype), A.shape)


def reflected_columns(A: Node) -> tuple[Node, Node]:
    """R with the vectors of the reflections below its diagonal, and their factors, as LAPACK's."""
    row, column = _axes(A)
    axis = A.rank - 2
    factors: list[Node] = []
    for k in range(min(A.shape[-2:])):
        own = block(A, slice(None), slice(k, k + 1))
        below = row > k
        head = block(own, slice(k, k + 1), slice(0, 1))
        tail = where(below, own, 0.0)
        largest = elementwise(
            "maximum", Max((axis,))(elementwise("abs", tail)), elementwise("abs", head)
        )
        scale = where(largest > 0.0, largest, 1.0)
        inside = tail / scale
        square = Sum((axis,))(inside * inside) + (head / scale) * (head / scale)
        length = elementwise("sqrt", square) * scale
        beta = where(head < 0.0, length, -length)
        still = elementwise("eq", Max((axis,))(elementwise("abs", tail)), 0.0)
        beta = where(still, head, beta)
        factor = where(still, 0.0, (beta - head) / where(still, 1.0, beta))
        vector = tail / where(still, 1.0, head - beta)
        whole = where(elementwise("eq", row, k), 1.0, vector)
        moved = A - factor * (whole * product(transposed(whole), A))
        A = where(
            column > k, moved, where(elementwise("eq", column, k), kept(A, vector, beta, k), A)
        )
        factors.append(reshape(factor, (*A.shape[:-2], 1)))
    none = zeros(TensorType((*A.shape[:-2], 0), A.dtype))
    return A, Concat(A.rank - 2)(*factors) if factors else none


def kept(A: Node, vector: Node, beta: Node, k: int) -> Node:
    """A column after its reflection: what was above, the length, and the vector below."""
    row, _ = _axes(A)
    return where(row > k, vector, where(elementwise("eq", row, k), beta, A))


@function(grad_name="GeqrfBackward0")
def geqrf(input: Node) -> Any:
    """R with the vectors of reflections below its diagonal, and their factors: the QR of LAPACK."""
    if input.rank < 2:
        raise GraphcRuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    check_kernel("geqrf_cpu", input)
    with grad_mode(False):
        found = reflected_columns(input)
    missing = "the derivative for 'geqrf' is not implemented."
    a, tau = (without_derivative(missing, x, input) for x in found)
    return return_type("geqrf", "a", "tau")(a, tau)


def _vectors(A: Node, count: int) -> Node:
    """The first ``count`` vectors, with one on the diagonal and zeros above."""
    return unit_lower(block(A, slice(None), slice(0, count)))


def _middle(vectors: Node, tau: Node) -> Node:
    """T with I - V · T · Vᵀ the product of the reflections: (I + τ · triu(VᵀV, 1))⁻¹ · τ."""
    count = tau.shape[-1]
    gram = product(transposed(vectors), vectors)
    scale = reshape(tau, (*tau.shape, 1))
    diagonal = where(on_diagonal(gram), expand(scale, gram.shape), 0.0)
    inner = triangle(gram, upper=True, diagonal=1) * scale
    if not count:
        return gram
    return SolveTriangular(upper=True, unit=True)(inner, diagonal)


def _check_reflections(name: str, A: Node, tau: Node) -> None:
    if A.rank < 2:
        raise GraphcRuntimeError(f"{name}: input must have at least 2 dimensions.")
    if A.shape[-2] < A.shape[-1]:
        raise GraphcRuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if A.shape[-1] < tau.shape[-1]:
        raise GraphcRuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )


@function(method=False, namespace=False)
def linalg_householder_product(input: Node, tau: Node) -> Node:
    """The first columns of the product of the reflections I - τᵢ · vᵢ · vᵢᵀ."""
    _check_reflections("torch.linalg.householder_product", input, tau)
    check_kernel("orgqr_cpu", input)
    vectors = _vectors(input, tau.shape[-1])
    unit = _unit(input)
    top = block(vectors, slice(0, input.shape[-1]), slice(None))
    moved = product(vectors, _middle(vectors, tau), transposed(top))
    return unit - moved


@function(grad_name="LinalgHouseholderProductBackward0")
def orgqr(input: Node, tau: Node) -> Node:
    """``linalg.householder_product``."""
    return linalg_householder_product(input, tau)


@function()
def ormqr(input: Node, tau: Node, other: Node, left: bool = True, transpose: bool = False) -> Node:
    """``other`` multiplied with the whole product of the reflections, from the left or right."""
    axis, side = (-2, "shape[-2]") if left else (-1, "shape[-1]")
    if other.shape[axis] != input.shape[-2]:
        raise GraphcRuntimeError(f"torch.ormqr: other.{side} must be equal to input.shape[-2]")
    if tau.shape[-1] != min(other.shape[axis], input.shape[-1]):
        raise GraphcRuntimeError(
            f"torch.ormqr: tau.shape[-1] must be equal to min(other.{side}, input.shape[-1])"
        )
    check_kernel("ormqr_cpu", input)
    vectors = _vectors(input, tau.shape[-1])
    middle = _middle(vectors, tau)
    middle = transposed(middle) if transpose else middle
    if left:
        return other - product(vectors, middle, product(transposed(vectors), other))
    return other - product(product(other, vectors), middle, transposed(vectors))


# -- exponentials -------------------------------------------------------------------------------


def _series(A: Node) -> Node:
    """Σ Aᵏ / k! up to k = 19, by powers of A⁴."""
    square = product(A, A)
    powers = [_unit(A), A, square, product(square, A)]
    fourth = product(square, square)
    total: Node | None = None
    for start in (16, 12, 8, 4, 0):
        part = powers[0] * (1 / factorial(start))
        for i in (1, 2, 3):
            part = part + powers[i] * (1 / factorial(start + i))
        total = part if total is None else product(total, fourth) + part
    assert total is not None
    return total


def _exponential_gradient(node: Node, flows: Flows) -> Flows:
    """The upper right part of the exponential of [[Aᵀ, dy], [0, Aᵀ]]."""
    (A,) = node.inputs
    (dy,) = flows
    if dy is None:
        return (None,)
    size, axis = A.shape[-1], A.rank - 1
    turned = transposed(A)
    upper = Concat(axis)(turned, dy)
    lower = Concat(axis)(zeros(turned.type), turned)
    whole: Any = exponential_of_matrix(Concat(axis - 1)(upper, lower))
    return (block(whole, slice(0, size), slice(size, 2 * size)),)


@formula(_exponential_gradient)
def exponential_of_matrix(A: Node) -> Node:
    """eᴬ: the series of A / 2ˢ, small enough for it, then squared s times."""
    largest = 3.0 if A.dtype is float32 else 1.0
    norm = Max((A.rank - 1,))(Sum((A.rank - 2,))(elementwise("abs", A)))
    steps = elementwise(
        "ceil", elementwise("log2", elementwise("clamp_min", norm, largest) / largest)
    )
    steps = elementwise("clamp_min", elementwise("clamp_max", steps, float(MOST_SQUARINGS)), 0.0)
    found = _series(A * elementwise("exp2", -steps))
    for i in range(MOST_SQUARINGS):
        found = where(steps > float(i), product(found, found), found)
    return found


@function(method=False, namespace=False)
def linalg_matrix_exp(A: Node) -> Node:
    """eᴬ of square matrices."""
    check_square("linalg.matrix_exp", A)
    check_floating("linalg.matrix_exp", A)
    if not A.type.size:
        return A
    found: Any = exponential_of_matrix(A)
    return found  # type: ignore[no-any-return]


@function(grad_name="LinalgMatrixExpBackward0")
def matrix_exp(input: Node) -> Node:
    """eᴬ of square matrices."""
    return linalg_matrix_exp(input)
