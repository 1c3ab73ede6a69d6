"""The values of ops by CUDA kernels that run on the CPU, in several orders of threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from graphc.backends import find
from graphc.backends.cuda.decompositions import DECOMPOSITIONS
from graphc.backends.cuda.linear_algebra import LINEAR_ALGEBRA
from graphc.compiler import Program
from graphc.ir.dtype import DType, bfloat16, float16, float32, float64, int8, int16, int32, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, elementwise, make_input
from graphc.ir.types import TensorType
from graphc.ops import elementwise as ops
from graphc.ops.creation import Arange
from graphc.ops.indexing import IndexPut, IndexSum, ScatterAdd, ScatterReduce
from graphc.ops.matmul import MatMul
from graphc.ops.reduce import Max, Prod, Sum
from graphc.ops.scan import CumProd, CumSum
from graphc.testing import test_contract as contract
from graphc.testing.operands import draw, extremes
from graphc.testing.programs import check, expected, run, run_uses, use
from graphc.testing.table import EXACT, Row, Sample, sample, samples_of, table
from tests.cuda.emulated import EmulatedBackend

TOGETHER = 8
"""Rows whose samples are one program: a compiler takes most of its time to begin."""


def rows_of(dtype: DType) -> list[list[Row]]:
    """The rows that have samples of a type, some at a time; of float64 those of matrices alone."""
    found = [x for x in table().values() if dtype in x.dtypes]
    if dtype is float64:
        found = [x for x in found if x.name in LINEAR_ALGEBRA.keys() | DECOMPOSITIONS.keys()]
    return [found[i : i + TOGETHER] for i in range(0, len(found), TOGETHER)]


CASES = [(dtype, rows) for dtype in (float32, int64, float16, float64) for rows in rows_of(dtype)]


@pytest.mark.parametrize(
    ("dtype", "rows"), CASES, ids=[f"{d.name}-{rows[0].name}" for d, rows in CASES]
)
def test_values(dtype: DType, rows: list[Row]) -> None:
    samples = [(row, x) for row in rows for x in samples_of(row.name, dtype.name)]
    uses = [use(x, i) for i, (_, x) in enumerate(samples)]
    found = run_uses(EmulatedBackend(), uses)
    for (row, given), each, results in zip(samples, uses, found, strict=True):
        wanted = expected(row, given, [x.dtype for x in each.results])
        for got, right in zip(results, wanted, strict=True):
            check(given, got, right, row.tolerance_in(dtype), signed_zeros=row.signed_zeros)


def of_extremes(dtype: DType) -> Iterator[Sample]:
    """Uses of ops whose numbers a type of integers does not hold."""
    ends = extremes(dtype)
    for two in (ops.Add(), ops.Sub(), ops.Mul(), ops.FloorDivide(), ops.Remainder(), ops.Fmod()):
        yield sample(two, ends[:, None], ends)
    for powers in (ops.Pow(), ops.ShiftLeft(), ops.ShiftRight()):
        yield sample(powers, ends[:, None], ends[ends >= 0])
    for unary in (ops.Neg(), ops.Abs(), ops.Sign()):
        yield sample(unary, ends)
    for size in (5, 300, 3000):
        line = np.resize(ends, (3, size))
        for dim in (0, 1):
            for over in (Sum((dim,)), Prod((dim,)), CumSum(dim), CumProd(dim)):
                yield sample(over, line)
    yield sample(MatMul(), np.resize(ends, (5, 700)), np.resize(ends, (700, 7)))
    places, values = np.zeros((3, 40), np.int64), np.resize(ends, (3, 40))
    yield sample(ScatterAdd(1, (3, 4)), values, places)
    yield sample(ScatterReduce(1, "mul"), values, values, places)
    yield sample(IndexSum((4, 40)), values, places[:, 0])
    yield sample(IndexPut(accumulate=True), values, values, places[:, 0])
    yield sample(wide_range(dtype))


def wide_range(dtype: DType) -> Arange:
    """From the least number of a type to almost the greatest: the last is further than that."""
    ends = np.iinfo(dtype.numpy)
    return Arange(ends.min, ends.max // 2, 5, dtype)


@pytest.mark.parametrize("dtype", [int8, int16, int32, int64], ids=str)
def test_integers_wrap_around(dtype: DType) -> None:
    """As they do in numpy, and with no overflow of a signed type, which has no meaning in C."""
    uses = [use(x, i) for i, x in enumerate(of_extremes(dtype))]
    wanted = run_uses(find("numpy"), uses)
    found = run_uses(EmulatedBackend(check=True), uses)
    for each, got, right in zip(uses, found, wanted, strict=True):
        for a, b in zip(got, right, strict=True):
            check(each.sample, a, b, EXACT)


@pytest.mark.parametrize("dtype", [int8, int16, int32, int64], ids=str)
def test_ranges_within_groups_wrap_around(dtype: DType) -> None:
    numbers = wide_range(dtype)
    x = make_input("x", TensorType((numbers.size,), dtype))
    graph, arrays = Graph((x,), (x + numbers(),)), [extremes(dtype)[: numbers.size]]
    (got,), (right,) = (
        run(backend, graph, arrays) for backend in (EmulatedBackend(check=True), find("numpy"))
    )
    np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("name", [x for x in dir(contract) if x.startswith("test_")])
def test_contract(name: str) -> None:
    getattr(contract, name)(EmulatedBackend())


def rows_and_products(x: Node, w: Node) -> tuple[Node, ...]:
    """Softmax over rows, totals over columns and everything, and a product."""
    powers = elementwise("exp", x - Max((1,))(x))
    shares = powers / Sum((1,))(powers)
    return shares, Sum((0,))(shares * x), Sum((0, 1))(x), MatMul()(shares, w)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((3, 5), float32),
        ((70, 96), float32),
        ((70, 96), float64),
        ((5, 1600), float32),
        ((5, 3000), bfloat16),
        ((9, 1025), float32),
    ],
    ids=str,
)
def test_order_of_threads_does_not_matter(shape: tuple[int, int], dtype: DType) -> None:
    """Nor does a check of every access find anything: bounds, races, memory not written."""
    x = make_input("x", TensorType(shape, dtype))
    w = make_input("w", TensorType((shape[1], 20), dtype))
    graph = Graph((x, w), rows_and_products(x, w))
    arrays = draw(dtype, *shape), draw(dtype, shape[1], 20, seed=1)
    several = [EmulatedBackend(order=order) for order in (0, 1, 7)]
    several.append(EmulatedBackend(check=True))
    first, *others = (Program(graph, each).executable.bind([])(*arrays) for each in several)
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)
    tolerance = 1e-5 if dtype is not bfloat16 else 0.04
    wide = np.asarray(arrays[0], np.float64)
    right = np.exp(wide - wide.max(1, keepdims=True))
    right /= right.sum(1, keepdims=True)
    np.testing.assert_allclose(np.asarray(first[0], np.float64), right, rtol=tolerance, atol=1e-6)
    product = right @ np.asarray(arrays[1], np.float64)
    got = np.asarray(first[3], np.float64)
    np.testing.assert_allclose(got, product, rtol=tolerance, atol=tolerance)
