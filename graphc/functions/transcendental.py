"""Exponential, trigonometric and related functions of one operand, as the user calls them."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import check_tensors
from graphc.ir.dtype import bool_
from graphc.ir.node import Node, Op, elementwise
from graphc.ops.function import function

ALIASES = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}
GRAD_NAMES = {"log1p": "Log1P"}
NAMES = [
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "sigmoid",
    "erf",
    "erfc",
    "erfinv",
    "lgamma",
    "digamma",
]


def _declare(name: str) -> None:
    """Declare the function that is the primitive ``name``; integers become floats."""

    def call(input: Node) -> Node:
        check_tensors(name, input)
        return elementwise(name, input, floating=True)

    call.__name__ = name
    call.__doc__ = Op.registry[name].__doc__ or f"Elementwise {name}."
    aliases = [ALIASES[name]] if name in ALIASES else []
    grad_name = f"{GRAD_NAMES.get(name, name.capitalize())}Backward0"
    functional = name in ("tanh", "sigmoid")
    function(*aliases, inplace=True, functional=functional, grad_name=grad_name)(call)


for _name in NAMES:
    _declare(_name)


@function(inplace=True, functional=True)
def relu(input: Node) -> Node:
    """max(x, 0), whose gradient at 0 is 0."""
    check_tensors("relu", input)
    if input.dtype is bool_:
        raise GraphcRuntimeError("Boolean inputs not supported for relu")
    return elementwise("relu", input)
