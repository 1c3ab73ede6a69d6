"""What operations cost, roughly."""

from __future__ import annotations

from graphc.ir.node import Node

COSTS = {
    **dict.fromkeys(("div", "sqrt", "rsqrt", "reciprocal", "floor_divide", "remainder", "fmod"), 5),
    **dict.fromkeys(
        (
            *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan"),
            *("tanh", "sigmoid", "erf", "erfc", "erfinv", "pow", "atan2", "hypot", "logaddexp"),
            *("sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh"),
            *("lgamma", "digamma"),
        ),
        15,
    ),
}
"""What an element of an operation costs, in additions; those not named cost one."""


def cost(node: Node) -> int:
    """About how many additions one element of the node takes."""
    return COSTS.get(node.op.name, 1)
