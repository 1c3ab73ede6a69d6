"""Transcendental functions of complex numbers, by the parts of the operand."""

from __future__ import annotations

from math import log
from operator import mul

from graphc.ir.node import Node, Op, const, elementwise
from graphc.ops.complex_parts import Parts, each_part, magnitude, reciprocal, rule, times
from graphc.ops.elementwise import And, Or, equal, where
from graphc.ops.movement import expand


@rule("exp", analytic=True)
def exponential(op: Op | None, x: Parts) -> Parts:
    """eˣ"""
    size = elementwise("exp", x.re)
    if x.im is None:
        return Parts(size)
    # Where the angle is 0 the result is real, however large.
    sine = elementwise("sin", x.im)
    im = where(equal(x.im, const(0, x.im.dtype)), x.im, size * sine)
    return Parts(size * elementwise("cos", x.im), im)


def angle(x: Parts) -> Node:
    """The angle with the positive real numbers."""
    return elementwise("atan2", x.imag, x.re)


@rule("log", analytic=True)
def logarithm(op: Op | None, x: Parts) -> Parts:
    """ln |x| + i angle"""
    return Parts(elementwise("log", magnitude(None, x)), angle(x))


def scaled(x: Parts, factor: float) -> Parts:
    """x · factor"""
    return each_part(x, lambda a: a * factor)


@rule("log2", analytic=True)
def _log2(op: Op, x: Parts) -> Parts:
    return scaled(logarithm(None, x), 1 / log(2))


@rule("log10", analytic=True)
def _log10(op: Op, x: Parts) -> Parts:
    return scaled(logarithm(None, x), 1 / log(10))


@rule("log1p", analytic=True)
def _log1p(op: Op, x: Parts) -> Parts:
    near = elementwise("log1p", x.re * (x.re + 2.0) + x.imag * x.imag) * 0.5
    far = elementwise("log", elementwise("hypot", x.re + 1.0, x.imag))
    small = magnitude(None, x) < 0.5
    return Parts(where(small, near, far), elementwise("atan2", x.imag, x.re + 1.0))


@rule("exp2", analytic=True)
def _exp2(op: Op, x: Parts) -> Parts:
    return exponential(None, scaled(x, log(2)))


@rule("expm1", analytic=True)
def _expm1(op: Op, x: Parts) -> Parts:
    """eᵃ cos b - 1 = (eᵃ - 1) cos b - 2 sin²(b / 2)"""
    half = elementwise("sin", x.imag * 0.5)
    re = elementwise("expm1", x.re) * elementwise("cos", x.imag) - 2.0 * half * half
    return Parts(re, exponential(None, x).imag)


@rule("sqrt", analytic=True)
def root(op: Op | None, x: Parts) -> Parts:
    """The root whose real part is not negative."""
    im = x.imag
    size = magnitude(None, x)
    larger = elementwise("sqrt", (size + elementwise("abs", x.re)) * 0.5)
    at_zero = equal(larger, const(0, larger.dtype))
    smaller = elementwise("abs", im) * 0.5 / where(at_zero, 1.0, larger)
    right = const(0.0, x.re.dtype) <= x.re
    upward = where(right, smaller, larger)
    return Parts(where(right, larger, smaller), elementwise("copysign", upward, im))


@rule("rsqrt", analytic=True)
def _rsqrt(op: Op, x: Parts) -> Parts:
    return reciprocal(None, root(None, x))


@rule("pow", analytic=True)
def power(op: Op | None, x: Parts, y: Parts) -> Parts:
    """x ** y: by products where y is a small integer, otherwise exp(y ln x)."""
    exponent = _integer(y)
    if exponent is not None:
        return _multiplied(x, exponent)
    made = exponential(None, times(y, logarithm(None, x), mul))
    nothing = const(0.0, x.re.dtype)
    base = equal(magnitude(None, x), nothing)
    unit = And()(equal(y.re, nothing), equal(y.imag, nothing))
    zero_re = where(unit, 1.0, where(nothing < y.re, 0.0, made.re))
    zero_im = where(Or()(unit, nothing < y.re), 0.0, made.imag)
    at_zero = Or()(base, unit)
    return Parts(where(at_zero, zero_re, made.re), where(at_zero, zero_im, made.imag))


def _integer(y: Parts) -> int | None:
    """The small integer that a power's exponent is, if it is one."""
    value = getattr(y.re.op, "value", None)
    small = isinstance(value, float) and y.im is None and value == round(value)
    return int(value) if small and abs(value) <= 16 else None  # type: ignore[arg-type]


def _multiplied(x: Parts, exponent: int) -> Parts:
    result, square, left = Parts(const(1.0, x.re.dtype)), x, abs(exponent)
    while left:
        if left & 1:
            result = times(result, square, mul)
        left >>= 1
        square = times(square, square, mul) if left else square
    shape = x.re.shape
    result = each_part(result, lambda a: expand(a, shape))
    return reciprocal(None, result) if exponent < 0 else result


