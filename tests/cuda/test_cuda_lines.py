"""Work along lines by CUDA kernels: extents about those of a warp, a block and its pieces."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ops.scan import CumProd, CumSum
from graphc.ops.sort import Sort, TopK
from tests.cuda.runs import same_in_all


@pytest.mark.parametrize("size", [1, 8, 9, 31, 32, 33, 129, 1024, 1025, 8193, 9000])
def test_running_sums(size: int) -> None:
    x = np.random.default_rng(size).integers(-9, 9, (3, size), np.int64)
    np.testing.assert_array_equal(same_in_all(CumSum(1), x)[0], x.cumsum(1))
    np.testing.assert_array_equal(same_in_all(CumSum(0), x.T.copy())[0], x.T.cumsum(0))
    real = x.astype(np.float32) / 7
    wanted = real.astype(np.float64).cumsum(1)
    np.testing.assert_allclose(same_in_all(CumSum(1), real)[0], wanted, rtol=1e-4, atol=1e-3)


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
    x = np.random.default_rng(0).integers(0, 100, (2, 5000)).astype(dtype)
    x[0, 7] = np.finfo(dtype).min if np.dtype(dtype).kind == "f" else np.iinfo(dtype).min
    np.testing.assert_array_equal(same_in_all(Sort(1), x)[1], x.argsort(1, kind="stable"))
