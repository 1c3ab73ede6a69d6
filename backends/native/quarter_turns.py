"""The powers of two times 2/π, modulo 4: they count the quarter turns of large numbers."""

from __future__ import annotations

from functools import cache

BITS = 320
"""Binary places of 2/π that are computed."""


def pi(bits: int) -> int:
    """π · 2^bits, rounded down but for the last places, by Machin's formula."""
    guard = bits + 32
    return (16 * _arctan_of_reciprocal(5, guard) - 4 * _arctan_of_reciprocal(239, guard)) >> 32


def _arctan_of_reciprocal(n: int, bits: int) -> int:
    term = total = (1 << bits) // n
    k, sign = 3, -1
    while term:
        term //= n * n
        total += sign * (term // k)
        k, sign = k + 2, -sign
    return total


@cache
def parts(count: int) -> tuple[list[float], list[float]]:
    """2^k · 2/π modulo 4, within ±2, for each k below ``count``: 28 bits of it, and the rest."""
    two_over_pi = (1 << (2 * BITS + 1)) // pi(BITS)
    high, low = [], []
    for k in range(count):
        turned = (two_over_pi << k) % (4 << BITS)
        turned -= (4 << BITS) * (turned >= 2 << BITS)
        first = turned >> (BITS - 26)
        high.append(first / 2**26)
        low.append((turned - (first << (BITS - 26))) / (1 << BITS))
    return high, low


def lines(values: list[float]) -> list[str]:
    """Numbers as lines of a C table, four to a line."""
    texts = [repr(value) for value in values]
    return [", ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
