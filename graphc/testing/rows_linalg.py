"""Solutions and decompositions of matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.ops import linalg as ops
from graphc.testing.operands import VIEWS, Array, draw
from graphc.testing.table import SINGLES, Row, Sample, Tolerance, sample

CONDITIONED = Tolerance("sums of products of well-conditioned matrices, in any order", 256, 256)
SIZES: tuple[Shape, ...] = ((3, 3), (1, 1), (2, 4, 4), (2, 3, 2, 2), (0, 0), (0, 2, 2))
SHAPES: tuple[Shape, ...] = ((3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1), (0, 3), (2, 0), (0, 2, 2))


def _matrices(dtype: DType, shape: Shape, seed: int = 0) -> Array:
    """Matrices with a heavy diagonal, so that they are far from singular."""
    numbers: Array = draw(dtype, *shape, low=-1, high=1, seed=seed)
    step = np.arange(1, 1 + min(shape[-2:])) * 2
    heavy = np.zeros(shape[-2:], dtype.numpy)
    np.fill_diagonal(heavy, step)
    return (numbers + heavy).astype(dtype.numpy)


def _symmetric(dtype: DType, shape: Shape, seed: int = 0) -> Array:
    numbers = _matrices(dtype, shape, seed)
    found: Array = ((numbers + np.swapaxes(numbers, -1, -2)) / 2).astype(dtype.numpy)
    return found


Make = Callable[[DType, Shape, int], Array]


def _samples(
    *made: Any, make: Make = _matrices, shapes: tuple[Shape, ...] = SIZES
) -> Callable[[DType], Iterator[Sample]]:
    def samples(dtype: DType) -> Iterator[Sample]:
        for op in made:
            for seed, shape in enumerate(shapes):
                yield sample(op, make(dtype, shape, seed))
            for layout in VIEWS:
                if layout != "expanded":
                    yield sample(op, make(dtype, (3, 3), 7), layout=layout)

    return samples


def _pairs(*made: Any) -> Callable[[DType], Iterator[Sample]]:
    places: tuple[tuple[Shape, Shape], ...] = (
        ((3, 3), (3, 2)),
        ((2, 3, 3), (2, 3, 1)),
        ((3, 3), (2, 3, 2)),
        ((2, 3, 3), (3, 2)),
        ((1, 1), (1, 4)),
        ((0, 0), (0, 2)),
        ((2, 2), (2, 0)),
    )

    def samples(dtype: DType) -> Iterator[Sample]:
        for op in made:
            for seed, (a, b) in enumerate(places):
                yield sample(op, _matrices(dtype, a, seed), draw(dtype, *b, seed=seed))
            for layout in VIEWS:
                if layout != "expanded":
                    yield sample(op, _matrices(dtype, (3, 3)), draw(dtype, 3, 2), layout=layout)

    return samples


def _pseudo_inverses(dtype: DType) -> Iterator[Sample]:
    yield from _samples(ops.PseudoInverse(0.0, 1e-6), shapes=SHAPES)(dtype)
    yield sample(ops.PseudoInverse(0.0, 1e-6, True), _symmetric(dtype, (2, 3, 3)), kind="kink")


def _told(result: Array, x: Array) -> tuple[Array, Array]:
    """The result and that nothing was wrong."""
    return result, np.zeros(x.shape[:-2], np.int32)


def _triangular(op: ops.SolveTriangular, a: Array, b: Array) -> Array:
    kept = np.triu(a) if op.upper else np.tril(a)
    if op.unit:
        kept = kept - kept * np.eye(a.shape[-1]) + np.eye(a.shape[-1])
    return np.linalg.solve(kept, b)


def _turned(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _cholesky_derivative(op: Any, x: Array, dy: Array, *_: Array) -> tuple[Array]:
    """The symmetric one."""
    factor = np.linalg.cholesky(x)
    inner = np.tril(_turned(factor) @ dy)
    inner = inner - inner * np.eye(x.shape[-1]) / 2
    inverse = np.linalg.inv(factor)
    found = _turned(inverse) @ inner @ inverse
    return ((found + _turned(found)) / 2,)


def _read(op: ops.Eigh) -> Literal["U", "L"]:
    """The triangle that is read."""
    return "U" if op.upper else "L"


def _eigh_derivative(op: Any, x: Array, to_values: Array, to_vectors: Array) -> tuple[Array]:
    """The symmetric one."""
    values, vectors = np.linalg.eigh(x, _read(op))
    own = np.eye(x.shape[-1], dtype=bool)
    gaps = values[..., None, :] - values[..., :, None]
    spread = _turned(vectors) @ to_vectors / np.where(own, 1, gaps)
    inner = np.where(own, to_values[..., None, :], spread)
    found = vectors @ inner @ _turned(vectors)
    return ((found + _turned(found)) / 2,)


def _signed(vectors: Any, like: Array) -> Any:
    """Vectors in columns, each with the sign of the one that it is to be like."""
    signs = np.sign((vectors.numpy(force=True) * like).sum(-2, keepdims=True))
    return vectors * vectors.new_tensor(np.where(signs == 0, 1, signs))


def _torch_eigh(torch: Any, op: ops.Eigh, x: Any) -> Any:
    values, vectors = torch.linalg.eigh(x, UPLO=_read(op))
    return values, _signed(vectors, np.linalg.eigh(x.numpy(force=True), _read(op)).eigenvectors)


def _torch_svd(torch: Any, op: ops.Svd, x: Any) -> Any:
    u, s, v = torch.linalg.svd(x, full_matrices=op.full)
    like = np.linalg.svd(x.numpy(force=True), full_matrices=op.full)
    return _signed(u, like.U), s, _signed(v.mT, _turned(like.Vh)).mT


def _linalg(name: str, *results: str) -> Callable[..., Any]:
    def call(torch: Any, op: Any, *x: Any) -> Any:
        found = getattr(torch.linalg, name)(*x)
        return tuple(getattr(found, field) for field in results) if results else found

    return call


ROWS = (
    Row("inverse", SINGLES, _samples(ops.Inverse(), ops.Inverse("linalg.inv")),
        lambda op, x: _told(np.linalg.inv(x), x), _linalg("inv_ex", "inverse", "info"),
        CONDITIONED, True),
    Row("solve", SINGLES, _pairs(ops.Solve(), ops.Solve("linalg.solve")),
        lambda op, a, b: _told(np.linalg.solve(a, b), a), _linalg("solve_ex", "result", "info"),
        CONDITIONED, True),
    Row("solve_triangular", SINGLES,
        _pairs(*(ops.SolveTriangular(u, one) for u in (True, False) for one in (True, False))),
        _triangular,
        lambda torch, op, a, b: torch.linalg.solve_triangular(
            a, b, upper=op.upper, unitriangular=op.unit),
        CONDITIONED, True),
    Row("determinant", SINGLES, _samples(ops.Determinant()), lambda op, x: np.linalg.det(x),
        _linalg("det"), CONDITIONED, True),
    Row("log_determinant", SINGLES, _samples(ops.LogDeterminant()),
        lambda op, x: tuple(np.linalg.slogdet(x)), _linalg("slogdet", "sign", "logabsdet"),
        CONDITIONED, True),
    Row("cholesky", SINGLES,
        _samples(ops.Cholesky(), ops.Cholesky("linalg.cholesky"), make=_symmetric),
        lambda op, x: _told(np.linalg.cholesky(x), x), _linalg("cholesky_ex", "L", "info"),
        CONDITIONED, derivative=_cholesky_derivative),
    Row("eigh", SINGLES, _samples(ops.Eigh(), ops.Eigh(True), make=_symmetric),
        lambda op, x: tuple(np.linalg.eigh(x, _read(op))),
        _torch_eigh, CONDITIONED,
        derivative=_eigh_derivative),
    Row("svd", SINGLES, _samples(ops.Svd(), shapes=SHAPES),
        lambda op, x: tuple(np.linalg.svd(x, full_matrices=op.full)),
        _torch_svd, CONDITIONED, True),
    Row("pseudo_inverse", SINGLES, _pseudo_inverses,
        lambda op, x: np.linalg.pinv(x, rcond=op.rtol, hermitian=op.symmetric),
        lambda torch, op, x: torch.linalg.pinv(
            x, atol=op.atol, rtol=op.rtol, hermitian=op.symmetric), CONDITIONED, True),
    Row("qr", SINGLES, _samples(ops.Qr(), shapes=SHAPES),
        lambda op, x: tuple(np.linalg.qr(x, "complete" if op.complete else "reduced")),
        lambda torch, op, x: tuple(
            torch.linalg.qr(x, mode="complete" if op.complete else "reduced")),
        CONDITIONED, True),
)  # fmt: skip
