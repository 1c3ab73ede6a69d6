"""What kernels check of integers, and the errors: an exception's name, a message of the value."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.backends.c_language.types import number
from graphc.ir.dtype import DType

Error = tuple[str, str]

OUT_OF_RANGE: tuple[Error, ...] = (("IndexError", "index out of range in self"),)
"""The error of the index of an embedding."""


def out_of_bounds(kind: str, sizes: Iterable[int], first: int = 0) -> tuple[Error, ...]:
    """The error of each index; ``first``: the dimension of the first one, as it is told."""
    return tuple(
        (kind, f"index {{}} is out of bounds for dimension {dim} with size {size}")
        for dim, size in enumerate(sizes, first)
    )


def outside(dtype: DType, low: int, high: int) -> list[str]:
    """The conditions under one of which ``value`` is not in [low, high)."""
    bits = 8 * dtype.itemsize
    least, end = (0, 256) if dtype.name == "uint8" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if low >= end or high <= least:
        return ["1"]
    found = [f"(value < {number(dtype, low)})"] if low > least else []
    return [*found, f"(value >= {number(dtype, high)})"] if high < end else found
