"""How C, and CUDA C, spell each elementwise primitive: an expression of its operands' values.

``{0}``, ``{1}``, ``{2}`` are the operands, ``{t}`` the type in the names of shared functions and
``{c}`` the C type; ``{w}`` makes integers wrap around where the compiler does not. Truth values are
0 or 1 in ``uint8_t``; low-precision floats are ``float`` and rounded after each operation, as numpy
and PyTorch do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from graphc.backend import refusal
from graphc.backends.c_language.types import computed, is_low, wrapping
from graphc.ir.dtype import DType
from graphc.ir.node import Node

COMPARISONS = {
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
}

OF_TRUTHS = {
    **COMPARISONS,
    "add": "{0} | {1}",
    "mul": "{0} & {1}",
    "maximum": "{0} | {1}",
    "minimum": "{0} & {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "xor": "{0} ^ {1}",
    "not": "!{0}",
}

OF_INTEGERS = {
    **COMPARISONS,
    "add": "({c})({w}{0} + {1})",
    "sub": "({c})({w}{0} - {1})",
    "mul": "({c})({w}{0} * {1})",
    "neg": "({c})-{w}{0}",
    "and": "({c})({0} & {1})",
    "or": "({c})({0} | {1})",
    "xor": "({c})({0} ^ {1})",
    "not": "({c})~{0}",
    "signbit": "{0} < 0",
    "relu": "maximum_{t}({0}, 0)",
    "clamp_min": "maximum_{t}({0}, {1})",
    "clamp_max": "minimum_{t}({0}, {1})",
    "fmax": "maximum_{t}({0}, {1})",
    "fmin": "minimum_{t}({0}, {1})",
    **{
        name: f"{name}_{{t}}({{0}}, {{1}})"
        for name in (
            "maximum",
            "minimum",
            "pow",
            "floor_divide",
            "remainder",
            "fmod",
            "gcd",
            "shift_left",
            "shift_right",
        )
    },
    **{name: f"{name}_{{t}}({{0}})" for name in ("abs", "sign")},
}

OF_FLOATS = {
    **COMPARISONS,
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "reciprocal": "1 / {0}",
    "clamp_min": "maximum_{t}({0}, {1})",
    "clamp_max": "minimum_{t}({0}, {1})",
    **{
        name: f"{name}_{{t}}({{0}}, {{1}})"
        for name in (
            "maximum",
            "minimum",
            "fmax",
            "fmin",
            "pow",
            "floor_divide",
            "remainder",
            "fmod",
            "atan2",
            "hypot",
            "logaddexp",
            "copysign",
            "nextafter",
        )
    },
    **{
        name: f"{name}_{{t}}({{0}})"
        for name in (
            *("abs", "sign", "signbit", "floor", "ceil", "trunc", "round", "relu"),
            *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt"),
            *("sin", "cos", "tan", "asin", "acos", "atan"),
            *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid"),
            *("erf", "erfc", "erfinv", "lgamma", "digamma"),
        )
    },
}

EXACT = frozenset(
    (
        *("neg", "abs", "sign", "floor", "ceil", "trunc", "round", "relu", "fmod", "where"),
        *("maximum", "minimum", "clamp_min", "clamp_max", "fmax", "fmin", "copysign", "nextafter"),
    )
)
"""What gives a number of the operands' type without rounding."""

ATOM = re.compile(r"[A-Za-z_]\w*|[\w.]+|[A-Za-z_]\w*\([^()]*\)")
NAME = re.compile(r"[A-Za-z_]\w*(?=\()")


def scalar(
    backend: str, functions: Set[str], node: Node, operands: Sequence[str], *, wraps: bool
) -> tuple[str, frozenset[str]]:
    """The C expression of a node of an elementwise primitive, and which functions it calls.

    ``wraps``: whether the compiler lets signed integers wrap around.

    Raises where the node is no such primitive, in the name of the backend.
    """
    text = _spelled(node)
    if text is None:
        raise refusal(backend, node)
    kind = node.inputs[-1].dtype
    suffix = computed(kind) if kind.is_floating_point else kind.name
    given = [x if ATOM.fullmatch(x) else f"({x})" for x in operands]
    unsigned = "" if wraps else wrapping(kind)
    text = text.format(*given, t=suffix, c=computed(kind), w=unsigned)
    if is_low(node.dtype) and node.op.name not in EXACT:
        text = f"round_{node.dtype.name}({text})"
    return text, frozenset(x for x in NAME.findall(text) if x in functions)


def _spelled(node: Node) -> str | None:
    """The expression with places for its operands."""
    name = node.op.name
    if name == "where":
        return "{0} ? {1} : {2}"
    kind = node.inputs[0].dtype
    if name == "cast":
        return converted(kind, node.dtype)
    if name == "nextafter" and is_low(kind):
        return f"nextafter_{kind.name}({{0}}, {{1}})"
    table = (OF_TRUTHS, OF_INTEGERS, OF_FLOATS)[kind.category]
    return table.get(name)


def converted(source: DType, target: DType) -> str:
    """The conversion from one element type to another, of ``{0}``."""
    if source is target:
        return "{0}"
    if target.category == 0:
        return "{0} != 0"
    kind = computed(target)
    if target.category == 1 and source.is_floating_point:
        wide = "int64" if target.itemsize == 8 else "int32"
        text = f"{wide}_of_{computed(source)}({{0}})"
        return text if target.name == wide else f"({kind}){text}"
    return f"({kind}){{0}}" if kind != computed(source) else "{0}"
