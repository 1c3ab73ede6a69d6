"""Solutions and decompositions of matrices, which LAPACK computes; the leading axes are batches."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import int32, int64
from graphc.ir.node import Item, Node, Op, const
from graphc.ir.types import Shape, TensorType, broadcast_shapes
from graphc.ops.creation import Arange
from graphc.ops.elementwise import equal, sum_to, where
from graphc.ops.matmul import MatMul, transposed
from graphc.ops.movement import Concat, Slice, expand, reshape, zeros


def product(*matrices: Node) -> Node:
    """The matrices multiplied from the left to the right."""
    found, *others = matrices
    for x in others:
        found = MatMul()(found, x)
    return found


def triangle(x: Node, *, upper: bool = False, diagonal: int = 0) -> Node:
    """The matrix with zeros above the given diagonal, or below it if ``upper``."""
    row, column = _places(x)
    kept = row + diagonal <= column if upper else column <= row + diagonal
    return where(kept, x, 0.0)


def on_diagonal(x: Node) -> Node:
    """Whether an element of a matrix lies on the main diagonal."""
    return equal(*_places(x))


def _places(x: Node) -> tuple[Node, Node]:
    rows, columns = x.shape[-2:]
    shape = (rows, columns)
    row = expand(reshape(Arange(0, 1, rows, int64)(), (rows, 1)), shape)
    return row, expand(Arange(0, 1, columns, int64)(), shape)


def _column(x: Node) -> Node:
    """A vector as a matrix of one column."""
    return reshape(x, (*x.shape, 1))


def _row(x: Node) -> Node:
    """A vector as a matrix of one row."""
    return reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _as_matrix(x: Node) -> Node:
    """A number as a matrix of one element."""
    return reshape(x, (*x.shape, 1, 1))


def _check_square(name: str, x: TensorType) -> None:
    if x.rank < 2 or x.shape[-1] != x.shape[-2]:
        raise GraphcRuntimeError(f"{name}: expected square matrices, got {x}")


def _given(gradient: Node | None, of: TensorType) -> Node:
    return zeros(of) if gradient is None else gradient


@dataclass(frozen=True)
class Inverse(Op, name="inverse"):
    """The inverses, and for each matrix which pivot is zero, counted from one, or else 0."""

    check: str = ""
    """The function in whose name a singular matrix raises; its inverse is nan where none does."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        _check_square(self.name, x)
        return x, TensorType(x.shape[:-2], int32)

    def grad(self, node: Node, dy: Node | None, _: Node | None) -> tuple[Node | None, ...]:
        if dy is None:
            return (None,)
        turned = transposed(Item(0)(node))
        return (-product(turned, dy, turned),)


@dataclass(frozen=True)
class Solve(Op, name="solve"):
    """x with a @ x = b, and for each matrix which pivot is zero, counted from one, or else 0."""

    check: str = ""
    """The function in whose name a singular matrix raises; the solution is nan where none does."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        a, b = types
        _check_square(self.name, a)
        return _solution(self.name, a, b), TensorType(a.shape[:-2], int32)

    def grad(self, node: Node, dy: Node | None, _: Node | None) -> tuple[Node | None, ...]:
        a, b = node.inputs
        if dy is None:
            return None, None
        to_b = Item(0)(Solve()(transposed(a), dy))
        to_a = -product(to_b, transposed(Item(0)(node)))
        return sum_to(to_a, a.shape), sum_to(to_b, b.shape)


@dataclass(frozen=True)
class SolveTriangular(Op, name="solve_triangular"):
    """x with a @ x = b, of one triangle of a."""

    upper: bool
    unit: bool = False
    """Whether the diagonal counts as ones."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        a, b = types
        _check_square(self.name, a)
        return _solution(self.name, a, b)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        a, b = node.inputs
        to_b = SolveTriangular(not self.upper, self.unit)(transposed(a), dy)
        to_a = -product(to_b, transposed(node))
        diagonal = 0 if not self.unit else 1 if self.upper else -1
        to_a = triangle(to_a, upper=self.upper, diagonal=diagonal)
        return sum_to(to_a, a.shape), sum_to(to_b, b.shape)


