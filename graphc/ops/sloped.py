"""A derivative given by formula, where the one that follows from the value's nodes will not do."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.ir.node import Node, Op, const, is_const, recording
from graphc.ir.types import TensorType, broadcast_shapes, expands_to
from graphc.ops.elementwise import sum_to
from graphc.ops.movement import reshape, zeros


@dataclass(frozen=True)
class Sloped(Op, name="sloped"):
    """The first operand; its derivative with respect to the second, elementwise, is the third.

    Of further operands it has the derivatives that it was given by another ``sloped`` alone.
    """

    missing: str = ""
    """The error of differentiating what PyTorch has no derivative of."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        value, x, slope = types
        if broadcast_shapes(value.shape, x.shape, slope.shape) != value.shape:
            raise GraphcRuntimeError(f"sloped: {x} and {slope} do not fit {value}")
        return value

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        value, x, slope = node.inputs
        if self.missing:
            raise GraphcNotImplementedError(self.missing)
        # A value that is itself given a slope has one with respect to another operand.
        others = dy if isinstance(value.op, Sloped) else None
        if is_const(slope, 0):
            # Not dy · 0, which is nan where dy is infinite.
            return others, zeros(x.type), None
        return others, sum_to(dy * slope, x.shape), None


def sloped(value: Node, x: Node, slope: Node | float) -> Node:
    """``value`` with the derivative ``slope`` with respect to ``x``, and those given before."""
    third = slope if isinstance(slope, Node) else const(slope, value.dtype)
    return Sloped()(value, x, third)


def level(value: Node, *operands: Node) -> Node:
    """``value``, which is said to come from the operands too, with derivatives of zero."""
    return _coming_from(value, operands, "")


def without_derivative(missing: str, value: Node, *operands: Node) -> Node:
    """``value``, which comes from the operands; to differentiate it is the error ``missing``."""
    return _coming_from(value, operands, missing)


def _coming_from(value: Node, operands: tuple[Node, ...], missing: str) -> Node:
    sources = [x for x in operands if x.requires_grad] if recording.grad_enabled else []
    if not sources:
        return value
    nothing = zeros(value.type)
    for x in sources:
        if not expands_to(x.shape, value.shape):
            x = reshape(Op.registry["sum"](tuple(range(x.rank)))(x), ())  # type: ignore[call-arg]
        nothing = Sloped(missing)(nothing, x, const(0.0, value.dtype))
    return value - nothing
