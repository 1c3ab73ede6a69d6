"""Elementwise primitives of the exponential, trigonometric and hyperbolic families."""

from __future__ import annotations

from math import log, pi, sqrt

from graphc.ir.node import Node, elementwise
from graphc.ops.elementwise import Elementwise, number, where


class Exp(Elementwise, name="exp"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * node,)


class Exp2(Elementwise, name="exp2"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * node * log(2),)


class Expm1(Elementwise, name="expm1"):
    """eˣ - 1, right near zero too."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * (node + 1.0),)


class Log(Elementwise, name="log"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy / node.inputs[0],)


class Log2(Elementwise, name="log2"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy / (node.inputs[0] * log(2)),)


class Log10(Elementwise, name="log10"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy / (node.inputs[0] * log(10)),)


class Log1p(Elementwise, name="log1p"):
    """ln(1 + x), right near zero too."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy / (node.inputs[0] + 1.0),)


class Sqrt(Elementwise, name="sqrt"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy / (node * 2.0),)


class Rsqrt(Elementwise, name="rsqrt"):
    """1 / √x"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * -0.5 * (node * node * node),)


class Reciprocal(Elementwise, name="reciprocal"):
    """1 / x"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (-dy * (node * node),)


class Sin(Elementwise, name="sin"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * elementwise("cos", node.inputs[0]),)


class Cos(Elementwise, name="cos"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (-dy * elementwise("sin", node.inputs[0]),)


class Tan(Elementwise, name="tan"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * (node * node + 1.0),)


class Asin(Elementwise, name="asin"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (dy * elementwise("rsqrt", 1.0 - x * x),)


class Acos(Elementwise, name="acos"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (-dy * elementwise("rsqrt", 1.0 - x * x),)


class Atan(Elementwise, name="atan"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (dy / (x * x + 1.0),)


class Sinh(Elementwise, name="sinh"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * elementwise("cosh", node.inputs[0]),)


class Cosh(Elementwise, name="cosh"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * elementwise("sinh", node.inputs[0]),)


class Tanh(Elementwise, name="tanh"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * (1.0 - node * node),)


class Asinh(Elementwise, name="asinh"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (dy * elementwise("rsqrt", x * x + 1.0),)


class Acosh(Elementwise, name="acosh"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        if x.dtype.is_complex:  # one root of the product would have another sign to the left
            roots = elementwise("rsqrt", x + 1.0) * elementwise("rsqrt", x - 1.0)
        else:
            roots = elementwise("rsqrt", x * x - 1.0)
        return (dy * roots,)


class Atanh(Elementwise, name="atanh"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (dy / (1.0 - x * x),)


class Sigmoid(Elementwise, name="sigmoid"):
    """1 / (1 + e⁻ˣ)"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * ((1.0 - node) * node),)


class Erf(Elementwise, name="erf"):
    """2/√π · ∫₀ˣ exp(-t²) dt"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (dy * (2 / sqrt(pi)) * elementwise("exp", -(x * x)),)


class Erfc(Elementwise, name="erfc"):
    """1 - erf(x), right in the tail too."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        return (dy * (-2 / sqrt(pi)) * elementwise("exp", -(x * x)),)


class Erfinv(Elementwise, name="erfinv"):
    """The x whose erf is the operand."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * (sqrt(pi) / 2) * elementwise("exp", node * node),)


class Lgamma(Elementwise, name="lgamma"):
    """ln |Γ(x)|"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * elementwise("digamma", node.inputs[0]),)


class Digamma(Elementwise, name="digamma"):
    """The derivative of ln Γ(x)"""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy * trigamma(node.inputs[0]),)


def trigamma(x: Node) -> Node:
    """The derivative of ``digamma``: ψ₁(x) = 1 / x² + ψ₁(x + 1) up to 8, then a series.

    Below one half by reflection, ψ₁(x) = (π / sin πx)² - ψ₁(1 - x). As PyTorch's, it is made of
    other functions, and so has derivatives of every order.
    """
    low = x < 0.5
    y = where(low, 1.0 - x, x)
    total = number(0, x)
    for _ in range(8):
        total = total + elementwise("reciprocal", y * y)
        y = y + 1.0
    z = elementwise("reciprocal", y * y)
    series = number(5 / 66, x)
    for bernoulli in (-1 / 30, 1 / 42, -1 / 30, 1 / 6):
        series = series * z + bernoulli
    total = total + (series * z + 0.5 * elementwise("reciprocal", y) + 1.0) / y
    sine = elementwise("sin", where(low, x, 0.5) * pi)
    return where(low, pi * pi * elementwise("reciprocal", sine * sine) - total, total)
