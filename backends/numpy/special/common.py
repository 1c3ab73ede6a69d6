"""What every special kernel of the numpy backend returns, and arithmetic that several share."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

SCRATCH_LIMIT = 4 << 20
"""The bytes of scratch that one block aims at: half an L3 slice, measured best for convolution."""

Shape = tuple[int, ...]
Scratch = tuple[tuple[Shape, str], ...]


@dataclass(frozen=True)
class Rendered:
    """A generated function: its text, and the shape and dtype of each scratch array it takes."""

    text: str
    scratch: Scratch = ()


def itemsize(dtype: str) -> int:
    """The bytes of one element of a dtype; bfloat16, which numpy itself does not know, has 2."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def accumulator(dtype: str) -> str:
    """The dtype in which sums of `dtype` are held: float32 for the 16-bit floats."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def even(count: int, most: int) -> int:
    """The size of equal blocks of `count` things, of at most `most` each (at least 1)."""
    most = max(1, most)
    blocks = max(1, -(-count // most))
    return max(1, -(-count // blocks))


def normal_axis(axis: int, rank: int) -> int:
    """An axis counted from 0."""
    return axis + rank if axis < 0 else axis


def split(shape: Shape, axis: int) -> tuple[int, int, int]:
    """The sizes before, at and after an axis."""
    axis = normal_axis(axis, len(shape))
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


def literal(shape: Shape) -> str:
    """The sizes as text between commas: "3, 4"."""
    return ", ".join(map(str, shape))


def following(sizes: Shape) -> str:
    """Sizes as text that follows another one: ", 3, 4", or nothing."""
    return "".join(f", {size}" for size in sizes)


def parameters(names: tuple[str, ...]) -> str:
    """Scratch parameters as text that follows `out`."""
    return "".join(f", {name}" for name in names)


def span(start: str, count: str | int, step: int) -> str:
    """The text of the slice of `count` elements from `start` at `step`; an end past is clipped."""
    if isinstance(count, str):
        length = count if step == 1 else f"{step} * {count}"
    else:
        length = str(count * step)
    tail = "" if step == 1 else f" : {step}"
    head = f"{start} + " if start != "0" else ""
    return f"{start} : {head}{length}{tail}"


def scaled(name: str, factor: int) -> str:
    """The text of a product with a literal."""
    return name if factor == 1 else f"{factor} * {name}"


def joined(terms: list[str], sign: str, *, always: bool = False) -> str:
    """Terms with a sign between: on one line where they fit, else in parentheses, one a line."""
    line = f" {sign} ".join(terms)
    if len(line) <= 72:
        return f"({line})" if always else line
    return "(\n        " + f"\n        {sign} ".join(terms) + "\n    )"
