"""Fourier transforms against PyTorch's, values and gradients; of long ones against numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.complex.calls import z
from tests.torch_peer import Array, compare, normal, torch

MODULES = (graphc, torch)
LINES = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
AREAS = ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
LENGTHS = (1, 2, 5, 12, 31, 48, 61, 64, 66, 67, 100, 128, 131, 360, 1009, 1024)
"""Short ones and those of one stage and of several, with a long prime factor and without."""
OF_REAL = ("rfft", "ihfft", "rfft2", "rfftn")


def given(name: str, *shape: int) -> Array:
    """What a transform takes."""
    return normal(*shape) if name in OF_REAL else z(*shape)


def check(name: str, x: Array, *args: Any, **settings: Any) -> None:
    """The transform is PyTorch's, with both gradients."""

    def call(m: Any, x: Any) -> Any:
        y = getattr(m.fft, name)(x, *args, **settings)
        return y, y * y

    compare(call, MODULES, [x], twice=True)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", LINES)
def test_line(name: str, length: int) -> None:
    if length > 1 or name not in ("irfft", "hfft"):
        check(name, given(name, 2, length))


@pytest.mark.parametrize("norm", ["ortho", "forward", "backward", None])
@pytest.mark.parametrize("name", LINES)
def test_norm_and_extent(name: str, norm: str | None) -> None:
    for n in (7, 10, 13):
        check(name, given(name, 3, 10), n, norm=norm)
    check(name, given(name, 3, 10), dim=0, norm=norm)


@pytest.mark.parametrize("name", AREAS)
def test_area(name: str) -> None:
    x = given(name, 2, 6, 8)
    check(name, x)
    check(name, x, s=(5, 9))
    check(name, x, dim=(0, 2), norm="ortho")


@pytest.mark.parametrize("name", ["fft", "fftn", "ifft2", "irfft"])
def test_real_operands_become_complex(name: str) -> None:
    check(name, normal(3, 8))


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
def test_shift(name: str) -> None:
    check(name, z(5, 4))
    check(name, z(5, 4), 0)
    check(name, z(5, 4), (1,))


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
@pytest.mark.parametrize("n", [6, 7])
def test_frequencies(name: str, n: int) -> None:
    compare(lambda m: getattr(m.fft, name)(n), MODULES, [])
    compare(lambda m: getattr(m.fft, name)(n, 0.5, dtype=m.float64), MODULES, [])


@pytest.mark.parametrize("length", [4096, 44100, 65521, 65536])
def test_long_transforms_are_as_exact_as_numpys(length: int) -> None:
    x = z(length)
    expected = np.fft.fft(x)
    found = graphc.fft.fft(graphc.tensor(x)).numpy()
    assert np.abs(found - expected).max() < 1e-14 * np.log2(length) * np.abs(expected).max()
    narrow = graphc.fft.fft(graphc.tensor(x.astype("complex64"))).numpy()
    assert np.abs(narrow - expected).max() < 4e-7 * np.abs(expected).max()


ERRORS = {
    "no points": lambda m: m.fft.fft(m.zeros(3, 0)),
    "an extent of nothing": lambda m: m.fft.fft(m.zeros(3), 0),
    "an unknown norm": lambda m: m.fft.fft(m.zeros(3), norm="both"),
    "complex numbers for real ones": lambda m: m.fft.rfft(m.zeros(3, dtype=m.complex64)),
    "a dimension twice": lambda m: m.fft.fft2(m.zeros(3, 3), dim=(0, 0)),
    "extents that do not fit": lambda m: m.fft.fft2(m.zeros(3, 3), s=(1, 2, 3)),
}


@pytest.mark.parametrize("what", ERRORS)
def test_error(what: str) -> None:
    with pytest.raises(RuntimeError) as theirs:
        ERRORS[what](torch)
    with pytest.raises(RuntimeError) as mine:
        ERRORS[what](graphc)
    assert str(theirs.value).splitlines()[0].rstrip(".") in str(mine.value)
