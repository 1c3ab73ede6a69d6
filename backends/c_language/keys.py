"""Numbers that are in the order that is wanted of elements."""

from __future__ import annotations

from graphc.backends.c_language.types import is_low, stored
from graphc.ir.dtype import DType
from graphc.kernels_templates import render_block


def key(name: str, dtype: DType, *, descending: bool) -> str:
    """The function that gives an element's key, in the order that is wanted: C, and CUDA C."""
    bits = 8 * dtype.itemsize
    block = "integer"
    if dtype.is_floating_point:
        block = "low" if is_low(dtype) else "float"
    kind = f"UINT{bits}_C"
    highest = f"{kind}(0x{1 << (bits - 1):x})"
    given = {
        "name": name,
        "type": stored(dtype),
        "bits": bits,
        "sign": highest if dtype.is_signed or dtype.is_floating_point else "",
        "specials": "0x7c00" if dtype.name == "float16" else "0x7f80",
        "invert": "~" if descending else "",
        "order": "descending" if descending else "ascending",
    }
    return render_block("key.c.j2", block, **given).strip("\n")
