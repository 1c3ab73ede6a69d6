"""Kernels of linear algebra on the CPU: sizes around those of warps, blocks and shared memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.compiler import Program
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.graph import Graph
from graphc.ir.node import Item, Node, Op, make_input
from graphc.ir.types import TensorType
from graphc.ops import linalg as ops
from tests.cuda.emulated import EmulatedBackend

Array = np.ndarray[Any, Any]
SIZES = [(1, 1), (3, 31, 31), (32, 32), (2, 33, 33), (77, 77), (2, 2, 4, 4)]
"""Of square matrices: the largest are too large for shared memory."""


def random(*shape: int, seed: int = 0) -> Array:
    """Numbers around zero."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def turned(x: Array) -> Array:
    """The matrices with rows for columns."""
    return np.swapaxes(x, -1, -2)


def definite(*shape: int) -> Array:
    """Symmetric matrices with positive eigenvalues."""
    x = random(*shape)
    return x @ turned(x) / shape[-1] + np.eye(shape[-1])


def run(*uses: tuple[Op, tuple[Array, ...]], **how: Any) -> list[tuple[Array, ...]]:
    """All results of each op on its arrays, computed by one program."""
    inputs: list[Node] = []
    outputs: list[tuple[Node, ...]] = []
    for number, (op, arrays) in enumerate(uses):
        given = []
        for slot, x in enumerate(arrays):
            dtype = dtype_of_numpy(x.dtype)
            assert dtype is not None
            given.append(make_input(f"x{number}_{slot}", TensorType(x.shape, dtype)))
        node = op(*given)
        node = node.inputs[0] if isinstance(node.op, Item) else node
        several = isinstance(node.type, tuple)
        outputs.append(tuple(Item(i)(node) for i in range(len(node.types))) if several else (node,))
        inputs += given
    graph = Graph(tuple(inputs), tuple(x for each in outputs for x in each))
    step = Program(graph, EmulatedBackend(**how)).executable.bind([])
    found = iter(step(*(x for _, arrays in uses for x in arrays)))
    return [tuple(np.asarray(next(found)) for _ in each) for each in outputs]


def near(got: Array, wanted: Array, scale: float = 1.0) -> None:
    """Equal to some thousand roundings of the greatest element."""
    greatest = float(np.abs(wanted).max(initial=0)) * scale
    eps = float(np.finfo(got.dtype).eps)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=4000 * eps * greatest)


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
    for found, right in zip(run(*uses), wanted, strict=True):
        near(found[0], right, scale=10)
        assert all((info == 0).all() for info in found[1:])


def test_determinants() -> None:
    x = np.concatenate([random(40, 8, 8), np.zeros((1, 8, 8)), np.ones((1, 8, 8)), [np.eye(8)]])
    large = random(80, 80)
    (found,), (signs, logarithms), (one,), logs = run(
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


SINGULAR = np.array([[1.0, 2, 3], [2, 4, 6], [0, 1, 5]])
INDEFINITE = np.array([[4.0, 2, 0], [2, 1, 0], [0, 0, 1]])
ERRORS: list[tuple[Op, tuple[Array, ...], str]] = [
    (
        ops.Inverse("linalg.inv"),
        (SINGULAR,),
        "linalg.inv: The diagonal element 3 is zero, the inversion could not be completed because "
        "the input matrix is singular.",
    ),
    (
        ops.Inverse("linalg.inv"),
        (np.stack([np.eye(3), SINGULAR, np.zeros((3, 3))]),),
        "linalg.inv: (Batch element 1): The diagonal element 3 is zero, the inversion could not be "
        "completed because the input matrix is singular.",
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
        "linalg.cholesky: (Batch element 1): The factorization could not be completed because the "
        "input is not positive-definite (the leading minor of order 2 is not positive-definite).",
    ),
]


@pytest.mark.parametrize(("op", "arrays", "message"), ERRORS, ids=[x[0].name for x in ERRORS])
def test_errors(op: Op, arrays: tuple[Array, ...], message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        run((op, arrays))
    assert str(caught.value) == message


def test_what_is_wrong_is_told_where_nothing_raises() -> None:
    several = np.stack([np.eye(3), SINGULAR, np.zeros((3, 3))])
    indefinite = np.stack([np.eye(3), INDEFINITE, -np.eye(3)])
    found = run(
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
    (inverse, info), (determinant,) = run(
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
    first = run(*uses)
    for how in ({"order": 1}, {"order": 7}, {"check": True}):
        for a, b in zip(first, run(*uses, **how), strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
