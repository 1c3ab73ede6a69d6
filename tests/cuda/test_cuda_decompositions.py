"""Decompositions by CUDA kernels on the CPU: matrices that are hard, and sizes around a warp's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.ir.node import Op
from graphc.ops import linalg as ops
from tests.cuda.emulated import run_ops
from tests.matrices import HARD, Array, near, orthonormal, random

SIZES = [(31, 31), (32, 32), (33, 33), (80, 80), (3, 20, 20)]
"""Of square matrices: some arrays of the largest are too large for shared memory."""
SHAPES = [(64, 33), (33, 64), (33, 32), (2, 40, 5), (2, 5, 40)]


@pytest.mark.parametrize("full", [False, True])
def test_singular_values(full: bool) -> None:
    given = [*HARD.values(), *(random(*x) for x in (*SIZES[:4], *SHAPES))]
    found = run_ops(*((ops.Svd(full), (x,)) for x in given))
    for x, (u, s, v) in zip(given, found, strict=True):
        assert u.shape == np.linalg.svd(x, full_matrices=full).U.shape
        count = s.shape[-1]
        near(u[..., :count] * s[..., None, :] @ v[..., :count, :], x)
        near(s, np.linalg.svd(x, compute_uv=False))
        assert (s >= 0).all() and (np.diff(s, axis=-1) <= 0).all()
        orthonormal(u)
        orthonormal(np.swapaxes(v, -1, -2))


@pytest.mark.parametrize("complete", [False, True])
def test_orthonormal_columns(complete: bool) -> None:
    """LAPACK's signs, so that all is equal to numpy's where the rank is full."""
    given = {**HARD, **{str(x): random(*x) for x in (*SIZES, *SHAPES)}}
    found = run_ops(*((ops.Qr(complete), (x,)) for x in given.values()))
    for (name, x), (q, r) in zip(given.items(), found, strict=True):
        near(q @ r, x)
        orthonormal(q)
        assert (np.tril(r, -1) == 0).all()
        if name not in HARD or name in ("random", "tall", "wide", "a permutation", "one"):
            expected = np.linalg.qr(x, "complete" if complete else "reduced")
            near(r, expected.R)
            near(q, expected.Q)


@pytest.mark.parametrize("upper", [False, True])
def test_eigenvalues(upper: bool) -> None:
    squares = [x for x in HARD.values() if x.shape[-1] == x.shape[-2]]
    squares += [random(*x) for x in SIZES]
    turn = np.linalg.qr(random(6, 6)).Q
    symmetric = [x + np.swapaxes(x, -1, -2) for x in squares]
    symmetric += [turn * [3.0, 3, 3, -1, -1, 0] @ turn.T, np.zeros((0, 0))]
    # What is in the other triangle is not read.
    given = [np.triu(x) if upper else np.tril(x) for x in symmetric]
    found = run_ops(*((ops.Eigh(upper), (x,)) for x in given))
    for x, (values, vectors) in zip(symmetric, found, strict=True):
        near(vectors * values[..., None, :] @ np.swapaxes(vectors, -1, -2), x)
        near(values, np.linalg.eigvalsh(x))
        assert (np.diff(values, axis=-1) >= 0).all()
        orthonormal(vectors)


def test_small_decompositions_have_lapacks_signs() -> None:
    """Signs are free, but users compare with what numpy and PyTorch find."""
    shapes = [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (5, 3), (3, 6), (6, 3), (7, 8), (9, 8)]
    uses: list[tuple[Any, tuple[Array, ...]]] = [
        (ops.Svd(full), (random(*x, seed=7),)) for x in shapes for full in (False, True)
    ]
    squares = [random(n, n, seed=8) for n in (1, 2, 3, 6, 23)]
    uses += [(ops.Eigh(upper), (x,)) for x in squares for upper in (False, True)]
    for (op, (x,)), found in zip(uses, run_ops(*uses), strict=True):
        if isinstance(op, ops.Svd):
            wanted: Any = np.linalg.svd(x, full_matrices=op.full)
        else:
            wanted = np.linalg.eigh(x, "U" if op.upper else "L")
        for got, right in zip(found, wanted, strict=True):
            near(got, right, scale=100)


def test_pseudo_inverses() -> None:
    symmetric = HARD["of rank 2"] @ HARD["of rank 2"].T
    uses = [(ops.PseudoInverse(0.0, 1e-12), (x,)) for x in HARD.values()]
    uses.append((ops.PseudoInverse(0.0, 1e-12, True), (symmetric,)))
    uses.append((ops.PseudoInverse(1.5, 0.0), (np.diag([3.0, 2.0, 1.0]),)))
    found = [x for (x,) in run_ops(*uses)]
    for x, got in zip(HARD.values(), found, strict=False):
        near(got, np.linalg.pinv(x, rcond=1e-12))
    near(found[-2], np.linalg.pinv(symmetric, rcond=1e-12))
    near(found[-1], np.diag([1 / 3, 1 / 2, 0]))


@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 4, 6), (40, 33), (33, 80)], ids=str)
def test_the_order_of_threads_does_not_matter(shape: tuple[int, ...]) -> None:
    """Nor does a check of every access find anything: bounds, races, memory not written."""
    x = random(*shape)
    square = np.swapaxes(x, -1, -2) @ x
    uses: list[tuple[Op, tuple[Array, ...]]] = [
        (ops.Qr(True), (x,)),
        (ops.Svd(True), (x,)),
        (ops.PseudoInverse(0.0, 1e-6), (x,)),
        (ops.PseudoInverse(0.0, 1e-6, True), (square,)),
        (ops.Eigh(), (square,)),
        (ops.Eigh(True), (square,)),
    ]
    first = run_ops(*uses)
    for how in ({"order": 7}, {"order": 1, "check": True}):
        for a, b in zip(first, run_ops(*uses, **how), strict=True):
            for one, other in zip(a, b, strict=True):
                np.testing.assert_array_equal(one, other)
