"""Functions of ``special`` that the package's own namespace does not have."""

from __future__ import annotations

from math import exp, inf, log, nan, pi, sqrt

from graphc.functions import cephes
from graphc.functions.bessel import of_floats, powers
from graphc.functions.operands import Operand, check_operands, numbered_by_operands
from graphc.ir.dtype import float32
from graphc.ir.node import Node, elementwise, promoted
from graphc.ops.elementwise import where as select
from graphc.ops.formula import curve
from graphc.ops.function import function


@function(method=False, namespace=False)
def special_entr(input: Node) -> Node:
    """-x · ln x, 0 at 0, and less than every number below."""
    check_operands("special_entr", input)
    (x,) = promoted((input,), floating=True)
    inside = elementwise("or", x > 0, elementwise("ne", x, x))
    value = -x * elementwise("log", select(inside, x, 1.0))
    return select(x < 0, -inf, select(inside, value, 0.0))


@function(method=False, namespace=False, grad_name=numbered_by_operands("SpecialXlog1Py"))
def special_xlog1py(input: Operand, other: Operand) -> Node:
    """input · ln(1 + other), and 0 where input is 0 and other a number."""
    check_operands("special_xlog1py", input, other)
    x, y = promoted((input, other), floating=True)
    endless = elementwise("or", y <= -1, elementwise("eq", y, inf))
    vanishes = elementwise("and", elementwise("eq", x, 0), endless)
    return x * elementwise("log1p", select(vanishes, 0.0, y))


@function(method=False, namespace=False, grad_name="MulBackward1")
def special_ndtr(input: Node) -> Node:
    """The area below the standard normal density up to x."""
    check_operands("special_ndtr", input)
    (x,) = promoted((input,), floating=True)
    return elementwise("erfc", x * -sqrt(0.5)) * 0.5


@function(method=False, namespace=False, grad_name="MvlgammaBackward0")
def special_multigammaln(a: Node, p: int) -> Node:
    """ln π · p(p - 1)/4 + Σ ln Γ(a - j/2) over j below p."""
    check_operands("special_multigammaln", a)
    (x,) = promoted((a,), floating=True)
    total = elementwise("lgamma", x)
    for j in range(1, p):
        total = total + elementwise("lgamma", x - j / 2)
    return total + log(pi) * p * (p - 1) / 4


# -- the normal distribution ---------------------------------------------------------------------


def _of_quantile(y: Node, x: Node) -> tuple[Node, ...]:
    return (sqrt(2 * pi) * elementwise("exp", x * x * 0.5),)


@curve(_of_quantile)
def normal_quantile(y: Node) -> Node:
    """The x up to which the area below the standard normal density is y.

    By Cephes' approximations in the middle and the tails.
    """
    high = y > 1.0 - exp(-2)
    part = select(high, 1.0 - y, y)
    middle = part > exp(-2)
    near = part - 0.5
    square = near * near
    ratio = powers(square, cephes.NDTRI_MIDDLE) / powers(square, cephes.NDTRI_MIDDLE_BELOW)
    inner = (near + near * (square * ratio)) * sqrt(2 * pi)
    inner = select(high, -inner, inner)
    usable = elementwise("and", part > 0.0, elementwise("not", middle))
    root = elementwise("sqrt", -2.0 * elementwise("log", select(usable, part, 0.1)))
    z = 1.0 / root
    tail = powers(z, cephes.NDTRI_TAIL) / powers(z, cephes.NDTRI_TAIL_BELOW)
    end = powers(z, cephes.NDTRI_END) / powers(z, cephes.NDTRI_END_BELOW)
    outer = root - elementwise("log", root) * z - z * select(root < 8.0, tail, end)
    found = select(middle, inner, select(high, outer, -outer))
    found = select(elementwise("eq", y, 0.0), -inf, select(elementwise("eq", y, 1.0), inf, found))
    within = elementwise("and", y >= 0.0, y <= 1.0)
    return select(within, found, nan)


@function(method=False, namespace=False)
def special_ndtri(input: Node) -> Node:
    """The x up to which the area below the standard normal density is the operand."""
    return of_floats("ndtri", normal_quantile, input, wide=True)


def _of_scaled_tail(x: Node, y: Node) -> tuple[Node, ...]:
    return (2.0 * x * y - 2 / sqrt(pi),)


@curve(_of_scaled_tail)
def scaled_tail(x: Node) -> Node:
    """exp(x²) · erfc(x) without a large power: x² = h² + (x - h)(x + h) of h that squares exactly.

    Far out by its asymptotic series.
    """
    edge = 8.0 if x.dtype is float32 else 25.0
    low = x < edge
    near = select(elementwise("and", low, x > -edge - 3), x, 0.0)
    head = elementwise("floor", near * 64.0) * (1 / 64)
    rest = (near - head) * (near + head)
    grown = elementwise("exp", head * head) * elementwise("exp", rest)
    small = grown * elementwise("erfc", near)
    far = select(low, edge, x)
    z = 0.5 / (far * far)
    terms = [1.0]
    for k in (1, 3, 5, 7, 9, 11):
        terms.append(-terms[-1] * k)
    large = powers(z, terms[::-1]) / (far * sqrt(pi))
    found = select(low, select(x > -edge - 3, small, inf), large)
    return select(elementwise("ne", x, x), nan, found)


@function(method=False, namespace=False)
def special_erfcx(input: Node) -> Node:
    """exp(x²) · erfc(x)"""
    return of_floats("erfcx", scaled_tail, input, wide=True)


def _of_log_area(x: Node, y: Node) -> tuple[Node, ...]:
    return (elementwise("exp", -(y + x * x * 0.5)) * (1 / sqrt(2 * pi)),)


@curve(_of_log_area)
def log_area(x: Node) -> Node:
    """The logarithm of the area below the standard normal density up to x."""
    t = x * sqrt(0.5)
    low = x < -1.0
    far = select(low, t, -1.0)
    tail = elementwise("log", scaled_tail(-far) * 0.5) - far * far
    near = elementwise("log1p", elementwise("erfc", select(low, 0.0, t)) * -0.5)
    return select(low, tail, near)


@function(method=False, namespace=False)
def special_log_ndtr(input: Node) -> Node:
    """The logarithm of the area below the standard normal density up to x."""
    return of_floats("log_ndtr", log_area, input, wide=True)
