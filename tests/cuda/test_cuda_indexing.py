"""Values added at given places by CUDA kernels: few and many, at one place and at all."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ops.indexing import IndexSum, ScatterAdd
from tests.cuda.emulated import EmulatedBackend
from tests.cuda.runs import OTHERS, PLAIN, run, same_in_all


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


@pytest.mark.parametrize("backend", [PLAIN, *OTHERS])
def test_the_first_place_out_of_bounds_is_told(backend: EmulatedBackend) -> None:
    index = np.array([1, 2, 9, 3, 8])
    values = np.ones(5, np.float32)
    with pytest.raises((IndexError, RuntimeError), match="9"):
        run(backend, ScatterAdd(0, (4,)), values, index)
