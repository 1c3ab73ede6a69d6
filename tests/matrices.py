"""Matrices that are hard to decompose or to solve, and what is expected of every backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ops import linalg as ops

Array = np.ndarray[Any, Any]


def random(*shape: int, seed: int = 0) -> Array:
    """Numbers around zero."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def definite(*shape: int, seed: int = 0) -> Array:
    """Symmetric matrices with positive eigenvalues."""
    x = random(*shape, seed=seed)
    return x @ np.swapaxes(x, -1, -2) / shape[-1] + np.eye(shape[-1])


def near(got: Array, wanted: Array, scale: float = 1.0) -> None:
    """Equal to some thousand roundings of the greatest element."""
    greatest = float(np.abs(wanted).max(initial=0)) * scale
    eps = float(np.finfo(got.dtype).eps)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=4000 * eps * greatest)


HARD: dict[str, Array] = {
    "random": random(40, 40),
    "tall": random(37, 11),
    "little taller": random(13, 9),
    "wide": random(11, 37),
    "little wider": random(9, 13),
    "several": random(2, 3, 6, 4),
    "zero": np.zeros((5, 4)),
    "ones": np.ones((6, 6)),
    "identity": np.eye(7),
    "of rank 2": random(9, 2) @ random(2, 7, seed=1),
    "a permutation": np.eye(8)[np.random.default_rng(0).permutation(8)],
    "graded": random(8, 8) * 10.0 ** -np.arange(0, 24, 3),
    "huge": random(5, 5) * 1e200,
    "tiny": random(5, 5) * 1e-200,
    "bidiagonal": np.eye(6) + np.eye(6, k=1),
    "with zeros on the diagonal": np.eye(6, k=1) * np.arange(1, 7),
    "one": np.array([[-3.0]]),
    "a row": random(1, 9),
    "a column": random(9, 1),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((2, 0)),
}


def orthonormal(x: Array) -> None:
    """Columns at right angles, of length one."""
    found = np.swapaxes(x, -1, -2) @ x
    near(found, np.broadcast_to(np.eye(x.shape[-1]), found.shape))


SINGULAR = np.array([[1.0, 2, 3], [2, 4, 6], [0, 1, 5]])
INDEFINITE = np.array([[4.0, 2, 0], [2, 1, 0], [0, 0, 1]])
ERRORS: list[tuple[Any, tuple[Array, ...], str]] = [
    (
        ops.Inverse("linalg.inv"),
        (SINGULAR,),
        "linalg.inv: The diagonal element 3 is zero, the inversion could not be completed "
        "because the input matrix is singular.",
    ),
    (
        ops.Inverse("linalg.inv"),
        (np.stack([np.eye(3), SINGULAR, np.zeros((3, 3))]),),
        "linalg.inv: (Batch element 1): The diagonal element 3 is zero, the inversion could "
        "not be completed because the input matrix is singular.",
    ),
    (
        ops.Solve("linalg.solve"),
        (SINGULAR, np.ones((3, 2))),
        "linalg.solve: The solver failed because the input matrix is singular.",
    ),
    (
        ops.Solve("linalg.solve"),
        (np.stack([np.eye(3), np.eye(3), SINGULAR]), np.ones((3, 2))),
        "linalg.solve: (Batch element 2): The solver failed because the input matrix is singular.",
    ),
    (
        ops.Cholesky("linalg.cholesky"),
        (INDEFINITE,),
        "linalg.cholesky: The factorization could not be completed because the input is not "
        "positive-definite (the leading minor of order 2 is not positive-definite).",
    ),
    (
        ops.Cholesky("linalg.cholesky"),
        (np.stack([np.stack([np.eye(3)] * 2), np.stack([np.eye(3), INDEFINITE])]),),
        "linalg.cholesky: (Batch element 1): The factorization could not be completed because "
        "the input is not positive-definite (the leading minor of order 2 is not "
        "positive-definite).",
    ),
    (
        ops.Eigh(),
        (np.full((2, 2), np.nan),),
        "linalg.eigh: The algorithm failed to converge because the input matrix is "
        "ill-conditioned or has too many repeated eigen values.",
    ),
    (
        ops.Svd(),
        (np.full((2, 3), np.inf),),
        "linalg.svd: The algorithm failed to converge because the input matrix is "
        "ill-conditioned or has too many repeated singular values.",
    ),
    (
        ops.PseudoInverse(0.0, 1e-6),
        (np.full((2, 3), np.nan),),
        "linalg.pinv: The algorithm failed to converge because the input matrix is "
        "ill-conditioned or has too many repeated singular values.",
    ),
]
"""Ops, their operands, and what is raised."""
