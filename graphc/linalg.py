"""Linear algebra, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphc.surface import LIFTED

LinAlgError = RuntimeError
"""What a generated program raises where a matrix has no inverse or no factor."""
_PREFIX = "linalg_"
NAMES = {name.removeprefix(_PREFIX): f for name, f in LIFTED.items() if name.startswith(_PREFIX)}
globals().update(NAMES)

__all__ = ["LinAlgError", *NAMES]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...
