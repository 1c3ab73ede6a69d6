"""The C types of the element types, and how a kernel reads and writes them.

Low-precision floats are stored as structures of two bytes and computed as ``float``; truth values
are stored as bytes that are 0 or 1. Everything else is computed as it is stored.
"""

from __future__ import annotations

from graphc.ir.dtype import DType

STORED = {
    "bool": "uint8_t",
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float16": "float16",
    "bfloat16": "bfloat16",
    "float32": "float",
    "float64": "double",
}
"""The C type of an element in memory, by the element type's name."""

COMPUTED = {**STORED, "float16": "float", "bfloat16": "float"}
"""The C type of a value within a kernel."""


def stored(dtype: DType) -> str:
    """The C type of an element in memory."""
    return STORED[dtype.name]


def computed(dtype: DType) -> str:
    """The C type of a value within a kernel."""
    return COMPUTED[dtype.name]


def is_low(dtype: DType) -> bool:
    """Whether the type is a float of two bytes."""
    return dtype.name in ("float16", "bfloat16")


def wrapping(dtype: DType) -> str:
    """The conversion of an operand that makes sums and products of integers wrap around.

    In C the overflow of a signed type has no meaning. Narrower ones are computed as ``int``, which
    holds all their sums and products.
    """
    return f"(u{computed(dtype)})" if dtype.name in ("int32", "int64") else ""


def load(dtype: DType, place: str) -> str:
    """The value at ``place``, an expression for an element in memory."""
    return f"widen_{dtype.name}({place})" if is_low(dtype) else place


def store(dtype: DType, place: str, value: str) -> str:
    """The statement that writes a value to ``place``."""
    return f"{place} = narrow_{dtype.name}({value});" if is_low(dtype) else f"{place} = {value};"


def number(dtype: DType, value: bool | int | float) -> str:
    """A number as a C constant of the type in which it is computed."""
    kind = computed(dtype)
    if kind in ("float", "double"):
        suffix = "f" if kind == "float" else ""
        text = repr(float(value))
        if text in ("inf", "-inf"):
            return text.replace("inf", f"__builtin_inf{suffix}()")
        if text == "nan":
            return f'__builtin_nan{suffix}("")'
        return text + suffix
    if dtype.name == "int64":
        return "INT64_MIN" if value == -(2**63) else f"INT64_C({int(value)})"
    return str(int(value))
