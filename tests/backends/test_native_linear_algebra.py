"""Kernels of linear algebra in generated C, against the table's references, numpy and PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.backends.native.linear_algebra import LINEAR_ALGEBRA
from graphc.backends.native.targets import TARGETS, host
from graphc.ops import linalg as ops
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, check_samples, node_of, run_all, use_of
from tests.matrices import ERRORS, HARD, INDEFINITE, SINGULAR, definite, near, orthonormal, random

HERE = list(dict.fromkeys([host().name, "portable"]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    assert check_samples(LINEAR_ALGEBRA, dtype, tmp_path, TARGETS[target]) > 100


RNG_SHAPES = [(70, 70), (3, 33, 33), (1, 1), (129, 129)]


def used(op: Any, *arrays: Array, threads: int = 2) -> Use:
    """A use of an op's kernel."""
    node = node_of(op, *arrays)
    node = node.inputs[0] if node.op.name == "item" else node
    return use_of(LINEAR_ALGEBRA[op.name], node, *arrays, threads=threads)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_equations(target: str, dtype: str, tmp_path: Path) -> None:
    """Matrices that are larger than a block, and several of them."""
    uses: list[Use] = []
    wanted: list[Any] = []
    for shape in RNG_SHAPES:
        n = shape[-1]
        a = (random(*shape) + 4 * np.eye(n)).astype(dtype)
        b = random(*shape[:-1], 75, seed=1).astype(dtype)
        p = definite(*shape).astype(dtype)
        exact, right = a.astype(np.float64), b.astype(np.float64)
        uses += [used(ops.Inverse(), a), used(ops.Solve(), a, b), used(ops.Cholesky(), p)]
        wanted += [np.linalg.inv(exact), np.linalg.solve(exact, right)]
        wanted += [np.linalg.cholesky(p.astype(np.float64))]
        for upper, part in ((True, np.triu), (False, np.tril)):
            kept = part(exact) + 20 * np.eye(n)
            uses.append(used(ops.SolveTriangular(upper), (a + 20 * np.eye(n)).astype(dtype), b))
            wanted.append(np.linalg.solve(kept, right))
    run_all(uses, tmp_path, TARGETS[target])
    for each, right in zip(uses, wanted, strict=True):
        near(each.results[0], right, scale=10)
        assert all((info == 0).all() for info in each.results[1:])


@pytest.mark.parametrize("target", HERE)
def test_determinants(target: str, tmp_path: Path) -> None:
    x = np.concatenate([random(40, 8, 8), np.zeros((1, 8, 8)), np.ones((1, 8, 8)), [np.eye(8)]])
    uses = [used(ops.Determinant(), x), used(ops.LogDeterminant(), x)]
    run_all(uses, tmp_path, TARGETS[target])
    (found,), (signs, logarithms) = uses[0].results, uses[1].results
    near(found, np.linalg.det(x))
    with np.errstate(divide="ignore"):
        expected = np.linalg.slogdet(x)
    np.testing.assert_array_equal(signs, expected.sign)
    np.testing.assert_allclose(logarithms, expected.logabsdet, rtol=1e-12, atol=1e-12)
    assert signs[-3] == 0 and logarithms[-2] == -np.inf and found[-1] == 1


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("target", HERE)
def test_singular_values(target: str, full: bool, tmp_path: Path) -> None:
    uses = [used(ops.Svd(full), x) for x in HARD.values()]
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    for x, each in zip(HARD.values(), uses, strict=True):
        u, s, v = each.results
        assert u.shape == np.linalg.svd(x, full_matrices=full).U.shape
        count = s.shape[-1]
        near(u[..., :count] * s[..., None, :] @ v[..., :count, :], x)
        near(s, np.linalg.svd(x, compute_uv=False))
        assert (s >= 0).all() and (np.diff(s, axis=-1) <= 0).all()
        orthonormal(u)
        orthonormal(np.swapaxes(v, -1, -2))


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize("target", HERE)
def test_orthonormal_columns(target: str, complete: bool, tmp_path: Path) -> None:
    """LAPACK's signs, so that all is equal to numpy's where the rank is full."""
    uses = [used(ops.Qr(complete), x) for x in HARD.values()]
    run_all(uses, tmp_path, TARGETS[target])
    for (name, x), each in zip(HARD.items(), uses, strict=True):
        q, r = each.results
        near(q @ r, x)
        orthonormal(q)
        assert (np.tril(r, -1) == 0).all()
        if name in ("random", "tall", "wide", "several", "a permutation", "one"):
            expected = np.linalg.qr(x, "complete" if complete else "reduced")
            near(r, expected.R)
            near(q, expected.Q)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("target", HERE)
