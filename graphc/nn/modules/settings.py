"""Settings of layers: brought to their usual form, and shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def shown(owner: object, *names: str) -> str:
    """``name=value`` for each of the attributes ``names``."""
    return ", ".join(f"{name}={getattr(owner, name)}" for name in names)


def repeated(value: Any, count: int) -> tuple[Any, ...]:
    """``value`` as a tuple: itself if it is a sequence, else so many times."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * count
