"""Kernels of generated C for running totals, against the table's references and numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.scans import SCANS
from graphc.backends.native.targets import TARGETS
from graphc.ops.scan import CumProd, CumSum
from graphc.testing.table import NUMBERS
from tests.backends.native_samples import Use, check_samples, run_all
from tests.backends.test_native_movement import HERE, THREADS, node_of, numbers, permuted, result


@pytest.mark.parametrize("dtype", [x.name for x in NUMBERS])
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    """Every sample of the table."""
    assert check_samples(SCANS, dtype, tmp_path, TARGETS[target]) > 20


@pytest.mark.parametrize("target", HERE)
def test_large(target: str, tmp_path: Path) -> None:
    """Along each dimension, in any order of memory, by any number of threads."""
    uses, wanted = [], []
    for shape in ((70000,), (300, 301), (20, 60, 70)):
        x = numbers("float32", *shape) - 50
        orders = {tuple(range(x.ndim)), tuple(reversed(range(x.ndim)))}
        for dim in range(x.ndim):
            for given in sorted(orders):
                for order in sorted(orders):
                    for threads in THREADS:
                        operand, y = permuted(x, given), result(shape, x.dtype, order)
                        node = node_of(CumSum(dim), operand)
                        uses.append(Use(SCANS["cumsum"], node, [operand], [y], threads))
                        wanted.append(np.cumsum(x, dim))
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    for each, right in zip(uses, wanted, strict=True):
        # Whole numbers below 2**24 are added up exactly.
        np.testing.assert_array_equal(each.results[0], right, err_msg=str(each.node))


@pytest.mark.parametrize("target", HERE)
def test_low_precision_totals_are_rounded_as_they_are_stored(target: str, tmp_path: Path) -> None:
    """The total itself is held in float32."""
    x = np.full((5000, 3), 0.5, np.float16)
    factors = np.full((1000, 20), 1 + 2**-10, np.float16)
    uses = []
    for op, given in ((CumSum(0), x), (CumSum(1), x.T), (CumProd(0), factors)):
        node = node_of(op, given)
        uses.append(Use(SCANS[op.name], node, [given], [np.empty(given.shape, np.float16)]))
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    right = np.cumsum(x.astype(np.float32), 0).astype(np.float16)
    np.testing.assert_array_equal(uses[0].results[0], right)
    np.testing.assert_array_equal(uses[1].results[0], right.T)
    right = np.cumprod(factors.astype(np.float32), 0).astype(np.float16)
    np.testing.assert_array_equal(uses[2].results[0], right)
