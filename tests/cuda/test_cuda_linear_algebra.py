"""Kernels of linear algebra on the CPU: sizes around those of warps, blocks and shared memory."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ir.node import Op
from graphc.ops import linalg as ops
from tests.cuda.emulated import run_ops
from tests.matrices import ERRORS, INDEFINITE, SINGULAR, Array, definite, near, random

SIZES = [(1, 1), (3, 31, 31), (32, 32), (2, 33, 33), (77, 77), (2, 2, 4, 4)]
"""Of square matrices: the largest are too large for shared memory."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equations(dtype: str) -> None:
    uses: list[tuple[Op, tuple[Array, ...]]] = []
    wanted: list[Array] = []
    for shape in SIZES:
        n = shape[-1]
        a = (random(*shape) + 4 * np.eye(n)).astype(dtype)
        b = random(*shape[:-1], 9, seed=1).astype(dtype)
        p, heavy = definite(*shape).astype(dtype), (a + 20 * np.eye(n)).astype(dtype)
        uses += [(ops.Inverse(), (a,)), (ops.Solve(), (a, b)), (ops.Cholesky(), (p,))]
        exact, right = a.astype(np.float64), b.astype(np.float64)
        wanted += [np.linalg.inv(exact), np.linalg.solve(exact, right)]
        wanted += [np.linalg.cholesky(p.astype(np.float64))]
        for upper, part in ((True, np.triu), (False, np.tril)):
            uses.append((ops.SolveTriangular(upper), (heavy, b)))
            wanted.append(np.linalg.solve(part(heavy.astype(np.float64)), right))
    for found, right in zip(run_ops(*uses), wanted, strict=True):
        near(found[0], right, scale=10)
        assert all((info == 0).all() for info in found[1:])


def test_determinants() -> None:
    x = np.concatenate([random(40, 8, 8), np.zeros((1, 8, 8)), np.ones((1, 8, 8)), [np.eye(8)]])
    large = random(80, 80)
    (found,), (signs, logarithms), (one,), logs = run_ops(
        (ops.Determinant(), (x,)),
        (ops.LogDeterminant(), (x,)),
        (ops.Determinant(), (large,)),
        (ops.LogDeterminant(), (large,)),
    )
    near(found, np.linalg.det(x))
    near(one, np.linalg.det(large))
    with np.errstate(divide="ignore"):
        expected = np.linalg.slogdet(x)
    np.testing.assert_array_equal(signs, expected.sign)
    np.testing.assert_allclose(logarithms, expected.logabsdet, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.array(logs), np.array(np.linalg.slogdet(large)), rtol=1e-12)
    assert signs[-3] == 0 and logarithms[-2] == -np.inf and found[-1] == 1


@pytest.mark.parametrize(("op", "arrays", "message"), ERRORS)
def test_errors(op: Op, arrays: tuple[Array, ...], message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        run_ops((op, arrays))
    assert str(caught.value) == message


def test_what_is_wrong_is_told_where_nothing_raises() -> None:
    several = np.stack([np.eye(3), SINGULAR, np.zeros((3, 3))])
    indefinite = np.stack([np.eye(3), INDEFINITE, -np.eye(3)])
    found = run_ops(
        (ops.Inverse(), (several,)),
        (ops.Solve(), (several, np.ones((3, 2)))),
        (ops.Cholesky(), (indefinite,)),
    )
    for (result, info), wanted in zip(found, ([0, 3, 1], [0, 3, 1], [0, 2, 1]), strict=True):
        assert list(info) == wanted
        assert np.isfinite(result[0]).all()
        assert np.isnan(result[1:]).all()


def test_nan_is_not_singular() -> None:
    x = np.eye(3)
    x[1, 1] = np.nan
    (inverse, info), (determinant,) = run_ops(
        (ops.Inverse("linalg.inv"), (x,)), (ops.Determinant(), (x,))
    )
    assert info == 0
    assert np.isnan(inverse).any() and np.isnan(determinant)


def equations(*shape: int) -> list[tuple[Op, tuple[Array, ...]]]:
    """Uses of every op that solves equations."""
    a, p = random(*shape) + 4 * np.eye(shape[-1]), definite(*shape)
    b = random(*shape[:-1], 9, seed=1)
    return [
        (ops.Inverse("linalg.inv"), (a,)),
        (ops.Solve("linalg.solve"), (a, b)),
        (ops.SolveTriangular(True), (p, b)),
        (ops.SolveTriangular(False, True), (p, b)),
        (ops.Determinant(), (a,)),
        (ops.LogDeterminant(), (a,)),
        (ops.Cholesky("linalg.cholesky"), (p,)),
    ]


@pytest.mark.parametrize("shape", [(2, 5, 5), (33, 33), (77, 77)], ids=str)
def test_equations_do_not_depend_on_the_order_of_threads(shape: tuple[int, ...]) -> None:
    """Nor does a check of every access find anything: bounds, races, memory not written."""
    uses = equations(*shape)
    first = run_ops(*uses)
    for how in ({"order": 7}, {"order": 1, "check": True}):
        for a, b in zip(first, run_ops(*uses, **how), strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
