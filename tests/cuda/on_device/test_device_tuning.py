"""Products and convolutions chosen by measuring them on the device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.nn.functional as F
from graphc.backends import tuned
from graphc.backends.cuda import bench, tuning


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes little time, and begins with products that the stand-in does at once."""
    monkeypatch.setattr(tuning, "COUNT", 3)
    monkeypatch.setattr(tuning, "WORK", 1)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "LAUNCHES", 3)


@pytest.fixture(autouse=True)
def nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    tuned.known.cache_clear()


def normal(*shape: int, seed: int = 0, dtype: Any = graphc.float32) -> graphc.Tensor:
    found: graphc.Tensor = graphc.from_numpy(
        np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    )
    return found.to(dtype).cuda()  # type: ignore[no-any-return]


def kept() -> dict[str, tuned.Choice]:
    """What later processes will know."""
    tuned.known.cache_clear()
    return tuned.known()


def near(got: graphc.Tensor, right: graphc.Tensor) -> None:
    tolerance = 1e-4 if got.dtype == graphc.float32 else 2e-2
    a, b = (x.float().cpu().numpy() for x in (got, right))
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def take(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a candidate of a number have been the fastest."""

    def times(self: bench.Bench) -> list[float]:
        return [1e-6 if i == number else 1e-3 for i in range(len(self.kernels))]

    monkeypatch.setattr(bench.Bench, "times", times)


def layer(x: Any, w: Any, b: Any) -> Any:
    return F.relu(x @ w + b)


def attended(x: Any, y: Any, b: Any) -> Any:
    """Batches, one of which is broadcast, of a matrix that is turned round."""
    return (x.reshape(2, 3, 8, 40).flip(2) @ y.reshape(3, 40, 40).transpose(1, 2)) * b[:40]


def convolved(x: Any, w: Any, b: Any) -> Any:
    return F.relu(F.conv2d(x.reshape(2, 4, 12, 20), w.reshape(-1)[:864].reshape(8, 4, 3, 9), b[:8]))


FUNCTIONS: dict[str, Callable[..., Any]] = {x.__name__: x for x in (layer, attended, convolved)}


def operands(dtype: Any) -> list[graphc.Tensor]:
    x, w, b = normal(24, 80), normal(80, 60, seed=1) / 8, normal(60, seed=2)
    return [t.to(dtype) for t in (x, w, b)]


@pytest.mark.parametrize("dtype", [graphc.float32, graphc.bfloat16], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_what_they_were(name: str, dtype: Any) -> None:
    given = operands(dtype)
    step = graphc.compile(FUNCTIONS[name], tune=True)
    near(step(*given), graphc.compile(FUNCTIONS[name])(*given))
    assert "measured: " in step.source()
    assert len(kept()) == 1


@pytest.mark.parametrize("number", [0, 2])
def test_the_fastest_is_taken(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands(graphc.float32)
    take(number, monkeypatch)
    step = graphc.compile(layer, tune=True)
    near(step(*given), graphc.compile(layer)(*given))
    assert "measured: 1.0 us, the best of 3 cuts" in step.source()
    (choice,) = kept().values()
    cut = f"{choice['rows']} x {choice['columns']} x {choice['depth']} a block"
    assert cut in step.source()
    (untuned,) = (k.text for k in graphc.compile(layer, *given).kernels)
    assert (cut in untuned) == (number == 0)


def test_what_was_measured_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later process measures nothing; another product or another kind of numbers is measured."""
    given = operands(graphc.float32)
    first = graphc.compile(layer, *given, tune=True).source()
    known = kept()
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    assert graphc.compile(layer, *given, tune=True).source() == first
    other = graphc.compile(layer, *operands(graphc.float16), tune=True)
    assert "measured: " not in other.source()
    assert kept() == known


def test_what_there_is_no_time_for_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    given = operands(graphc.float32)
    assert (
        graphc.compile(layer, *given, tune=True).source() == graphc.compile(layer, *given).source()
    )


def test_a_choice_that_there_is_no_more_is_made_anew() -> None:
    given = operands(graphc.float32)
    graphc.compile(layer, *given, tune=True)
    (key,) = kept()
    tuned.remember(key, {"rows": 3, "reason": "measured: long ago"})
    assert "long ago" not in graphc.compile(layer, *given, tune=True).source()
    assert kept()[key]["rows"] != 3


def test_a_program_with_arrays_of_the_cpu() -> None:
    given = [x.cpu() for x in operands(graphc.float32)]
    step = graphc.compile(layer, backend="cuda", tune=True)
    near(step(*given), layer(*given))
    assert "measured: " in step.source()


def test_no_arch_is_taken() -> None:
    with pytest.raises(graphc.GraphcError, match="it takes no arch="):
        graphc.compile(layer, backend="cuda", arch="sm_90", tune=True)
