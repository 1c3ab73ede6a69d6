"""What the template of a matrix turned on its side is given for each size of elements."""

from __future__ import annotations

from collections.abc import Mapping


def facts(bits: int) -> Mapping[str, object]:
    """For elements of so many bits: vectors of 16 bytes, whose rows are exchanged in pairs."""
    lanes = 128 // bits
    half = range(lanes // 2)
    return {
        "bits": bits,
        "lanes": lanes,
        "rows": "abcde"[: lanes.bit_length()],
        "low": ", ".join(f"{i}, {i + lanes}" for i in half),
        "high": ", ".join(f"{i + lanes // 2}, {i + lanes + lanes // 2}" for i in half),
        "square": {8: 64, 16: 64, 32: 32, 64: 32}[bits],
    }
