"""Exponential, trigonometric and related functions of one operand, as the user calls them."""

from __future__ import annotations

from graphc.functions.operands import check_operands
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
NAMES = (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan "
    "sinh cosh tanh asinh acosh atanh sigmoid erf erfc erfinv lgamma digamma"
).split()


def _declare(name: str) -> None:
    """Declare the function that is the primitive ``name``; integers become floats."""

    def call(input: Node) -> Node:
        check_operands(name, input)
        return elementwise(name, input, floating=True)

    call.__name__ = name
    call.__doc__ = Op.registry[name].__doc__ or f"Elementwise {name}."
    aliases = [ALIASES[name]] if name in ALIASES else []
    function(*aliases, inplace=True, functional=name in ("tanh", "sigmoid"))(call)


for _name in NAMES:
    _declare(_name)


@function(inplace=True, functional=True)
def relu(input: Node) -> Node:
    """max(x, 0), whose gradient at 0 is 0."""
    check_operands("relu", input)
    return elementwise("relu", input)
