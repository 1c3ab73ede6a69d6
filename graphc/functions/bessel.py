"""Bessel's functions and Airy's, by Cephes' rational approximations and Chebyshev series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan, pi, sqrt
from typing import Any

from graphc.functions import cephes
from graphc.functions.operands import check_operands, not_implemented
from graphc.functions.precision import LOW, widened
from graphc.ir.node import Node, cast, elementwise, grad_mode, promoted
from graphc.ops.elementwise import where
from graphc.ops.formula import curve
from graphc.ops.function import function

Body = Callable[[Node], Node]
SCALE = sqrt(2 / pi)


def powers(x: Node, coefficients: Sequence[float]) -> Node:
    """A polynomial by Horner's rule, its highest power's coefficient first."""
    first, *others = coefficients
    total: Any = first
    for c in others:
        total = x * total + c
    return total  # type: ignore[no-any-return]


def chebyshev(x: Node, coefficients: Sequence[float]) -> Node:
    """Half a Chebyshev series by Clenshaw's rule, its last term's coefficient first."""
    before: Any = 0.0
    last: Any = 0.0
    total: Any = coefficients[0]
    for c in coefficients[1:]:
        before, last = last, total
        total = x * last - before + c
    return (total - before) * 0.5  # type: ignore[no-any-return]


def inside(x: Node, holds: Node, otherwise: float) -> Node:
    """``x`` where an approximation holds, elsewhere a number at which it does too."""
    return where(holds, x, otherwise)


# -- modified functions of the first kind --------------------------------------------------------


def _first_kind(x: Node, near: Sequence[float], far: Sequence[float]) -> Node:
    """The function of |x| divided by e|x|."""
    size = elementwise("abs", x)
    low = size <= 8.0
    small = chebyshev(size * 0.5 - 2.0, near)
    large = inside(size, elementwise("not", low), 9.0)
    return where(low, small, chebyshev(32.0 / large - 2.0, far) * elementwise("rsqrt", large))


def scaled_i0(x: Node) -> Node:
    """e⁻|x| · I₀(x)"""
    return _first_kind(x, cephes.I0_NEAR, cephes.I0_FAR)


def scaled_i1(x: Node) -> Node:
    """e⁻|x| · I₁(x)"""
    size = elementwise("abs", x)
    found = _first_kind(x, cephes.I1_NEAR, cephes.I1_FAR)
    found = where(size <= 8.0, found * size, found)
    return where(x < 0.0, -found, found)


def _grown(x: Node) -> Node:
    return elementwise("exp", elementwise("abs", x))


def _of_i0(x: Node, y: Node) -> tuple[Node, ...]:
    return (bessel_i1(x),)


def _of_i0e(x: Node, y: Node) -> tuple[Node, ...]:
    return (bessel_i1e(x) - elementwise("sign", x) * y,)


def _of_i1(x: Node, y: Node) -> tuple[Node, ...]:
    zero = elementwise("eq", x, 0.0)
    return (where(zero, 0.5, bessel_i0(x) - y / where(zero, 1.0, x)),)


def _of_i1e(x: Node, y: Node) -> tuple[Node, ...]:
    zero = elementwise("eq", x, 0.0)
    below = elementwise("reciprocal", where(zero, 1.0, x))
    return (where(zero, 0.5, bessel_i0e(x) - y * (elementwise("sign", x) + below)),)


@curve(_of_i0)
def bessel_i0(x: Node) -> Node:
    """I₀(x)"""
    return _grown(x) * scaled_i0(x)


@curve(_of_i0e)
def bessel_i0e(x: Node) -> Node:
    """e⁻|x| · I₀(x)"""
    return scaled_i0(x)


@curve(_of_i1)
def bessel_i1(x: Node) -> Node:
    """I₁(x)"""
    return _grown(x) * scaled_i1(x)


@curve(_of_i1e)
def bessel_i1e(x: Node) -> Node:
    """e⁻|x| · I₁(x)"""
    return scaled_i1(x)


def of_floats(name: str, body: Any, input: Node, *, wide: bool = False) -> Node:
    """The function of one operand; of 16 bits in float32, of integers as floats.

    ``wide``: there is none for 16 bits.
    """
    check_operands(name, input)
    if wide and input.dtype in LOW:
        raise not_implemented(f"{name}_cpu", input.dtype)
    (x,) = promoted((input,), floating=True)
    found: Node = body(widened(x))
    return cast(found, x.dtype) if x.dtype in LOW else found


@function(inplace=True)
def i0(input: Node) -> Node:
    """I₀(x), the modified Bessel function of the first kind and order 0."""
    return of_floats("i0", bessel_i0, input)


def _declare(name: str, body: Body, grad_name: str = "") -> None:
    """Declare ``special.name``."""

    def call(input: Node) -> Node:
        return of_floats(name, body, input)

    call.__name__ = f"special_{name}"
    call.__doc__ = body.__doc__
    function(method=False, namespace=False, grad_name=grad_name)(call)


_declare("i0e", bessel_i0e, "SpecialI0EBackward0")
_declare("i1", bessel_i1)
_declare("i1e", bessel_i1e, "SpecialI1EBackward0")


# -- functions without derivatives ---------------------------------------------------------------


def _k(x: Node, near: Callable[[Node], Node], far: Sequence[float], scaled: bool) -> Node:
    """A modified function of the second kind, or that times eˣ."""
    low = x <= 2.0
    small = near(inside(x, elementwise("and", low, x > 0.0), 1.0))
    large = inside(x, x > 2.0, 3.0)
    ends = chebyshev(8.0 / large - 2.0, far) * elementwise("rsqrt", large)
    if scaled:
        small = small * elementwise("exp", inside(x, low, 1.0))
    else:
        ends = ends * elementwise("exp", -large)
    found = where(low, small, ends)
    found = where(elementwise("eq", x, 0.0), inf, where(x < 0.0, nan, found))
    return where(elementwise("ne", x, x), nan, found)


def _near_k0(x: Node) -> Node:
    half = elementwise("log", x * 0.5)
    return chebyshev(x * x - 2.0, cephes.K0_NEAR) - half * (_grown(x) * scaled_i0(x))


def _near_k1(x: Node) -> Node:
    half = elementwise("log", x * 0.5)
    return half * (_grown(x) * scaled_i1(x)) + chebyshev(x * x - 2.0, cephes.K1_NEAR) / x


def modified_bessel_i0(x: Node) -> Node:
    """I₀(x)"""
    return _grown(x) * scaled_i0(x)


def modified_bessel_i1(x: Node) -> Node:
    """I₁(x)"""
    return _grown(x) * scaled_i1(x)


def modified_bessel_k0(x: Node) -> Node:
    """K₀(x)"""
    return _k(x, _near_k0, cephes.K0_FAR, False)


def modified_bessel_k1(x: Node) -> Node:
    """K₁(x)"""
    return _k(x, _near_k1, cephes.K1_FAR, False)


def scaled_modified_bessel_k0(x: Node) -> Node:
    """eˣ · K₀(x)"""
    return _k(x, _near_k0, cephes.K0_FAR, True)


def scaled_modified_bessel_k1(x: Node) -> Node:
    """eˣ · K₁(x)"""
    return _k(x, _near_k1, cephes.K1_FAR, True)


def _waves(x: Node, order: int, *, second: bool) -> Node:
    """The function for x > 5: √(2 / πx) times waves of slowly changing size."""
    square = 25.0 / (x * x)
    names = [f"FAR{order}_{part}" for part in ("EVEN", "EVEN_BELOW", "ODD", "ODD_BELOW")]
    even, even_below, odd, odd_below = (powers(square, getattr(cephes, n)) for n in names)
    turn = x - (pi / 4 if order == 0 else 3 * pi / 4)
    sine, cosine = elementwise("sin", turn), elementwise("cos", turn)
    first, other = even / even_below, 5.0 / x * (odd / odd_below)
    mixed = first * sine + other * cosine if second else first * cosine - other * sine
    return mixed * SCALE * elementwise("rsqrt", x)


def _near_j0(x: Node) -> Node:
    square = x * x
    found = powers(square, cephes.J0_NEAR) / powers(square, cephes.J0_NEAR_BELOW)
    found = (square - 5.78318596294678452118) * (square - 30.4712623436620863991) * found
    return where(x < 1e-5, 1.0 - square / 4.0, found)


def _near_j1(x: Node) -> Node:
    square = x * x
    found = powers(square, cephes.J1_NEAR) / powers(square, cephes.J1_NEAR_BELOW) * x
    return found * (square - 14.6819706421238932572) * (square - 49.2184563216946036703)


def _j(x: Node, order: int) -> Node:
    size = elementwise("abs", x)
    low = size <= 5.0
    near = (_near_j0, _near_j1)[order](inside(size, low, 1.0))
    return where(low, near, _waves(inside(size, elementwise("not", low), 6.0), order, second=False))


def bessel_j0(x: Node) -> Node:
    """J₀(x)"""
    return _j(x, 0)


def bessel_j1(x: Node) -> Node:
    """J₁(x)"""
    found = _j(x, 1)
    return where(x < 0.0, -found, found)


def _y(x: Node, order: int) -> Node:
    low = x <= 5.0
    near = inside(x, elementwise("and", low, x > 0.0), 1.0)
    square, log = near * near, elementwise("log", near)
    if order == 0:
        small = powers(square, cephes.Y0_NEAR) / powers(square, cephes.Y0_NEAR_BELOW)
        small = small + 2 / pi * log * _near_j0(near)
    else:
        small = near * (powers(square, cephes.Y1_NEAR) / powers(square, cephes.Y1_NEAR_BELOW))
        small = small + 2 / pi * (_near_j1(near) * log - 1.0 / near)
    large = _waves(inside(x, x > 5.0, 6.0), order, second=True)
    found = where(low, small, large)
    found = where(elementwise("eq", x, 0.0), -inf, where(x < 0.0, nan, found))
    return where(elementwise("ne", x, x), nan, found)


def bessel_y0(x: Node) -> Node:
    """Y₀(x)"""
    return _y(x, 0)


def bessel_y1(x: Node) -> Node:
    """Y₁(x)"""
    return _y(x, 1)


def spherical_bessel_j0(x: Node) -> Node:
    """sin x / x"""
    small = elementwise("abs", x) < 0.5
    terms = [1.0]
    for k in (6, 20, 42, 72, 110, 156):
        terms.append(-terms[-1] / k)
    near = powers(x * x, terms[::-1])
    far = elementwise("sin", x) / where(small, 1.0, x)
    return where(elementwise("eq", elementwise("abs", x), inf), 0.0, where(small, near, far))


def _airy_left(x: Node) -> Node:
    """Below -2.09."""
    root = elementwise("sqrt", -x)
    turn = -2.0 * x * root / 3.0
    z = 1.0 / turn
    square = z * z
    sine = 1.0 + square * powers(square, cephes.AIRY_SINE) / powers(square, cephes.AIRY_SINE_BELOW)
    cosine = powers(square, cephes.AIRY_COSINE) / powers(square, cephes.AIRY_COSINE_BELOW) * z
    turn = turn + pi / 4
    mixed = elementwise("sin", turn) * sine - elementwise("cos", turn) * cosine
    return mixed * (1 / sqrt(pi)) / elementwise("sqrt", root)


def _airy_right(x: Node) -> Node:
    """From 2.09 on."""
    root = elementwise("sqrt", x)
    turn = 2.0 * x * root / 3.0
    z = 1.0 / turn
    found = powers(z, cephes.AIRY_FAR) / powers(z, cephes.AIRY_FAR_BELOW)
    return found * (0.5 / sqrt(pi)) / (elementwise("sqrt", root) * elementwise("exp", turn))


def _airy_middle(x: Node) -> Node:
    """Between, by Taylor's series of x³."""
    cube = x * x * x
    even, odd = [1.0], [1.0]
    for k in range(3, 48, 3):
        even.append(even[-1] / (k * (k - 1)))
        odd.append(odd[-1] / (k * (k + 1)))
    series = powers(cube, even[::-1]) * 0.355028053887817239260
    return series - x * powers(cube, odd[::-1]) * 0.258819403792806798405


