"""Weights that fall off to the ends, by which stretches of a signal are multiplied."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np

from graphc.arguments import checked
from graphc.errors import GraphcRuntimeError
from graphc.from_data import held
from graphc.functions.operands import c_type, dtype_given
from graphc.ir.dtype import DType, get_default_dtype
from graphc.storage import Array
from graphc.tensor import Tensor

Shape = Callable[[Array], Array]
"""From places, 0 at one end and 1 at the other, the weights."""


def _window(
    name: str, size: int, periodic: bool, shape: Shape, dtype: Any, device: Any, grad: bool
) -> Tensor:
    """``size`` weights; ``periodic`` leaves out the last one of a longer window."""
    found = get_default_dtype() if dtype is None else dtype_given(dtype)
    if not found.is_floating_point:
        raise GraphcRuntimeError(
            f"{name} expects floating point dtypes, got: TensorOptions(dtype={c_type(found)}, "
            "device=cpu, layout=Strided (default), requires_grad=false (default), "
            "pinned_memory=false, memory_format=(nullopt))"
        )
    if size < 0:
        raise GraphcRuntimeError(
            f"{name} requires non-negative window_length, got window_length={size}"
        )
    last = size if periodic else size - 1
    weights = np.ones(size) if size <= 1 else shape(np.arange(size) / last)
    return held(weights.astype(found.numpy), device, requires_grad=grad)


def _cosines(*factors: float) -> Shape:
    """Σ of cosines of whole multiples of the turn, with these factors."""
    return lambda place: sum(
        (c * np.cos(2 * pi * k * place) for k, c in enumerate(factors)), np.zeros_like(place)
    )


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """0.5 - 0.5 · cos(2πx)."""
    shape = _cosines(0.5, -0.5)
    return _window("hann_window", window_length, periodic, shape, dtype, device, requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """α - β · cos(2πx)."""
    shape = _cosines(alpha, -beta)
    return _window("hamming_window", window_length, periodic, shape, dtype, device, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """0.42 - 0.5 · cos(2πx) + 0.08 · cos(4πx)."""
    shape = _cosines(0.42, -0.5, 0.08)
    return _window("blackman_window", window_length, periodic, shape, dtype, device, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """1 - |2x - 1|."""

    def shape(place: Array) -> Array:
        weights: Array = 1 - np.abs(2 * place - 1)
        return weights

    return _window("bartlett_window", window_length, periodic, shape, dtype, device, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """I₀(β · √(1 - (2x - 1)²)) / I₀(β)."""

    def shape(place: Array) -> Array:
        weights: Array = np.i0(beta * np.sqrt(1 - (2 * place - 1) ** 2)) / np.i0(beta)
        return weights

    return _window("kaiser_window", window_length, periodic, shape, dtype, device, requires_grad)


NAMESPACE: dict[str, Any] = {
    f.__name__: checked(f)
    for f in (hann_window, hamming_window, blackman_window, bartlett_window, kaiser_window)
}
"""What the package offers by name."""