def test_eigenvalues(target: str, upper: bool, tmp_path: Path) -> None:
    symmetric = [x + np.swapaxes(x, -1, -2) for x in HARD.values() if x.shape[-1] == x.shape[-2]]
    turn = np.linalg.qr(random(6, 6)).Q
    symmetric += [turn * [3.0, 3, 3, -1, -1, 0] @ turn.T, random(2, 5, 5), np.zeros((0, 0))]
    uses = [used(ops.Eigh(upper), x) for x in symmetric]
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    for x, each in zip(symmetric, uses, strict=True):
        kept = np.triu(x) if upper else np.tril(x)
        whole = kept + np.swapaxes(kept, -1, -2) - x * np.eye(x.shape[-1])
        values, vectors = each.results
        near(vectors * values[..., None, :] @ np.swapaxes(vectors, -1, -2), whole)
        near(values, np.linalg.eigvalsh(whole))
        assert (np.diff(values, axis=-1) >= 0).all()
        orthonormal(vectors)


def test_small_decompositions_have_lapacks_signs(tmp_path: Path) -> None:
    """Signs are free, but users compare with what numpy and PyTorch find."""
    shapes = [(n, m) for n in range(1, 13) for m in range(1, 13)]
    uses = [used(ops.Svd(full), random(*x, seed=7)) for x in shapes for full in (False, True)]
    squares = [random(n, n, seed=8) for n in range(1, 24)]
    uses += [used(ops.Eigh(upper), x) for x in squares for upper in (False, True)]
    run_all(uses, tmp_path)
    for each in uses:
        (x,) = each.operands
        op: Any = each.node.op
        if isinstance(op, ops.Svd):
            wanted: Any = np.linalg.svd(x, full_matrices=op.full)
        else:
            wanted = np.linalg.eigh(x, "U" if op.upper else "L")
        for got, right in zip(each.results, wanted, strict=True):
            near(got, right, scale=100)


def test_pseudo_inverses(tmp_path: Path) -> None:
    symmetric = HARD["of rank 2"] @ HARD["of rank 2"].T
    uses = [used(ops.PseudoInverse(0.0, 1e-12), x) for x in HARD.values()]
    uses.append(used(ops.PseudoInverse(0.0, 1e-12, True), symmetric))
    uses.append(used(ops.PseudoInverse(1.5, 0.0), np.diag([3.0, 2.0, 1.0])))
    assert not any(run_all(uses, tmp_path))
    for x, each in zip(HARD.values(), uses, strict=False):
        near(each.results[0], np.linalg.pinv(x, rcond=1e-12))
    near(uses[-2].results[0], np.linalg.pinv(symmetric, rcond=1e-12))
    near(uses[-1].results[0], np.diag([1 / 3, 1 / 2, 0]))


@pytest.mark.parametrize(("op", "arrays", "message"), ERRORS)
def test_errors(op: Any, arrays: tuple[Array, ...], message: str, tmp_path: Path) -> None:
    assert run_all([used(op, *arrays)], tmp_path) == [f"RuntimeError: {message}"]


def test_what_is_wrong_is_told_where_nothing_raises(tmp_path: Path) -> None:
    several = np.stack([np.eye(3), SINGULAR, np.zeros((3, 3))])
    indefinite = np.stack([np.eye(3), INDEFINITE, -np.eye(3)])
    uses = [
        used(ops.Inverse(), several),
        used(ops.Solve(), several, np.ones((3, 2))),
        used(ops.Cholesky(), indefinite),
    ]
    assert run_all(uses, tmp_path) == ["", "", ""]
    for each, info in zip(uses, ([0, 3, 1], [0, 3, 1], [0, 2, 1]), strict=True):
        assert list(each.results[1]) == info
        assert np.isfinite(each.results[0][0]).all()
        assert np.isnan(each.results[0][1:]).all()


def test_nan_is_not_singular(tmp_path: Path) -> None:
    x = np.eye(3)
    x[1, 1] = np.nan
    uses = [used(ops.Inverse("linalg.inv"), x), used(ops.Determinant(), x)]
    assert run_all(uses, tmp_path) == ["", ""]
    assert np.isnan(uses[0].results[0]).any() and np.isnan(uses[1].results[0])


def test_any_number_of_threads_computes_the_same(tmp_path: Path) -> None:
    """Also where the right-hand sides of one matrix are divided."""
    many, large = random(64, 24, 24), random(120, 120)
    right = random(120, 200)
    cases: list[tuple[Any, tuple[Array, ...]]] = [
        (ops.Inverse(), (many,)),
        (ops.Inverse(), (large,)),
        (ops.Solve(), (large, right)),
        (ops.Solve(), (many, random(24, 3))),
        (ops.SolveTriangular(True), (many + 30 * np.eye(24), random(64, 24, 5))),
        (ops.Cholesky(), (definite(64, 24, 24),)),
        (ops.Determinant(), (many,)),
        (ops.Eigh(), (definite(64, 24, 24),)),
        (ops.Svd(), (many,)),
        (ops.Qr(), (many,)),
    ]
    uses = [used(op, *arrays, threads=n) for op, arrays in cases for n in (1, 3)]
    run_all(uses, tmp_path)
    for one, three in zip(uses[::2], uses[1::2], strict=True):
        assert max(stage.tasks for stage in one.made("k", host()).stages) == 1
        assert max(stage.tasks for stage in three.made("k", host()).stages) > 2
        for a, b in zip(one.results, three.results, strict=True):
            np.testing.assert_array_equal(a, b)
