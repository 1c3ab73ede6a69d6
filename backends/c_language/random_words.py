"""What is made of a counter's four random words a, b, c and d: the same numbers in every backend.

Each is an expression of C for the elements of a counter, in order.
"""

from __future__ import annotations

import math

from graphc.backends.c_language.types import stored
from graphc.ir.dtype import DType, float32
from graphc.ops.random import RandomInteger

KEYS = [f"{a} | (uint64_t){b} << 32" for a, b in ("ab", "cd")]
"""Numbers of 64 bits."""


def _unit32(word: str) -> str:
    return f"(float)(int32_t)({word} >> 8) * 0x1p-24f"


def _unit64(high: str, low: str) -> str:
    return f"((double)(int32_t)({high} >> 5) * 0x1p26 + (double)(int32_t)({low} >> 6)) * 0x1p-53"


def uniform(dtype: DType) -> list[str]:
    """Numbers in [0, 1), of 24 or 53 random bits."""
    if dtype is float32:
        return [_unit32(word) for word in "abcd"]
    return [_unit64("a", "b"), _unit64("c", "d")]


def polar(dtype: DType) -> list[tuple[str, str]]:
    """Of each pair of normal numbers, by Box and Muller, a number in (0, 1] and an angle."""
    turn = 2 * math.pi
    if dtype is not float32:
        return [(f"1 - {_unit64('a', 'b')}", f"{_unit64('c', 'd')} * {turn!r}")]
    step = f"{float(float32.numpy.type(turn * 2**-24)).hex()}f"
    return [
        (f"((float)(int32_t)({u} >> 8) + 1) * 0x1p-24f", f"(float)(int32_t)({v} >> 8) * {step}")
        for u, v in ("ab", "cd")
    ]


def integers(op: RandomInteger) -> list[str]:
    """Integers in [low, high)."""
    size, kind = op.high - op.low, stored(op.dtype)
    low = f" + UINT64_C({op.low % 2**64})" if op.low else ""
    if op.words == 1:
        found = [f"(UINT64_C({size}) * {word} >> 32)" for word in "abcd"]
    else:
        found = [f"({key})" for key in KEYS]
        found = [f"{x} % UINT64_C({size})" if size < 2**64 else x for x in found]
    return [f"({kind})(int64_t)({x}{low})" for x in found]
