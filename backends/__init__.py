"""The backends: which there are, and which one ``auto`` takes."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from graphc.backend import Backend
from graphc.errors import GraphcValueError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

OWN = ("numpy",)


def registered() -> EntryPoints:
    """The backends of other packages."""
    from importlib.metadata import entry_points  # costs more than the rest of this package

    return entry_points(group="graphc.backends")


@cache
def find(name: str) -> Backend:
    """The backend ``name``; ``auto`` is the fastest one that works here."""
    if name == "auto":
        name = OWN[0]
    if name in OWN:
        return import_module(f"graphc.backends.{name}").BACKEND  # type: ignore[no-any-return]
    for entry in registered():
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    raise GraphcValueError(f"unknown backend '{name}': there are {', '.join(names())}")


def names() -> tuple[str, ...]:
    """Every backend that can be asked for."""
    return (*OWN, *sorted(entry.name for entry in registered()))


def status() -> dict[str, str]:
    """What each backend is, and which of them ``auto`` takes."""
    return {name: "taken by auto" if name == OWN[0] else "registered" for name in names()}
