"""The named results of functions that return several tensors."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

RETURN_TYPES: dict[str, type[Any]] = {}


def return_type(name: str, *fields: str) -> type[Any]:
    """The tuple with named fields that prints as ``torch.return_types.name``; one for each name."""
    if name not in RETURN_TYPES:
        base = namedtuple(name, fields)  # type: ignore[misc]
        RETURN_TYPES[name] = type(name, (base,), {"__slots__": (), "__repr__": _shown})
        RETURN_TYPES[name].__module__ = "torch.return_types"
    return RETURN_TYPES[name]


def _shown(self: Any) -> str:
    lines = ",\n".join(f"{name}={value!r}" for name, value in self._asdict().items())
    return f"torch.return_types.{type(self).__name__}(\n{lines})"
