"""Work along lines by CUDA kernels: extents about those of a warp, a block and its pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from graphc.backends.cuda import BACKEND
from graphc.compiler import Program, pipeline
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Item, Node, Op, elementwise, make_input
from graphc.ir.types import TensorType
from graphc.ops.movement import permute
from graphc.ops.reduce import ArgMax, ArgMin, ArgReduce, Max, Sum
from graphc.ops.scan import CumProd, CumSum
from graphc.ops.sort import Sort, TopK
from graphc.passes import run as optimised
from tests.cuda.emulated import EmulatedBackend
from tests.cuda.runs import all_same, same_in_all


@dataclass(frozen=True)
class Turned(Op):
    """An op on the operand with its dimensions in the opposite order."""

    op: Op

    def __call__(self, *operands: Node) -> Node:
        (x,) = operands
        return self.op(permute(x, tuple(reversed(range(x.rank)))))


@pytest.mark.parametrize("size", [1, 8, 9, 31, 32, 33, 129, 1024, 1025, 8193, 9000])
def test_running_sums(size: int) -> None:
    x = np.random.default_rng(size).integers(-9, 9, (3, size), np.int64)
    np.testing.assert_array_equal(same_in_all(CumSum(1), x)[0], x.cumsum(1))
    np.testing.assert_array_equal(same_in_all(CumSum(0), x.T.copy())[0], x.T.cumsum(0))
    real = x.astype(np.float32) / 7
    wanted = real.astype(np.float64).cumsum(1)
    np.testing.assert_allclose(same_in_all(CumSum(1), real)[0], wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size", [14336, 14337, 40960, 70001])
def test_running_results_of_parts(size: int) -> None:
    """Few long lines, whose parts end within them and at their ends."""
    x: Any = np.random.default_rng(size).integers(-9, 9, (2, size), np.int64)
    uses: list[tuple[Op, tuple[Any, ...]]] = [(CumSum(1), (x,)), (Turned(CumSum(0)), (x,))]
    signs = np.where(x > 7, -1, 1)
    signs[:, ::20000] = 3
    uses += [(CumProd(1), (signs,)), (CumSum(1), ((x / 7).astype(np.float32),))]
    uses += [(CumSum(1), (np.full((1, size), 2.0**-13, np.float16),))]
    sums, turned, products, real, half = (x for (x,) in all_same(*uses))
    np.testing.assert_array_equal(sums, x.cumsum(1))
    np.testing.assert_array_equal(turned, x.T.cumsum(0))
    np.testing.assert_array_equal(products, signs.cumprod(1))
    np.testing.assert_allclose(real, (x / 7).cumsum(1), rtol=1e-4, atol=1e-2)
    wanted = (np.arange(1, size + 1) * 2.0**-13).astype(np.float16)
    np.testing.assert_array_equal(half[0], wanted)


@pytest.mark.parametrize("size", [33, 1100])
def test_running_products(size: int) -> None:
    x = np.random.default_rng(size).choice([-1, 1], (9, size)).astype(np.int64)
    x[:, :: size // 20] *= 3
    np.testing.assert_array_equal(same_in_all(CumProd(1), x)[0], x.cumprod(1))


def test_many_lines_beside_each_other() -> None:
    x = np.random.default_rng(0).integers(-9, 9, (10, 4100), np.int64)
    np.testing.assert_array_equal(same_in_all(CumSum(0), x)[0], x.cumsum(0))


@pytest.mark.parametrize("size", [1, 2, 31, 32, 33, 255, 257, 2048, 2049, 4097, 7000])
def test_sorting(size: int) -> None:
    """Many elements are equal: they stay in order."""
    x = np.random.default_rng(size).integers(-20, 20, (3, size)).astype(np.float32)
    x[0, size // 2] = np.nan
    x[1, size // 3] = -0.0
    places = x.argsort(1, kind="stable")
    values, found = same_in_all(Sort(1), x)
    np.testing.assert_array_equal(found, places)
    np.testing.assert_array_equal(values, np.take_along_axis(x, places, 1))
    values, found = same_in_all(Sort(0, descending=True), x.T.copy())
    turned = np.where(np.isnan(x), -np.inf, -x).argsort(1, kind="stable")
    np.testing.assert_array_equal(found.T, turned)
    count = min(size, 7)
    found = same_in_all(TopK(1, count, largest=False), x)[1]
    np.testing.assert_array_equal(found, places[:, :count])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float64])
def test_sorting_types(dtype: type) -> None:
    x: Any = np.random.default_rng(0).integers(0, 100, (2, 5000)).astype(dtype)
    x[0, 7] = np.finfo(dtype).min if np.dtype(dtype).kind == "f" else np.iinfo(dtype).min
    np.testing.assert_array_equal(same_in_all(Sort(1), x)[1], x.argsort(1, kind="stable"))


@pytest.mark.parametrize("size", [7, 64, 2048, 2051, 20000])
def test_the_first_few(size: int) -> None:
    """By rounds where lines are long and few are wanted; of equal ones the first, nan largest."""
    rng = np.random.default_rng(size)
    x = rng.integers(-200, 200, (2, size)).astype(np.float32)
    x[0, rng.integers(0, size, 2)] = np.nan
    small = np.full((2, size), -128, np.int8)
    small[1, -3:] = 127, -127, 127
    uses: list[tuple[Op, tuple[Any, ...]]] = []
    for count in (1, 3, 8, 500):
        uses += [(TopK(1, count, largest), (x,)) for largest in (False, True) if count <= size]
        uses += [(TopK(1, count, True), (small,)) for _ in range(count <= min(size, 8))]
    for (op, (given,)), (values, places) in zip(uses, all_same(*uses), strict=True):
        assert isinstance(op, TopK)
        keys = given.astype(np.float32)
        if op.largest:
            keys = np.where(np.isnan(keys), -np.inf, -keys)
        wanted = keys.argsort(1, kind="stable")[:, : op.k]
        np.testing.assert_array_equal(places, wanted)
        np.testing.assert_array_equal(values, np.take_along_axis(given, wanted, 1))


def test_rounds_of_the_first_few() -> None:
    def launches(size: int, count: int) -> list[str]:
        x = make_input("x", TensorType((3, size), float32))
        op = TopK(1, count)
        graph = Graph((x,), (Item(0)(op(x)),))
        text = BACKEND.emit(optimised(graph, pipeline(BACKEND))).text
        return re.findall(r"topk_0\S*<<<\d+", text)

    assert launches(2048, 50) == ["topk_0_tiles<<<3"]
    assert launches(2**20, 50) == ["topk_0_tiles<<<1536", "topk_0_tiles1<<<39", "topk_0_tiles2<<<3"]
    assert "_merge" in launches(5000, 513)[1], "too many to keep them alone"


@pytest.mark.parametrize("shape", [(1, 60000), (70001,), (2, 40004), (6000, 3), (5001, 40)])
def test_long_rows_and_columns_in_parts(shape: tuple[int, ...]) -> None:
    x: Any = np.random.default_rng(0).integers(-9, 9, shape, np.int64)
    every = tuple(range(len(shape)))
    for axes in ((0,), (len(shape) - 1,), every):
        np.testing.assert_array_equal(same_in_all(Sum(axes), x)[0], x.sum(axes, keepdims=True))
    real = np.where(x > 8, np.nan, x).astype(np.float32) / 7
    np.testing.assert_array_equal(same_in_all(Max((0,)), real)[0], real.max(0, keepdims=True))
    real = x.astype(np.float32) / 7
    found = same_in_all(Sum(every), real)[0].item()
    assert abs(found - real.sum(dtype=np.float64)) < 1e-3
    half = np.ones(shape, np.float16) / 8
    assert same_in_all(Sum(every), half)[0].item() == np.float16(half.size / 8)


def test_what_is_cut_in_parts() -> None:
    """As many parts as fill a device, of as few pieces as are worth a block."""

    def launches(*shape: int) -> str:
        x = make_input("x", TensorType(shape, float32))
        graph = Graph((x,), (Sum((0,))(x),))
        return BACKEND.emit(optimised(graph, pipeline(BACKEND))).text

    assert "_parts<<<1 x 264, 1024>>>" in launches(2**24)
    assert "_parts<<<2 x 132, 32 x 32>>>" in launches(2**20, 64)
    assert "_parts" not in launches(30000)
    assert "_parts" not in launches(2**20, 2**13)


def _first(x: Any, axes: tuple[int, ...], op: type[ArgReduce]) -> Any:
    """Where numpy, which takes the first nan or else the first extreme, finds it."""
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose(*rest, *axes).reshape(*(x.shape[axis] for axis in rest), -1)
    found = (np.argmax if op is ArgMax else np.argmin)(rows, axis=-1)
    return found.reshape([1 if axis in axes else n for axis, n in enumerate(x.shape)])


@pytest.mark.parametrize("op", [ArgMax, ArgMin])
@pytest.mark.parametrize("size", [1, 2, 31, 33, 256, 257, 1024, 1025, 3001, 40001])
def test_places_of_extremes(op: type[ArgReduce], size: int) -> None:
    """Most elements are equal, in some rows all, and in some there are nans: the first counts."""
    rng = np.random.default_rng(size)
    x = rng.integers(-2, 2, (6, size)).astype(np.float32)
    x[1] = np.inf if op is ArgMin else -np.inf
    x[2, rng.integers(0, size, 3)] = np.nan
    x[3] = np.nan
    x[4] = 0.0
    x[4, size // 2 :] = -0.0
    x[5] = np.inf if op is ArgMin else -np.inf
    x[5, size - 1 :] = 0
    for axes, turned in (((1,), x), ((0,), x.T.copy()), ((0,), x), ((0, 1), x), ((0, 1), x[1:2])):
        np.testing.assert_array_equal(same_in_all(op(axes), turned)[0], _first(turned, axes, op))


@pytest.mark.parametrize("op", [ArgMax, ArgMin])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.int64, np.float16, np.float64])
def test_places_of_extremes_of_types(op: type[ArgReduce], dtype: type) -> None:
    """The last element that is further out than all others is the type's own limit, or none is."""
    kind = np.dtype(dtype).kind
    x: Any = np.random.default_rng(0).integers(0, 2, (3, 20000)).astype(dtype)
    if kind != "b":
        limits: Any = np.finfo(dtype) if kind == "f" else np.iinfo(dtype)
        x[1] = limits.max if op is ArgMin else limits.min
        x[2, 19999] = limits.min if op is ArgMin else limits.max
    for axes in ((1,), (0,), (0, 1)):
        np.testing.assert_array_equal(same_in_all(op(axes), x)[0], _first(x, axes, op))


