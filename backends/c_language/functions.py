"""Shared functions of generated programs: where the text of each comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphc.backends.c_language.types import computed, wrapping
from graphc.ir.dtype import int8, int16, int32, int64, uint8


@dataclass(frozen=True)
class Function:
    """Where a function's text comes from."""

    template: str
    block: str
    variables: Mapping[str, object] = field(default_factory=dict)


SMALL_ROTATIONS = ("rotation", "diagonalise", "least_singular", "singular_pair", "negligible")
"""The functions of ``small_rotations.c.j2``, which takes how they are declared."""


def integers(*, wraps: bool) -> list[Mapping[str, object]]:
    """The facts of functions of integers; whether the compiler lets these wrap around."""
    return [
        {
            "t": x.name,
            "c": computed(x),
            "bits": 8 * x.itemsize,
            "signed": x.is_signed,
            "w": "" if wraps else wrapping(x),
        }
        for x in (uint8, int8, int16, int32, int64)
    ]


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
