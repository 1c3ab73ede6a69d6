"""Softmax and its kin with the dimension that PyTorch once chose by itself."""

from __future__ import annotations

import warnings
from typing import Any

from graphc.surface import LIFTED
from graphc.tensor import Tensor


def _chosen(name: str, dim: int | None, rank: int) -> int:
    """The dimension meant; None is PyTorch's deprecated choice by rank."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if rank in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(x) / Σ exp(x) along ``dim``."""
    axis = _chosen("softmax", dim, input.ndim)
    return LIFTED["softmax"](input, axis, dtype)  # type: ignore[no-any-return]


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x)"""
    axis = _chosen("softmin", dim, input.ndim)
    return LIFTED["softmax"](-input, axis, dtype)  # type: ignore[no-any-return]


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """x - ln Σ exp(x) along ``dim``."""
    axis = _chosen("log_softmax", dim, input.ndim)
    return LIFTED["log_softmax"](input, axis, dtype)  # type: ignore[no-any-return]