@pytest.mark.parametrize("shape", [(5, 7, 66), (3, 40, 1030), (9, 1, 6000)])
def test_places_over_several_axes(shape: tuple[int, ...]) -> None:
    """Counted in the order of the axes, wherever they lie in memory."""
    x: Any = np.random.default_rng(0).integers(-3, 3, shape).astype(np.float32)
    for axes in ((0, 1), (1, 2), (0, 2), (0, 1, 2)):
        np.testing.assert_array_equal(same_in_all(ArgMax(axes), x)[0], _first(x, axes, ArgMax))
        turned, op = x.transpose(2, 1, 0), Turned(ArgMin(axes))
        np.testing.assert_array_equal(same_in_all(op, x)[0], _first(turned, axes, ArgMin))


def test_what_rows_keep_has_room_in_registers() -> None:
    """Rows that keep much have more threads; where no block has room, it goes to memory."""

    def launches(columns: int) -> str:
        x, y = (make_input(name, TensorType((6, columns), float32)) for name in "xy")
        power = elementwise("exp", x * y)
        share = power / Sum((1,))(power)
        other = elementwise("sin", share + y)
        graph = Graph((x, y), (share * (other - Max((1,))(other)),))
        return BACKEND.emit(optimised(graph, pipeline(BACKEND))).text

    text = launches(1024)
    assert "float kept2[8]" in text and "<<<6, 128>>>" in text
    assert "float *kept" in launches(2**17)


def test_totals_over_the_same_axes_are_added_up_together() -> None:
    """Operands are read once for all of them."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-4, 5, (300, 40)).astype(np.float32) for _ in range(2)]
    x, y = (make_input(name, TensorType((300, 40), float32)) for name in "xy")
    product = x * y
    results = (Sum((0,))(product), Sum((0,))(product * y), Sum((0, 1))(product), product)
    graph = Graph((x, y), results)
    text = BACKEND.emit(optimised(graph, pipeline(BACKEND))).text
    assert len(re.findall(r"_total\d+<<<", text)) == 2
    program = Program(graph, EmulatedBackend(check=True)).executable.bind([])
    a, b = arrays
    c = a * b
    wanted = [c.sum(0, keepdims=True), (c * b).sum(0, keepdims=True), c.sum(), c]
    for got, right in zip(program(*arrays), wanted, strict=True):
        np.testing.assert_array_equal(got.reshape(right.shape), right)