@rule("sinh", analytic=True)
def _sinh(op: Op | None, x: Parts) -> Parts:
    im = x.imag
    return Parts(
        elementwise("sinh", x.re) * elementwise("cos", im),
        elementwise("cosh", x.re) * elementwise("sin", im),
    )


@rule("cosh", analytic=True)
def _cosh(op: Op | None, x: Parts) -> Parts:
    im = x.imag
    return Parts(
        elementwise("cosh", x.re) * elementwise("cos", im),
        elementwise("sinh", x.re) * elementwise("sin", im),
    )


@rule("tanh", analytic=True)
def _tanh(op: Op | None, x: Parts) -> Parts:
    """By t = tanh a and u = tan b: (t (1 + u²) + i u (1 - t²)) / (1 + t² u²)

    Multiplied by cos² b, so that it holds where u is infinite.
    """
    t, c, s = elementwise("tanh", x.re), elementwise("cos", x.imag), elementwise("sin", x.imag)
    below = c * c + t * t * s * s
    rest = elementwise("reciprocal", elementwise("cosh", x.re))
    return Parts(t / below, s * c * (rest * rest) / below)


def turned(x: Parts) -> Parts:
    """i · x"""
    return Parts(-x.imag, x.re)


def turned_back(x: Parts) -> Parts:
    """-i · x"""
    return Parts(x.imag, -x.re)


@rule("sin", analytic=True)
def _sin(op: Op, x: Parts) -> Parts:
    return turned_back(_sinh(None, turned(x)))


@rule("cos", analytic=True)
def _cos(op: Op, x: Parts) -> Parts:
    return _cosh(None, turned(x))


@rule("tan", analytic=True)
def _tan(op: Op, x: Parts) -> Parts:
    return turned_back(_tanh(None, turned(x)))


@rule("sigmoid", analytic=True)
def _sigmoid(op: Op, x: Parts) -> Parts:
    """(1 + tanh(x / 2)) / 2"""
    half = _tanh(None, scaled(x, 0.5))
    return Parts((half.re + 1.0) * 0.5, half.imag * 0.5)


def _plus(x: Parts, y: Parts) -> Parts:
    return Parts(x.re + y.re, x.imag + y.imag)


def _roots_beside(x: Parts) -> tuple[Parts, Parts]:
    """The roots of 1 + x and 1 - x."""
    one = Parts(const(1.0, x.re.dtype))
    return root(None, _plus(one, x)), root(None, _plus(one, scaled(x, -1.0)))


@rule("asin", analytic=True)
def _asin(op: Op | None, x: Parts) -> Parts:
    """By the roots of 1 ± x, after Kahan."""
    right, left = _roots_beside(x)
    re = elementwise("atan2", x.re, left.re * right.re - left.imag * right.imag)
    im = elementwise("asinh", left.re * right.imag - left.imag * right.re)
    return Parts(re, im)


@rule("asinh", analytic=True)
def _asinh(op: Op, x: Parts) -> Parts:
    return turned(_asin(None, turned_back(x)))


@rule("acos", analytic=True)
def _acos(op: Op, x: Parts) -> Parts:
    """By the roots of 1 ± x, after Kahan."""
    right, left = _roots_beside(x)
    re = elementwise("atan2", left.re, right.re) * 2.0
    im = elementwise("asinh", right.re * left.imag - right.imag * left.re)
    return Parts(re, im)


@rule("acosh", analytic=True)
def _acosh(op: Op, x: Parts) -> Parts:
    """By the roots of x ± 1, after Kahan."""
    one = Parts(const(1.0, x.re.dtype))
    right = root(None, _plus(x, one))
    left = root(None, _plus(x, scaled(one, -1.0)))
    re = elementwise("asinh", left.re * right.re + left.imag * right.imag)
    im = elementwise("atan2", left.imag, right.re) * 2.0
    return Parts(re, im)


@rule("atanh", analytic=True)
def _atanh(op: Op | None, x: Parts) -> Parts:
    """(ln(1 + x) - ln(1 - x)) / 2"""
    im = x.imag
    above = (x.re + 1.0) * (x.re + 1.0) + im * im
    below = (1.0 - x.re) * (1.0 - x.re) + im * im
    re = elementwise("log1p", x.re * 4.0 / below) * 0.25
    far = (elementwise("log", above) - elementwise("log", below)) * 0.25
    small = elementwise("abs", x.re) < 0.5
    turn = elementwise("atan2", im * 2.0, 1.0 - x.re * x.re - im * im) * 0.5
    return Parts(where(small, re, far), turn)


@rule("atan", analytic=True)
def _atan(op: Op, x: Parts) -> Parts:
    return turned_back(_atanh(None, turned(x)))
