"""``interpolate`` by its older names."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from graphc.surface import LIFTED
from graphc.tensor import Tensor


def _warn(name: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=3,
    )


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """``interpolate``."""
    _warn("upsample")
    return LIFTED["interpolate"](input, size, scale_factor, mode, align_corners)  # type: ignore[no-any-return]


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` from the nearest elements."""
    _warn("upsample_nearest")
    return LIFTED["interpolate"](input, size, scale_factor, "nearest")  # type: ignore[no-any-return]


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """``interpolate`` between elements, the corners being the same."""
    _warn("upsample_bilinear")
    return LIFTED["interpolate"](input, size, scale_factor, "bilinear", True)  # type: ignore[no-any-return]


NAMES: dict[str, Callable[..., Tensor]] = {
    f.__name__: f for f in (upsample, upsample_nearest, upsample_bilinear)
}
