"""Cuts that are chosen by measuring: once per machine, and with the same results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc
from graphc.backends import tuned as kept
from graphc.backends.disk import folder
from graphc.backends.native import tuning


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tuning, "COUNT", 3)
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    kept.known.cache_clear()


def normal(*shape: int) -> graphc.Tensor:
    found: graphc.Tensor = graphc.from_numpy(
        np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    )
    return found


def product(x: graphc.Tensor, y: graphc.Tensor) -> graphc.Tensor:
    found: graphc.Tensor = graphc.relu(x @ y)
    return found


@pytest.mark.parametrize("is_swapped", [False, True])
def test_what_was_measured_is_kept(is_swapped: bool) -> None:
    a, b = normal(96, 80), normal(80, 64)
    if is_swapped:
        a, b = b.t(), a.t()
    tuned = graphc.compile(product, backend="native", tune=True)
    found = tuned(a, b)
    np.testing.assert_allclose(found.numpy(), np.maximum(a.numpy() @ b.numpy(), 0), atol=1e-4)
    assert "measured: " in tuned.source()
    assert (folder() / "tuned.json").exists()
    kept.known.cache_clear()
    again = graphc.compile(product, backend="native", tune=True)
    again(a, b)
    assert again.source() == tuned.source()


def test_a_backend_without_choices_says_so() -> None:
    with pytest.raises(graphc.GraphcError, match="backend 'numpy' has no choices"):
        graphc.compile(lambda x: x, backend="numpy", tune=True)
