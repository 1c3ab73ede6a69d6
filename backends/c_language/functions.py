"""Shared functions of generated programs: where the text of each comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Function:
    """Where a function's text comes from."""

    template: str
    block: str
    variables: Mapping[str, object] = field(default_factory=dict)


INTEGERS: tuple[Mapping[str, object], ...] = tuple(
    {"t": f"{sign}int{bits}", "c": f"{sign}int{bits}_t", "bits": bits, "signed": not sign}
    for sign, bits in (("u", 8), ("", 8), ("", 16), ("", 32), ("", 64))
)

SMALL_ROTATIONS = ("rotation", "diagonalise", "least_singular", "singular_pair", "negligible")
"""The functions of ``small_rotations.c.j2``, which takes how they are declared."""


def each_type(
    template: str, blocks: str, types: Iterable[Mapping[str, object]]
) -> Iterator[tuple[str, Function]]:
    """Functions of which there is one for each type, by their names."""
    for block in blocks.split():
        for variables in types:
            yield f"{block}_{variables['t']}", Function(template, block, variables)


def ordered(
    names: Iterable[str],
    text_of: Callable[[str], str],
    needs: Callable[[str, str], Iterable[str]],
) -> list[str]:
    """The texts of functions, each after those that it needs, given its name and text."""
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        if name in texts:
            return
        text = text_of(name)
        for other in needs(name, text):
            if other != name:
                add(other)
        texts[name] = text

    for name in sorted(names):
        add(name)
    return list(texts.values())
