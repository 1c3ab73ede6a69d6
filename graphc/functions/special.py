"""Functions of ``special`` that the package's own namespace does not have."""

from __future__ import annotations

from math import inf, log, pi, sqrt
from typing import Any

from graphc.functions.operands import Operand, check_operands
from graphc.ir.node import Node, elementwise, promoted
from graphc.ops.elementwise import where as select
from graphc.ops.function import function


@function(method=False, namespace=False)
def special_entr(input: Node) -> Node:
    """-x · ln x, 0 at 0, and less than every number below."""
    check_operands("special_entr", input)
    (x,) = promoted((input,), floating=True)
    inside = elementwise("or", x > 0, elementwise("ne", x, x))
    value = -x * elementwise("log", select(inside, x, 1.0))
    return select(x < 0, -inf, select(inside, value, 0.0))


def _xlog1py_name(input: Any, other: Any) -> str:
    number = 2 if not isinstance(other, Node) else 0 if isinstance(input, Node) else 1
    return f"SpecialXlog1PyBackward{number}"


@function(method=False, namespace=False, grad_name=_xlog1py_name)
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