def _solution(name: str, a: TensorType, b: TensorType) -> TensorType:
    if b.rank < 2 or b.shape[-2] != a.shape[-1] or a.dtype is not b.dtype:
        raise GraphcRuntimeError(f"{name}: {a} and {b} do not fit")
    return TensorType((*broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)


class Determinant(Op, name="determinant"):
    """The determinants."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        _check_square(self.name, x)
        return TensorType(x.shape[:-2], x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        """det x · x⁻ᵀ, and as in PyTorch zero where there is no inverse."""
        (x,) = node.inputs
        inverse = Item(0)(Inverse()(x))
        singular = equal(node, const(0, node.dtype))
        turned = where(_as_matrix(singular), 0.0, transposed(inverse))
        return (_as_matrix(dy * node) * turned,)


class LogDeterminant(Op, name="log_determinant"):
    """The signs of the determinants, and the logarithms of their sizes."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        _check_square(self.name, x)
        return (TensorType(x.shape[:-2], x.dtype),) * 2

    def grad(self, node: Node, _: Node | None, dy: Node | None) -> tuple[Node | None, ...]:
        (x,) = node.inputs
        if dy is None:
            return (zeros(x.type),)
        return (_as_matrix(dy) * transposed(Item(0)(Inverse()(x))),)


@dataclass(frozen=True)
class Cholesky(Op, name="cholesky"):
    """Lower triangular l with l @ lᵀ = x, of the lower triangle of x; and for each matrix the order
    of the first leading minor that is not positive, or else 0."""

    check: str = ""
    """The function in whose name such a minor raises; the factor is nan where none does."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        _check_square(self.name, x)
        return x, TensorType(x.shape[:-2], int32)

    def grad(self, node: Node, dy: Node | None, _: Node | None) -> tuple[Node | None, ...]:
        """As in PyTorch the symmetric one, as if x were changed symmetrically."""
        if dy is None:
            return (None,)
        factor = Item(0)(node)
        inner = triangle(product(transposed(factor), dy))
        inner = where(on_diagonal(inner), inner * 0.5, inner)
        back = SolveTriangular(upper=True)
        left = back(transposed(factor), inner)
        found = transposed(back(transposed(factor), transposed(left)))
        return ((found + transposed(found)) * 0.5,)


@dataclass(frozen=True)
class Eigh(Op, name="eigh"):
    """The eigenvalues of symmetric matrices, ascending, and their eigenvectors in columns."""

    upper: bool = False
    """Which triangle is read."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        _check_square(self.name, x)
        return TensorType(x.shape[:-1], x.dtype), x

    def grad(
        self, node: Node, to_values: Node | None, to_vectors: Node | None
    ) -> tuple[Node | None, ...]:
        """As in PyTorch the symmetric one, as if x were changed symmetrically."""
        values, vectors = Item(0)(node), Item(1)(node)
        turned = transposed(vectors)
        inner = _row(_given(to_values, values.type))
        if to_vectors is None:
            return (product(vectors * inner, turned),)
        gaps = _row(values) - _column(values)
        own = on_diagonal(gaps)
        spread = product(turned, to_vectors) / where(own, 1.0, gaps)
        found = product(vectors, where(own, inner, spread), turned)
        return ((found + transposed(found)) * 0.5,)


@dataclass(frozen=True)
class Svd(Op, name="svd"):
    """u, s and vᵀ with (u · s) @ vᵀ = x, u and v orthogonal and s descending."""

    full: bool = False
    """Whether u and v are square."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        *batch, rows, columns = x.shape
        count = min(rows, columns)
        shapes = (
            (*batch, rows, rows if self.full else count),
            (*batch, count),
            (*batch, columns if self.full else count, columns),
        )
        return tuple(TensorType(shape, x.dtype) for shape in shapes)

    def grad(
        self, node: Node, to_u: Node | None, to_s: Node | None, to_v: Node | None
    ) -> tuple[Node | None, ...]:
        """Of the vectors that belong to singular values; the others are not determined."""
        count = node.types[1].shape[-1]
        s = Item(1)(node)
        u, v = _narrowed(Item(0)(node), -1, count), _narrowed(Item(2)(node), -2, count)
        scale = _row(_given(to_s, s.type))
        if to_u is None and to_v is None:
            return (product(u * scale, v),)
        to_u = _narrowed(_given(to_u, node.types[0]), -1, count)
        to_v = _narrowed(_given(to_v, node.types[2]), -2, count)
        gaps = _row(s * s) - _column(s * s)
        own = on_diagonal(gaps)
        left = _skew(product(transposed(u), to_u)) * _row(s)
        right = _skew(product(v, transposed(to_v))) * _column(s)
        inner = where(own, scale, (left + right) / where(own, 1.0, gaps))
        found = product(u, inner, v)
        if node.inputs[0].shape[-2] > count:
            outer = to_u / _row(s)
            found = found + product(outer - product(u, transposed(u), outer), v)
        if node.inputs[0].shape[-1] > count:
            outer = to_v / _column(s)
            found = found + product(u, outer - product(outer, transposed(v), v))
        return (found,)


@dataclass(frozen=True)
class PseudoInverse(Op, name="pseudo_inverse"):
    """The pseudo-inverses; of which singular values up to a tolerance are taken for zero."""

    atol: float
    rtol: float
    """In units of the greatest singular value."""
    symmetric: bool = False

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        return TensorType((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        (x,) = node.inputs
        turned, flow = transposed(node), transposed(dy)
        if x.shape[-2] <= x.shape[-1]:
            inner = product(flow, node)
            onward = product(inner, turned)
            found = onward - transposed(product(node, inner)) - product(x, node, onward)
            return (found + product(turned, node, flow - product(inner, x)),)
        inner = product(node, flow)
        onward = product(turned, inner)
        found = onward - transposed(product(inner, node)) - product(onward, node, x)
        return (found + product(flow - product(x, inner), node, turned),)


def _skew(x: Node) -> Node:
    return x - transposed(x)


def _narrowed(x: Node, axis: int, count: int) -> Node:
    """The first ``count`` elements along an axis counted from the end."""
    if x.shape[axis] == count:
        return x
    stops = list(x.shape)
    stops[axis] = count
    return Slice((0,) * x.rank, tuple(stops), (1,) * x.rank)(x)


@dataclass(frozen=True)
class Qr(Op, name="qr"):
    """q and r with q @ r = x, the columns of q orthonormal and r upper triangular."""

    complete: bool = False
    """Whether q is square."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        *batch, rows, columns = x.shape
        count = rows if self.complete else min(rows, columns)
        return (
            TensorType((*batch, rows, count), x.dtype),
            TensorType((*batch, count, columns), x.dtype),
        )

    def grad(self, node: Node, to_q: Node | None, to_r: Node | None) -> tuple[Node | None, ...]:
        (x,) = node.inputs
        rows, columns = x.shape[-2:]
        if self.complete and rows > columns:
            raise GraphcRuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
            )
        q, r = Item(0)(node), Item(1)(node)
        to_q, to_r = _given(to_q, q.type), _given(to_r, r.type)
        inner = product(to_r, transposed(r)) - product(transposed(q), to_q)
        if rows >= columns:
            upper = triangle(inner, upper=True)
            both = where(on_diagonal(upper), upper, upper + transposed(upper))
            return (_divided(product(q, both) + to_q, r),)
        lower = triangle(_skew(inner) * -1.0)
        square = _narrowed(r, -1, rows)
        found = _divided(product(q, lower), square)
        rest: Shape = (*x.shape[:-1], columns - rows)
        padded = Concat(x.rank - 1)(found, zeros(TensorType(rest, x.dtype)))
        return (padded + product(q, to_r),)


def _divided(x: Node, r: Node) -> Node:
    """x @ r⁻ᵀ of upper triangular r."""
    return transposed(SolveTriangular(upper=True)(r, transposed(x)))
