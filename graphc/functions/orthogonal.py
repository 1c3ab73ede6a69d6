"""Orthogonal polynomials, by their recurrences and their forms in angles."""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import NamedTuple

from graphc.functions.operands import not_implemented
from graphc.functions.precision import LOW
from graphc.ir.dtype import float32
from graphc.ir.node import Node, const, elementwise, grad_mode, promoted
from graphc.ir.types import broadcast_shapes
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.movement import expand, full

Next = Callable[[int, Node, Node, Node], Node]
"""From k, x, Pₖ and Pₖ₋₁ what Pₖ₊₁ is."""
Angle = Callable[[Node, Node], Node]
"""From n and arccos x the value."""


class Family(NamedTuple):
    """What makes a family of polynomials, of which the first is 1."""

    first: Callable[[Node], Node]
    following: Next
    angle: Angle | None = None
    beyond: int = 0
    """The orders above this one are computed by the angle within (-1, 1)."""
    shifted: bool = False
    limited: bool = False
    """Orders above 128 in float32 and 512 in float64 are not numbers."""


def _doubling(k: int, x: Node, p: Node, before: Node) -> Node:
    return (x + x) * p - before


def _cosine(n: Node, t: Node) -> Node:
    return elementwise("cos", n * t)


def _sines(n: Node, t: Node) -> Node:
    return elementwise("sin", (n + 1.0) * t) / elementwise("sin", t)


def _half_cosines(n: Node, t: Node) -> Node:
    return elementwise("cos", (n + 0.5) * t) / elementwise("cos", t * 0.5)


def _half_sines(n: Node, t: Node) -> Node:
    return elementwise("sin", (n + 0.5) * t) / elementwise("sin", t * 0.5)


FAMILIES = {
    "chebyshev_polynomial_t": Family(lambda x: x, _doubling, _cosine, 6),
    "chebyshev_polynomial_u": Family(lambda x: x + x, _doubling, _sines, 8),
    "chebyshev_polynomial_v": Family(lambda x: x + x - 1.0, _doubling, _half_cosines, 8),
    "chebyshev_polynomial_w": Family(lambda x: x + x + 1.0, _doubling, _half_sines, 8),
    "shifted_chebyshev_polynomial_t": Family(lambda x: x, _doubling, _cosine, 6, True),
    "shifted_chebyshev_polynomial_u": Family(lambda x: x + x, _doubling, _sines, 6, True),
    "shifted_chebyshev_polynomial_v": Family(
        lambda x: x + x - 1.0, _doubling, _half_cosines, 6, True
    ),
    "shifted_chebyshev_polynomial_w": Family(
        lambda x: x + x + 1.0, _doubling, _half_sines, 4, True
    ),
    "hermite_polynomial_h": Family(
        lambda x: x + x, lambda k, x, p, q: (x + x) * p - q * (2.0 * k), limited=True
    ),
    "hermite_polynomial_he": Family(
        lambda x: x, lambda k, x, p, q: x * p - q * float(k), limited=True
    ),
    "laguerre_polynomial_l": Family(
        lambda x: 1.0 - x,
        lambda k, x, p, q: ((2.0 * k + (1.0 - x)) * p - q * float(k)) / (k + 1.0),
    ),
    "legendre_polynomial_p": Family(
        lambda x: x, lambda k, x, p, q: (x * (2.0 * k + 1.0) * p - q * float(k)) / (k + 1.0)
    ),
}


@function(method=False, namespace=False)
def polynomial_values(input: Node, n: Node, family: str, steps: int) -> Node:
    """The polynomial of order ``n`` at ``input``, which PyTorch does not differentiate.

    ``steps`` is the largest order; the value of a negative one is 0.
    """
    made = FAMILIES[family]
    with grad_mode(False):
        x, order = promoted((input, n), floating=True)
        if x.dtype in LOW:
            raise not_implemented(f"{family}_cpu", x.dtype)
        shape = broadcast_shapes(x.shape, order.shape)
        x, order = expand(x, shape), elementwise("trunc", expand(order, shape))
        x = x + x - 1.0 if made.shifted else x
        before: Node = full(shape, const(1.0, x.dtype))
        last = made.first(x)
        found = where(order < 0.0, 0.0, before)
        found = where(elementwise("eq", order, 1.0), last, found)
        limit = (128 if x.dtype is float32 else 512) if made.limited else steps
        for k in range(1, min(steps, limit)):
            before, last = last, made.following(k, x, last, before)
            found = where(elementwise("eq", order, k + 1.0), last, found)
        if made.limited:
            return where(order > float(limit), nan, found)
        if made.angle is None or steps <= made.beyond:
            return found
        inside = elementwise("and", elementwise("abs", x) < 1.0, order > float(made.beyond))
        turn = elementwise("acos", where(inside, x, 0.5))
        return where(inside, made.angle(order, turn), found)
