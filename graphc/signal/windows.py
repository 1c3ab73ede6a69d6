"""Weights that fall off to the ends; of ``M`` places, symmetric, or one short of it with no sym."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import pi
from typing import Any

import numpy as np

from graphc.errors import GraphcTypeError, GraphcValueError
from graphc.from_data import held
from graphc.ir.dtype import float32, float64, get_default_dtype
from graphc.layout import strided
from graphc.storage import Array
from graphc.tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]
Shape = Callable[[Array, int], Any]
"""From places 0, 1, ... and how many there are of the symmetric window, the weights."""


def _window(
    name: str,
    M: int,
    sym: bool,
    shape: Shape,
    *,
    dtype: Any = None,
    layout: Any = strided,
    device: Any = None,
    requires_grad: bool = False,
    alone: bool = True,
) -> Tensor:
    """The weights, float32 or float64; ``alone``: of one place the weight is 1.

    Raises:
        GraphcValueError: ``M`` is negative, or the layout is another one.
        GraphcRuntimeError: another element type.
    """
    found = get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise GraphcValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not strided:
        raise GraphcValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if found not in (float32, float64):
        raise GraphcValueError(f"{name} expects float32 or float64 dtypes, got: {found}")
    if M == 0 or (M == 1 and alone):
        weights = np.ones(M)
    else:
        weights = shape(np.arange(M), M if sym or M == 1 else M + 1)
    return held(np.asarray(weights).astype(found.numpy), device, requires_grad=requires_grad)


def _cosines(name: str, M: int, sym: bool, factors: Iterable[float], **settings: Any) -> Tensor:
    """Σ of cosines of whole multiples of the turn, with these factors and signs in turn."""

    def shape(place: Array, count: int) -> Any:
        turn = 2 * pi * place / (count - 1)
        return sum((-1) ** k * c * np.cos(k * turn) for k, c in enumerate(factors))

    return _window(name, M, sym, shape, **settings)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **settings: Any) -> Tensor:
    """Σ of (-1)ᵏ · aₖ · cos(2πkx)."""
    if M > 1 and not isinstance(a, Iterable):
        raise GraphcTypeError("Coefficients must be a list/tuple")
    if M > 1 and not a:
        raise GraphcValueError("Coefficients cannot be empty")
    return _cosines("general_cosine", M, sym, a, **settings)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **settings: Any) -> Tensor:
    """α - (1 - α) · cos(2πx)."""
    return _cosines("general_cosine", M, sym, (alpha, 1 - alpha), **settings)


def hamming(M: int, *, sym: bool = True, **settings: Any) -> Tensor:
    """0.54 - 0.46 · cos(2πx)."""
    return general_hamming(M, sym=sym, **settings)


def hann(M: int, *, sym: bool = True, **settings: Any) -> Tensor:
    """0.5 - 0.5 · cos(2πx)."""
    return general_hamming(M, alpha=0.5, sym=sym, **settings)


def blackman(M: int, *, sym: bool = True, **settings: Any) -> Tensor:
    """0.42 - 0.5 · cos(2πx) + 0.08 · cos(4πx)."""
    return _cosines("blackman", M, sym, (0.42, 0.5, 0.08), **settings)


def nuttall(M: int, *, sym: bool = True, **settings: Any) -> Tensor:
    """0.3635819 - 0.4891775 · cos(2πx) + 0.1365995 · cos(4πx) - 0.0106411 · cos(6πx)."""
    factors = (0.3635819, 0.4891775, 0.1365995, 0.0106411)
    return _cosines("general_cosine", M, sym, factors, **settings)


def bartlett(M: int, *, sym: bool = True, **settings: Any) -> Tensor:
    """1 - |2x - 1|."""

    def shape(place: Array, count: int) -> Any:
        return 1 - np.abs(2 * place / (count - 1) - 1)

    return _window("bartlett", M, sym, shape, **settings)


def cosine(M: int, *, sym: bool = True, **settings: Any) -> Tensor:
    """sin(π · (n + ½) / M)."""

    def shape(place: Array, count: int) -> Any:
        return np.sin(pi * (place + 0.5) / count)

    return _window("cosine", M, sym, shape, alone=False, **settings)


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **settings: Any
) -> Tensor:
    """exp(-|n - center| / τ)."""
    if tau <= 0:
        raise GraphcValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise GraphcValueError("Center must be None for symmetric windows")

    def shape(place: Array, count: int) -> Any:
        middle = (count - 1) / 2 if center is None else center
        return np.exp(-np.abs(place - middle) / tau)

    return _window("exponential", M, sym, shape, alone=False, **settings)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **settings: Any) -> Tensor:
    """exp(-½ · (n / std)²) of places n from the middle."""
    if std <= 0:
        raise GraphcValueError(f"Standard deviation must be positive, got: {std} instead.")

    def shape(place: Array, count: int) -> Any:
        return np.exp(-(((place - (count - 1) / 2) / std) ** 2) / 2)

    return _window("gaussian", M, sym, shape, alone=False, **settings)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **settings: Any) -> Tensor:
    """I₀(β · √(1 - (2x - 1)²)) / I₀(β)."""
    if beta < 0:
        raise GraphcValueError(f"beta must be non-negative, got: {beta} instead.")

    def shape(place: Array, count: int) -> Any:
        inside = 1 - (2 * place / (count - 1) - 1) ** 2
        return np.i0(beta * np.sqrt(np.maximum(inside, 0))) / np.i0(beta)

    return _window("kaiser", M, sym, shape, **settings)
