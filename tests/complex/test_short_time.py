"""``stft`` and ``istft`` against PyTorch, values and gradients."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import graphc
from tests.complex.calls import z
from tests.torch_peer import compare, normal, torch

MODULES = (graphc, torch)


@pytest.fixture(autouse=True)
def quietly() -> Iterator[None]:
    """PyTorch warns of windows that are not given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "hop": {"hop_length": 3},
    "window": {"window": "hann"},
    "short window": {"window": "hann", "win_length": 6},
    "no window": {"win_length": 5},
    "not centered": {"center": False, "hop_length": 4},
    "normalized": {"normalized": True, "window": "hann"},
    "both sides": {"onesided": False},
}


def _given(m: Any, settings: dict[str, Any]) -> dict[str, Any]:
    if "window" not in settings:
        return settings
    width = settings.get("win_length", 8)
    # Positive everywhere, so that there is an inverse.
    return {**settings, "window": m.hann_window(width, dtype=m.float64) + 0.1}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("shape", [(40,), (2, 41)])
def test_stft(shape: tuple[int, ...], settings: dict[str, Any]) -> None:
    def call(m: Any, x: Any) -> Any:
        return m.stft(x, 8, return_complex=True, **_given(m, settings))

    compare(call, MODULES, [normal(*shape)], twice=True)


def test_stft_of_complex_numbers_and_as_pairs() -> None:
    compare(lambda m, x: x.stft(8), MODULES, [z(40)])
    compare(lambda m, x: m.stft(x, 8, return_complex=False), MODULES, [normal(40)])
    compare(lambda m, x: m.stft(x, 8, pad_mode="constant", return_complex=True), MODULES, [z(40)])


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("length", [None, 30])
def test_istft(length: int | None, settings: dict[str, Any]) -> None:
    def call(m: Any, x: Any) -> Any:
        given = _given(m, settings)
        return m.istft(m.stft(x, 8, return_complex=True, **given) * 2, 8, length=length, **given)

    if settings.get("win_length") == 5 or settings.get("center") is False:
        settings = {**settings, "center": True, "hop_length": 2}
    compare(call, MODULES, [normal(2, 40)])


def test_istft_of_any_spectra() -> None:
    compare(lambda m, x: m.istft(x, 8, hop_length=2), MODULES, [z(2, 5, 11)])
    compare(lambda m, x: x.istft(8, return_complex=True, onesided=False), MODULES, [z(8, 11)])


ERRORS = {
    "nothing said of the result": lambda m: m.stft(m.ones(20), 8),
    "no distance": lambda m: m.stft(m.ones(20), 8, hop_length=0, return_complex=True),
    "a window too long": lambda m: m.stft(m.ones(20), 8, win_length=9, return_complex=True),
    "another window": lambda m: m.stft(m.ones(20), 8, window=m.ones(5), return_complex=True),
    "one side of complex numbers": lambda m: m.stft(m.ones(20) * 1j, 8, onesided=True),
    "real spectra": lambda m: m.istft(m.ones(5, 11), 8),
    "too few frequencies": lambda m: m.istft(m.ones(4, 11) * 1j, 8, onesided=True),
}


@pytest.mark.parametrize("what", ERRORS)
def test_error(what: str) -> None:
    for m in MODULES:
        with pytest.raises(RuntimeError):
            ERRORS[what](m)
