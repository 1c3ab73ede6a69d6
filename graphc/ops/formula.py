"""Composites that no backend claims, whose gradients are formulas: of any order, for they are only
written down where somebody differentiates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from graphc.ir.node import Item, Node
from graphc.ops.composite import Body, Composite, Flows
from graphc.ops.elementwise import sum_to

Slopes = Callable[..., tuple[Node | None, ...]]
"""Given the operands and the result, the derivative by each operand; None for none."""


@dataclass(frozen=True)
class Formula(Composite):
    """A composite with a gradient of its own."""

    gradient: Callable[[Node, Flows], Flows]
    """Given the node and the gradients of the results, those of the operands."""

    def grad(self, node: Node, *gradients: Node | None) -> Flows:
        return self.gradient(node, gradients)


@dataclass(frozen=True)
class Curve(Composite):
    """An elementwise function with derivatives of its own."""

    slopes: Slopes

    def grad(self, node: Node, *gradients: Node | None) -> Flows:
        (dy,) = gradients
        assert dy is not None
        found = zip(node.inputs, self.slopes(*node.inputs, node), strict=True)
        return tuple(None if s is None else sum_to(dy * s, x.shape) for x, s in found)


def _call(kind: Any, body: Body, rule: Callable[..., Any]) -> Any:
    @wraps(body)
    def call(*operands: Node, **options: object) -> Any:
        op = kind(
            body.__name__, body, tuple(sorted(options.items())), (True,) * len(operands), rule
        )
        node = op(*operands)
        if isinstance(node.type, tuple):
            return tuple(Item(i)(node) for i in range(len(node.types)))
        return node

    return call


def formula(gradient: Callable[[Node, Flows], Flows]) -> Callable[[Body], Callable[..., Any]]:
    """Keep a call of the function one node with this gradient."""
    return lambda body: _call(Formula, body, gradient)


def curve(slopes: Slopes) -> Callable[[Body], Callable[..., Node]]:
    """Keep a call of the elementwise function one node with these derivatives."""
    return lambda body: _call(Curve, body, slopes)
