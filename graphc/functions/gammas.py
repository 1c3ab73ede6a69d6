"""Hurwitz's zeta function and the derivatives of ln Γ, as the user calls them."""

from __future__ import annotations

from math import factorial, inf, nan
from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.functions.bessel import of_floats
from graphc.functions.operands import (
    Operand,
    check_operands,
    not_implemented,
    numbered_by_operands,
)
from graphc.functions.precision import LOW
from graphc.functions.special import special_multigammaln
from graphc.ir.dtype import float64
from graphc.ir.node import Node, cast, elementwise, promoted
from graphc.ops.elementwise import where
from graphc.ops.formula import curve
from graphc.ops.function import function
from graphc.ops.movement import expand
from graphc.ops.transcendental import trigamma

BERNOULLI = (
    *(12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10),
    *(-2.950130727918164224e12, 1.1646782814350067249e14, -4.5979787224074726105e15),
    *(1.8152105401943546773e17, -7.1661652561756670113e18),
)
"""(2k)! / B₂ₖ"""
STEPS, MORE_STEPS = 9, 16
"""How many terms are added up before the rest is taken by its formula; more for negative q."""


def _summed(x: Node, q: Node) -> Node:
    """Σ (q + k)⁻ˣ by the formula of Euler and Maclaurin, in float64."""
    total = elementwise("pow", q, -x)
    a = q
    term = total
    for k in range(STEPS + MORE_STEPS):
        further = a + 1.0
        power = elementwise("pow", further, -x)
        if k < STEPS:
            a, term, total = further, power, total + power
        else:
            short = a <= 9.0
            total = total + where(short, power, 0.0)
            a, term = where(short, further, a), where(short, power, term)
    total = total + term * a / (x - 1.0) - term * 0.5
    gone = elementwise("eq", term, 0.0)
    factor = x
    for i, bernoulli in enumerate(BERNOULLI):
        term = term / a
        total = total + where(gone, 0.0, factor * term / bernoulli)
        term = term / a
        factor = factor * (x + (2 * i + 1.0)) * (x + (2 * i + 2.0))
    whole = elementwise("eq", q, elementwise("floor", q))
    total = where(elementwise("and", q <= 0.0, whole), inf, total)
    open_power = elementwise("ne", x, elementwise("floor", x))
    beyond = elementwise("and", q <= 0.0, elementwise("and", elementwise("not", whole), open_power))
    total = where(beyond, nan, total)
    total = where(elementwise("or", x < 1.0, elementwise("eq", x, inf)), nan, total)
    return where(elementwise("eq", x, 1.0), inf, total)


def _of_zeta(x: Node, q: Node, y: Node) -> tuple[Node | None, ...]:
    if x.requires_grad:
        raise GraphcNotImplementedError("the derivative for 'zeta' is not implemented.")
    return None, -x * hurwitz_zeta(x + 1.0, q)


@curve(_of_zeta)
def hurwitz_zeta(x: Node, q: Node) -> Node:
    """Σ (q + k)⁻ˣ over k from 0 on"""
    wide = _summed(cast(x, float64), cast(q, float64))
    return cast(wide, x.dtype)


@function(method=False, namespace=False, grad_name=numbered_by_operands("SpecialZeta"))
def special_zeta(input: Operand, other: Operand) -> Node:
    """Σ (other + k)⁻ⁱⁿᵖᵘᵗ over k from 0 on, Hurwitz's zeta function."""
    check_operands("zeta", input, other)
    x, q = promoted((input, other), floating=True)
    if x.dtype in LOW:
        raise not_implemented("zeta_cpu", x.dtype)
    return hurwitz_zeta(x, q)


def _of_polygamma(x: Node, y: Node) -> tuple[Node, ...]:
    options: dict[str, Any] = dict(y.op.options)  # type: ignore[attr-defined]
    return (derivative_of_lgamma(x, n=options["n"] + 1),)


@curve(_of_polygamma)
def derivative_of_lgamma(x: Node, *, n: int) -> Node:
    """The derivative of order n + 1 of ln Γ(x)"""
    if n == 0:
        return elementwise("digamma", x)
    if n == 1:
        return trigamma(x)
    wide = cast(x, float64)
    order = expand(wide * 0.0 + (n + 1.0), wide.shape)
    sign = 1 if n % 2 else -1
    return cast(_summed(order, wide) * (sign * float(factorial(n))), x.dtype)


@function(method=False)
def polygamma(n: int, input: Node) -> Node:
    """The derivative of order n + 1 of ln Γ(x)"""
    if n < 0:
        raise GraphcRuntimeError("polygamma(n, x) does not support negative n.")
    return of_floats("polygamma", lambda x: derivative_of_lgamma(x, n=n), input)


@function(inplace=True)
def mvlgamma(input: Node, p: int) -> Node:
    """ln π · p(p - 1)/4 + Σ ln Γ(input - j/2) over j below p."""
    if p < 1:
        raise GraphcRuntimeError("p has to be greater than or equal to 1")
    return special_multigammaln(input, p)
