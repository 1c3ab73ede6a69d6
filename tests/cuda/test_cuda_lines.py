"""Work along lines by CUDA kernels: extents about those of a warp, a block and its pieces."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.ops.scan import CumProd, CumSum
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
