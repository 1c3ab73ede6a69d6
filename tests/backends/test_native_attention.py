"""Attention in C: values against the table's references."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphc.backends.native.attention import ATTENTION, claims
from graphc.backends.native.targets import TARGETS, host
from graphc.testing.programs import check, expected, use
from graphc.testing.table import samples_of, table
from tests.backends.native_samples import run_all, use_of, viewed

HERE = sorted({"portable", host().name})


@pytest.mark.parametrize("target", HERE)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ATTENTION)
def test_samples(name: str, dtype: str, target: str, tmp_path: Path) -> None:
    """Those that are claimed: all but dropping ones and empty ones."""
    row, uses = table()[name], []
    for i, sample in enumerate(samples_of(name, dtype)):
        node = use(sample, i).results[0].inputs[0]
        if claims(node):
            uses.append((sample, use_of(ATTENTION[name], node, *map(viewed, sample.operands))))
    assert len(uses) > 10
    run_all([each for _, each in uses], tmp_path, TARGETS[target])
    for sample, each in uses:
        dtypes = [t.dtype for t in each.node.types]
        for got, wanted in zip(each.results, expected(row, sample, dtypes), strict=True):
            check(sample, got, wanted, row.tolerance_in(sample.operands[0].dtype))
