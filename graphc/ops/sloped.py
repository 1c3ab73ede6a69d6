"""A derivative given by formula, where the one that follows from the value's nodes will not do."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.ir.node import Node, Op, const, is_const, recording
from graphc.ir.types import TensorType, broadcast_shapes, expands_to
from graphc.ops.elementwise import sum_to
from graphc.ops.movement import full, reshape, zeros


@dataclass(frozen=True)
class Sloped(Op, name="sloped"):
    """The first operand; its derivative with respect to the second, elementwise, is the third.

    So it is for the pairs that may follow; there are no other derivatives.
    """

    missing: str = ""
    """The error of differentiating what PyTorch has no derivative of."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        value, *pairs = types
        if broadcast_shapes(*(t.shape for t in types)) != value.shape:
            raise GraphcRuntimeError(f"sloped: {', '.join(map(str, pairs))} do not fit {value}")
        return value

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        if self.missing:
            raise GraphcNotImplementedError(self.missing)
        flows: list[Node | None] = [None]
        for x, slope in zip(node.inputs[1::2], node.inputs[2::2], strict=True):
            if not x.requires_grad:
                flows += [None, None]
            elif is_const(slope, 0):
                # Not dy · 0, which is nan where dy is infinite.
                flows += [zeros(x.type), None]
            else:
                flows += [sum_to(dy * slope, x.shape), None]
        return tuple(flows)


def sloped(value: Node, x: Node, slope: Node | float, *more: Node) -> Node:
    """``value`` with the derivative ``slope`` with respect to ``x``, and so on in pairs."""
    first = slope if isinstance(slope, Node) else const(slope, value.dtype)
    return Sloped()(value, x, first, *more)


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
    pairs = []
    for x in sources:
        if not expands_to(x.shape, value.shape):
            x = reshape(Op.registry["sum"](tuple(range(x.rank)))(x), ())  # type: ignore[call-arg]
        pairs += [x, const(0.0, value.dtype)]
    return value - Sloped(missing)(zeros(value.type), *pairs)


def curved(x: Node) -> Node:
    """``x``, of which even a constant derivative is said to come from it, as PyTorch says."""
    if not (recording.grad_enabled and x.requires_grad):
        return x
    return sloped(x, x, level(full(x.shape, const(1.0, x.dtype)), x))
