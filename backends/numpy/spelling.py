"""How numpy spells each elementwise primitive and each reduction.

An elementwise spelling is one or more statements, a line each. ``{0}``, ``{1}``, ``{2}`` are the
operands (arrays or literals, broadcast to the result), ``{out}`` the array for the result,
``{t0}``, ``{t1}`` scratch of the result's shape and type, ``{m0}`` scratch of truth values,
``{zero}`` and ``{one}`` these numbers in the result's type.
Only a spelling of one statement may be given an ``{out}`` that is one of its operands.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.backend import refusal
from graphc.backends.numpy.error_function import ERF_FLOAT32, ERROR_FUNCTIONS
from graphc.backends.numpy.gamma_function import GAMMA_FUNCTIONS
from graphc.backends.numpy.linear_algebra import LINEAR_FUNCTIONS
from graphc.ir.dtype import DType, bfloat16, float16, float32
from graphc.ir.node import Node

HALVES = (float16, bfloat16)
"""Types in which a computation of several steps would lose too much: it is done in float32."""


def _one(function: str, operands: int) -> str:
    """The call of a function of numpy that writes into ``out``."""
    return f"np.{function}({', '.join(f'{{{i}}}' for i in range(operands))}, out={{out}})"


SCALAR = {
    "add": _one("add", 2),
    "sub": _one("subtract", 2),
    "mul": _one("multiply", 2),
    "div": _one("divide", 2),
    "pow": _one("power", 2),
    "maximum": _one("maximum", 2),
    "minimum": _one("minimum", 2),
    "clamp_min": _one("maximum", 2),
    "clamp_max": _one("minimum", 2),
    "fmax": _one("fmax", 2),
    "fmin": _one("fmin", 2),
    "floor_divide": _one("floor_divide", 2),
    "remainder": _one("remainder", 2),
    "fmod": _one("fmod", 2),
    "atan2": _one("arctan2", 2),
    "hypot": _one("hypot", 2),
    "logaddexp": _one("logaddexp", 2),
    "copysign": _one("copysign", 2),
    "nextafter": _one("nextafter", 2),
    "gcd": _one("gcd", 2),
    "neg": _one("negative", 1),
    "abs": _one("abs", 1),
    "sign": "np.sign({0}, out={out})\nnp.copyto({out}, 0, where={out} != {out})",
    "signbit": _one("signbit", 1),
    "floor": _one("floor", 1),
    "ceil": _one("ceil", 1),
    "trunc": _one("trunc", 1),
    "round": _one("rint", 1),
    "relu": "np.maximum({0}, {zero}, out={out})",
    "exp": _one("exp", 1),
    "exp2": _one("exp2", 1),
    "expm1": _one("expm1", 1),
    "log": _one("log", 1),
    "log2": _one("log2", 1),
    "log10": _one("log10", 1),
    "log1p": _one("log1p", 1),
    "sqrt": _one("sqrt", 1),
    "rsqrt": "np.sqrt({0}, out={out})\nnp.divide({one}, {out}, out={out})",
    "reciprocal": "np.divide({one}, {0}, out={out})",
    "sin": _one("sin", 1),
    "cos": _one("cos", 1),
    "tan": _one("tan", 1),
    "asin": _one("arcsin", 1),
    "acos": _one("arccos", 1),
    "atan": _one("arctan", 1),
    "sinh": _one("sinh", 1),
    "cosh": _one("cosh", 1),
    "tanh": _one("tanh", 1),
    "asinh": _one("arcsinh", 1),
    "acosh": _one("arccosh", 1),
    "atanh": _one("arctanh", 1),
    "sigmoid": (
        "np.negative({0}, out={out})\nnp.exp({out}, out={out})\n"
        "np.add({out}, {one}, out={out})\nnp.divide({one}, {out}, out={out})"
    ),
    "erf": "erf({0}, {out})",
    "erfc": "erfc({0}, {out})",
    "erfinv": "erfinv({0}, {out})",
    "lgamma": "lgamma({0}, {out})",
    "digamma": "digamma({0}, {out})",
    "lt": _one("less", 2),
    "le": _one("less_equal", 2),
    "eq": _one("equal", 2),
    "ne": _one("not_equal", 2),
    "and": _one("bitwise_and", 2),
    "or": _one("bitwise_or", 2),
    "xor": _one("bitwise_xor", 2),
    "not": _one("invert", 1),
    "shift_left": _one("left_shift", 2),
    "shift_right": _one("right_shift", 2),
    "where": "np.copyto({out}, {2})\nnp.copyto({out}, {1}, where={0})",
    "cast": "np.copyto({out}, {0}, casting='unsafe')",
}

TYPED = {
    ("erf", float32): ERF_FLOAT32,
    **{
        (name, dtype): f"halves({name}, {{0}}, {{out}})"
        for name in ("sigmoid", "rsqrt", "erf", "erfc", "erfinv", "lgamma", "digamma")
        for dtype in HALVES
    },
}
"""Spellings that hold for one type of the result."""

REDUCE = {
    "sum": "np.sum({0}, axis={axes}, keepdims=True, out={out})",
    "prod": "np.prod({0}, axis={axes}, keepdims=True, out={out})",
    "max": "np.max({0}, axis={axes}, keepdims=True, out={out})",
    "min": "np.min({0}, axis={axes}, keepdims=True, out={out})",
    "any": "np.any({0}, axis={axes}, keepdims=True, out={out})",
    "all": "np.all({0}, axis={axes}, keepdims=True, out={out})",
}

TYPED_REDUCE = {
    (name, dtype): f"np.{name}({{0}}, axis={{axes}}, keepdims=True, dtype=np.float32, out={{out}})"
    for name in ("sum", "prod")
    for dtype in HALVES
}
"""Reductions of low-precision floats, added up in float32."""


def scalar(node: Node) -> str:
    """The statements for a node of an elementwise primitive."""
    return _spelled(node, TYPED, SCALAR)


def reduction(node: Node) -> str:
    """The statements for a node of a reduction."""
    return _spelled(node, TYPED_REDUCE, REDUCE)


def _spelled(node: Node, typed: Mapping[tuple[str, DType], str], general: Mapping[str, str]) -> str:
    name = node.op.name
    text = typed.get((name, node.dtype)) or general.get(name)
    if text is None:
        raise refusal("numpy", node)
    return text


PRELUDE_FUNCTIONS = {
    "sigmoid": """
def sigmoid(x, out):
    np.divide(1, 1 + np.exp(-x), out=out)
""",
    "rsqrt": """
def rsqrt(x, out):
    np.divide(1, np.sqrt(x), out=out)
""",
    **ERROR_FUNCTIONS,
    **GAMMA_FUNCTIONS,
    **LINEAR_FUNCTIONS,
    "halves": '''
def halves(function, x, out):
    """A function of several steps on low-precision floats, computed in float32."""
    wide = np.empty(out.shape, np.float32)
    function(np.asarray(x, np.float32), wide)
    np.copyto(out, wide, casting="unsafe")
''',
}
"""Functions that a module defines where its text calls them; the ones needed come first."""
