"""Indices out of the number of a thread: host-side simplified divisions and remainders."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod


def split(
    flat: str, extents: Sequence[int], names: Sequence[str], kind: str, width: int = 1
) -> list[str]:
    """The declarations of the indices that a flat one stands for, the last times ``width``.

    Axes of extent one have the index 0.
    """
    lines = []
    wide = [axis for axis, n in enumerate(extents) if n != 1]
    for axis, name in enumerate(names):
        text = "0"
        if axis in wide:
            below = prod(extents[axis + 1 :])
            text = f"{flat} / {below}" if below != 1 else flat
            if axis != wide[0]:
                text = f"{text} % {extents[axis]}"
        if width != 1 and axis == len(names) - 1 and text != "0":
            text = f"{text} * {width}" if text == flat else f"({text}) * {width}"
        lines.append(f"const {kind} {name} = {text};")
    return lines
