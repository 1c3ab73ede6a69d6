"""The shared functions of a generated program: those that its kernels call, and what these need."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.kernels_templates import render

HELPERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fail": ("fail.c.j2", ()),
    "nan_reductions": ("nan_reductions.c.j2", ()),
}
"""For each helper its template and the helpers that it calls itself."""


def prelude(helpers: Iterable[str]) -> str:
    """The beginning of a generated file: includes, types, and the helpers that are needed, in order."""
    needed: dict[str, None] = {}

    def add(name: str) -> None:
        for other in HELPERS[name][1]:
            add(other)
        needed[name] = None

    for name in sorted(helpers):
        add(name)
    parts = [render("_types.c.j2")]
    parts += list(dict.fromkeys(render(HELPERS[name][0]) for name in needed))
    return "\n".join(parts)
