"""Kernels of linear algebra in generated C, against the table's references, numpy and PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphc.backends.native.linear_algebra import LINEAR_ALGEBRA
from graphc.backends.native.targets import TARGETS, host
from tests.backends.native_samples import check_samples

HERE = list(dict.fromkeys([host().name, "portable"]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    assert check_samples(LINEAR_ALGEBRA, dtype, tmp_path, TARGETS[target]) > 100