def airy_ai(x: Node) -> Node:
    """Ai(x)"""
    left, right = x < -2.09, x >= 2.09
    between = elementwise("not", elementwise("or", left, right))
    found = where(left, _airy_left(inside(x, left, -3.0)), _airy_middle(inside(x, between, 0.0)))
    found = where(right, _airy_right(inside(x, right, 3.0)), found)
    found = where(x > 103.892, 0.0, found)
    endless = elementwise("eq", elementwise("abs", x), inf)
    return where(elementwise("or", endless, elementwise("ne", x, x)), nan, found)


def _declare_level(body: Body) -> None:
    """Declare a function of ``special`` that has no derivative, as in PyTorch."""

    def call(input: Node) -> Node:
        with grad_mode(False):
            return of_floats(body.__name__, body, input, wide=True)

    call.__name__ = f"special_{body.__name__}"
    call.__doc__ = body.__doc__
    function(method=False, namespace=False)(call)


for _body in (
    *(modified_bessel_i0, modified_bessel_i1, modified_bessel_k0, modified_bessel_k1),
    *(scaled_modified_bessel_k0, scaled_modified_bessel_k1, bessel_j0, bessel_j1, bessel_y0),
    *(bessel_y1, spherical_bessel_j0, airy_ai),
):
    _declare_level(_body)
