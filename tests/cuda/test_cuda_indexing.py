"""Values taken together at given places by CUDA kernels: few and many, at one place and at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc.ops.indexing import Gather, IndexPut, IndexSum, Scatter, ScatterAdd, ScatterReduce
from tests.cuda.emulated import EmulatedBackend
from tests.cuda.runs import OTHERS, PLAIN, all_same, run, same_in_all


@pytest.mark.parametrize("count", [1, 31, 33, 257, 2048, 2049, 5000])
@pytest.mark.parametrize("places", [1, 7, 300])
def test_sums_of_slices(count: int, places: int) -> None:
    """As the gradient of an embedding, whose place 0 may stay zero."""
    rng = np.random.default_rng(count)
    index = rng.integers(0, places, count)
    values = rng.integers(-9, 9, (count, 3)).astype(np.float32)
    wanted = np.zeros((places, 3), np.float32)
    np.add.at(wanted, index, values)
    np.testing.assert_array_equal(same_in_all(IndexSum((places, 3)), values, index)[0], wanted)
    wanted[0] = 0
    found = same_in_all(IndexSum((places, 3), False, 0), values, index)[0]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("rest", [(), (3,), (5, 70)])
@pytest.mark.parametrize("runs", [(127, 2), (128, 128), (129,), (100, 28, 400, 1), (60, 300, 300)])
def test_runs_that_are_cut(runs: tuple[int, ...], rest: tuple[int, ...]) -> None:
    """Runs of one place begin and end about the positions at which they are cut."""
    rng = np.random.default_rng(len(runs))
    index = rng.permutation(np.repeat(np.arange(len(runs)), runs))
    values = rng.integers(-9, 9, (index.size, *rest))
    wanted = np.zeros((len(runs) + 1, *rest), np.int64)
    np.add.at(wanted, index, values)
    np.testing.assert_array_equal(same_in_all(IndexSum(wanted.shape), values, index)[0], wanted)
    real = values.astype(np.float32) / 7
    (found,) = same_in_all(IndexSum(wanted.shape), real, index)
    np.testing.assert_allclose(found, wanted / 7, rtol=1e-5, atol=1e-4)


def test_sums_are_rounded_once_and_in_order() -> None:
    index = np.tile([2, 0, -1], 200)
    values = np.random.default_rng(0).standard_normal(600).astype(np.float16)
    (found,) = same_in_all(IndexSum((3,)), values, index)
    total = np.float32(0)
    for x in values[index == 0]:
        total += np.float32(x)
    assert found[0] == np.float16(total)
    assert found[1] == 0


@pytest.mark.parametrize("dim", [0, 1])
def test_sums_along_a_dimension(dim: int) -> None:
    rng = np.random.default_rng(1)
    shape, size = (70, 50), 9
    index, values = rng.integers(0, size, shape), rng.integers(-9, 9, shape)
    wanted = np.zeros((size, 50) if dim == 0 else (70, size), np.int64)
    own = np.indices(shape)
    np.add.at(wanted, (index, own[1]) if dim == 0 else (own[0], index), values)
    found = same_in_all(ScatterAdd(dim, wanted.shape), values, index)[0]
    np.testing.assert_array_equal(found, wanted)


def _along(op: Scatter | ScatterReduce, x: Any, values: Any, index: Any) -> Any:
    """What one thread would make of it."""
    found = x.copy()
    for place in np.ndindex(*index.shape):
        target = (*place[: op.dim], index[place], *place[op.dim + 1 :])
        new = values[place]
        if isinstance(op, ScatterReduce):
            function = {"mul": np.multiply, "maximum": np.maximum, "minimum": np.minimum}
            new = function[op.combine](found[target], new)
        found[target] = new
    return found


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.float16, np.float64])
def test_the_last_one_along_a_dimension_stays(dtype: type, dim: int) -> None:
    rng = np.random.default_rng(dim)
    for shape in ((300, 2), (9, 40)):
        index = rng.integers(0, 5, shape)
        values: Any = rng.integers(-9, 9, shape).astype(dtype)
        x: Any = np.zeros((5, shape[1]) if dim == 0 else (shape[0], 5), dtype)
        (found,) = same_in_all(Scatter(dim), x, values, index)
        np.testing.assert_array_equal(found, _along(Scatter(dim), x, values, index))


@pytest.mark.parametrize("combine", ["mul", "maximum", "minimum"])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.float32])
def test_values_combined_along_a_dimension(dtype: type, combine: str) -> None:
    rng = np.random.default_rng(2)
    index = rng.integers(0, 4, (1000, 2))
    values: Any = rng.integers(1, 9, index.shape).astype(dtype)
    x: Any = rng.integers(1, 9, (5, 2)).astype(dtype)
    if combine == "mul":
        values = np.where(values > 4, 3, 1).astype(dtype)
        values[20:] = 1
    if dtype is np.float32:
        values[700, 0] = np.nan
    op = ScatterReduce(0, combine)
    (found,) = same_in_all(op, x, values, index)
    np.testing.assert_array_equal(found, _along(op, x, values, index))


def test_many_lines_have_a_thread_each() -> None:
    rng = np.random.default_rng(3)
    index, values = rng.integers(0, 3, (12, 16400)), rng.integers(-9, 9, (12, 16400))
    wanted = np.zeros((3, 16400), np.int64)
    np.add.at(wanted, (index, np.arange(16400)), values)
    (found,) = same_in_all(ScatterAdd(0, wanted.shape), values, index)
    np.testing.assert_array_equal(found, wanted)


def _put(op: IndexPut, x: Any, values: Any, *indices: Any) -> Any:
    """What one thread would make of it."""
    found = x.copy()
    spread = np.broadcast_to(values, (*indices[0].shape, *x.shape[len(indices) :]))
    for place in np.ndindex(*indices[0].shape):
        target = tuple(index[place] for index in indices)
        found[target] = found[target] + spread[place] if op.accumulate else spread[place]
    return found


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int64, np.float16, np.float32])
@pytest.mark.parametrize("shape", [(3,), (40, 7), (300,)])
def test_values_at_positions(shape: tuple[int, ...], dtype: type) -> None:
    """Several at most positions, which some or all dimensions have; the last one stays."""
    rng = np.random.default_rng(shape[0])
    x: Any = rng.integers(-3, 3, (4, 3, 5)).astype(dtype)
    uses: list[tuple[Any, tuple[Any, ...]]] = []
    for lead in (1, 2, 3):
        indices = [rng.integers(-size, size, shape) for size in x.shape[:lead]]
        rest = x.shape[lead:]
        for given in ((*shape, *rest), rest):
            values: Any = rng.integers(-3, 3, given).astype(dtype)
            uses += [(IndexPut(how), (x, values, *indices)) for how in (False, True)]
    for (op, arrays), (found,) in zip(uses, all_same(*uses), strict=True):
        np.testing.assert_array_equal(found, _put(op, *arrays))


@pytest.mark.parametrize("op", [IndexPut(False), IndexPut(True)])
def test_a_position_out_of_bounds_is_told(op: IndexPut) -> None:
    index = np.arange(40) % 4
    index[[7, 30]] = 4, -5
    for backend in (PLAIN, *OTHERS):
        with pytest.raises(IndexError, match="index 4 is out of bounds"):
            run(backend, op, np.zeros(4), np.ones(40), index)


@pytest.mark.parametrize("backend", [PLAIN, *OTHERS])
def test_the_first_place_out_of_bounds_is_told(backend: EmulatedBackend) -> None:
    index = np.array([1, 2, 9, 3, 8])
    values = np.ones(5, np.float32)
    with pytest.raises((IndexError, RuntimeError), match="9"):
        run(backend, ScatterAdd(0, (4,)), values, index)


@pytest.mark.parametrize("order", range(2, 6))
def test_what_is_told_belongs_to_the_first_place(order: int) -> None:
    """Of many that are out of bounds, each with a value of its own, while all take turns."""
    index = np.arange(4096) + 1000
    index[:700] = 3
    backend = EmulatedBackend(order=order)
    with pytest.raises(RuntimeError, match="index 1700 is out of bounds"):
        run(backend, Gather(0), np.zeros(500, np.float32), index)
