"""A derivative given by formula, where the one that follows from the value's nodes will not do."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node, Op, const
from graphc.ir.types import TensorType, broadcast_shapes
from graphc.ops.elementwise import sum_to


@dataclass(frozen=True)
class Sloped(Op, name="sloped"):
    """The first operand; its derivative with respect to the second, elementwise, is the third.

    Of further operands it has the derivatives that it was given by another ``sloped`` alone.
    """

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        value, x, slope = types
        if broadcast_shapes(value.shape, x.shape, slope.shape) != value.shape:
            raise GraphcRuntimeError(f"sloped: {x} and {slope} do not fit {value}")
        return value

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        value, x, slope = node.inputs
        # A value that is itself given a slope has one with respect to another operand.
        others = dy if isinstance(value.op, Sloped) else None
        return others, sum_to(dy * slope, x.shape), None


def sloped(value: Node, x: Node, slope: Node | float) -> Node:
    """``value`` with the derivative ``slope`` with respect to ``x``, and those given before."""
    third = slope if isinstance(slope, Node) else const(slope, value.dtype)
    return Sloped()(value, x, third)
