"""Rounding, bounds and functions of two numbers, as the user calls them."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.functions.operands import (
    Operand,
    check_operands,
    check_tensors,
    not_implemented,
    numbered,
    numbered_by_operands,
)
from graphc.functions.precision import widened
from graphc.functions.return_types import return_type
from graphc.ir.dtype import DType, bool_, float32, int32
from graphc.ir.node import Node, cast, common_dtype, const, elementwise, grad_mode, promoted
from graphc.ops.elementwise import where as select
from graphc.ops.function import function
from graphc.ops.movement import full
from graphc.ops.sloped import level, sloped, without_derivative


def _rounded(name: str, x: Node) -> Node:
    if x.dtype is bool_:
        raise not_implemented(f"{name}_vml_cpu", x.dtype)
    if x.dtype.is_complex:
        raise GraphcNotImplementedError(f"{name} is not supported for complex inputs")
    return elementwise(name, x) if x.dtype.is_floating_point else x


def _rounding(name: str, *aliases: str) -> None:
    def call(input: Node) -> Node:
        check_tensors(name, input)
        return _rounded(name, input)

    call.__name__ = name
    call.__doc__ = f"{name.capitalize()} of each element; integers stay as they are."
    function(*aliases, inplace=True, grad_name=f"{name.capitalize()}Backward0")(call)


for _name, _alias in (("floor", ()), ("ceil", ()), ("trunc", ("fix",))):
    _rounding(_name, *_alias)


def _round_name(input: Any, **settings: Any) -> str:
    return f"RoundBackward{1 if settings else 0}"


@function(inplace=True, grad_name=_round_name)
def round(input: Node, *, decimals: int = 0) -> Node:
    """To the nearest number of so many decimals, halves to the even one."""
    check_tensors("round", input)
    if not decimals:
        return _rounded("round", input)
    if not input.dtype.is_floating_point:
        raise not_implemented("round_vml_cpu", input.dtype)
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    if decimals > 0:
        return elementwise("round", input * scale) / scale
    return elementwise("round", input / scale) * scale


@function(inplace=True)
def frac(input: Node) -> Node:
    """input - trunc(input)"""
    check_tensors("frac", input)
    if not input.dtype.is_floating_point:
        raise not_implemented("frac_cpu", input.dtype)
    return input - elementwise("trunc", input)


def _bounded(name: str, x: Node, bound: Operand) -> Node:
    if isinstance(bound, float) and bound != bound:
        return level(full(x.shape, const(nan, common_dtype((x, bound)))), x)
    return elementwise(name, x, bound)


def _clamp_name(input: Any, *bounds: Any, **named: Any) -> str:
    given = (*bounds, *named.values())
    return f"ClampBackward{0 if any(isinstance(bound, Node) for bound in given) else 1}"


@function("clip", inplace=True, grad_name=_clamp_name)
def clamp(input: Node, min: Operand | None = None, max: Operand | None = None) -> Node:
    """max(min, input) and then min(max, that); each bound may be missing."""
    if min is None and max is None:
        raise GraphcRuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    check_operands("clamp", input, *[bound for bound in (min, max) if bound is not None])
    result = input
    if min is not None:
        result = _bounded("clamp_min", result, min)
    if max is not None:
        result = _bounded("clamp_max", result, max)
    return result


@function(inplace=True, grad_name=numbered("ClampMin", tensor=1, number=0))
def clamp_min(input: Node, min: Operand) -> Node:
    """max(input, min)"""
    return clamp(input, min=min)


@function(inplace=True, grad_name=numbered("ClampMax", tensor=1, number=0))
def clamp_max(input: Node, max: Operand) -> Node:
    """min(input, max)"""
    return clamp(input, max=max)


def _binary(name: str, *aliases: str, floating: bool = False, inplace: bool = True) -> None:
    """Declare the function of two tensors that is the primitive ``name``."""

    def call(input: Node, other: Node) -> Node:
        check_tensors(name, input, other)
        _check_kind(name, common_dtype((input, other)))
        return elementwise(name, input, other, floating=floating)

    call.__name__ = name
    call.__doc__ = f"Elementwise {name}."
    function(*aliases, inplace=inplace)(call)


def _check_kind(name: str, dtype: DType) -> None:
    """Raise where there is a function of integers alone or of floats alone."""
    if (name in INTEGRAL and dtype.category != 1) or (name in FLOATING and dtype.category != 2):
        raise not_implemented(f"{name}_cpu", dtype)


INTEGRAL = frozenset({"gcd", "lcm"})
FLOATING = frozenset({"hypot", "logaddexp", "logaddexp2", "nextafter"})

_binary("atan2", "arctan2", floating=True)
for _name in ("hypot", "nextafter", "gcd"):
    _binary(_name)
for _name in ("maximum", "minimum", "fmax", "fmin", "logaddexp"):
    _binary(_name, inplace=False)


@function(inplace=True, grad_name=numbered("Copysign", tensor=0, number=1))
def copysign(input: Node, other: Operand) -> Node:
    """The magnitude of the first operand with the sign of the second."""
    check_operands("copysign", input, other)
    return elementwise("copysign", input, other, floating=True)


@function(inplace=True)
def lcm(input: Node, other: Node) -> Node:
    """The least common multiple of integers."""
    check_tensors("lcm", input, other)
    _check_kind("lcm", common_dtype((input, other)))
    divisor = elementwise("gcd", input, other)
    safe = elementwise("maximum", divisor, 1)
    return elementwise("abs", elementwise("floor_divide", input, safe) * other)


@function()
def logaddexp2(input: Node, other: Node) -> Node:
    """log₂(2ˣ + 2ʸ)"""
    check_tensors("logaddexp2", input, other)
    x, y = promoted((input, other))
    _check_kind("logaddexp2", x.dtype)
    ln2 = 0.6931471805599453
    return elementwise("logaddexp", x * ln2, y * ln2) / ln2


@function(inplace=True)
def ldexp(input: Node, other: Node) -> Node:
    """input · 2 ** other"""
    return elementwise("mul", input, elementwise("exp2", other, floating=True))


@function()
def frexp(input: Node) -> Any:
    """The mantissa m, 0.5 ≤ |m| < 1, and the exponent e, int32, with m · 2ᵉ = input."""
    check_tensors("frexp", input)
    if not input.dtype.is_floating_point:
        raise GraphcRuntimeError("torch.frexp() only supports floating-point dtypes")
    x = widened(input)
    size = elementwise("abs", x)
    usable = elementwise("and", size > 0.0, size < inf)
    size = select(usable, size, 1.0)
    power = elementwise("floor", elementwise("log2", size)) + 1.0
    half = elementwise("floor", power * -0.5)  # 2⁻ᵉ alone may be infinite
    part = size * elementwise("exp2", half) * elementwise("exp2", -power - half)
    # The logarithm is rounded, so the exponent may be off by one.
    over, under = part >= 1.0, part < 0.5
    part = select(over, part * 0.5, select(under, part * 2.0, part))
    power = select(over, power + 1.0, select(under, power - 1.0, power))
    power = select(usable, power, 0.0)
    with grad_mode(False):
        mantissa = select(usable, elementwise("copysign", part, x), x)
        # PyTorch's derivative takes the power of a whole number, which is float32.
        slope = cast(elementwise("reciprocal", elementwise("exp2", cast(power, float32))), x.dtype)
    mantissa = cast(sloped(mantissa, x, slope), input.dtype)
    return return_type("frexp", "mantissa", "exponent")(mantissa, cast(power, int32))


@function(inplace=True, grad_name="NotImplemented")
def heaviside(input: Node, values: Node) -> Node:
    """0 below zero, ``values`` at zero, 1 above."""
    if input.dtype is not values.dtype:
        raise GraphcRuntimeError(
            "heaviside is not yet implemented for tensors with different dtypes."
        )
    with grad_mode(False):
        step = cast(elementwise("lt", 0, input), input.dtype)
        value = select(elementwise("eq", input, 0), values, step)
    return without_derivative(
        "derivative for aten::heaviside is not implemented", value, input, values
    )


@function(inplace=True, grad_name=numbered_by_operands("Xlogy"))
def xlogy(input: Operand, other: Operand) -> Node:
    """input · ln other, and 0 where input is 0 and other a number."""
    check_operands("xlogy", input, other)
    x, y = promoted((input, other), floating=True)
    endless = elementwise("or", y <= 0, elementwise("eq", y, float("inf")))
    vanishes = elementwise("and", elementwise("eq", x, 0), endless)
    return x * elementwise("log", select(vanishes, 1.0, y))


@function(inplace=True)
def logit(input: Node, eps: float | None = None) -> Node:
    """ln(x / (1 - x)), of x first kept within [eps, 1 - eps]."""
    check_operands("logit", input)
    (x,) = promoted((input,), floating=True)
    if eps is not None:
        x = clamp(x, eps, 1.0 - eps)
    outside = elementwise("or", x < 0, x > 1)
    slope = select(outside, nan, 1.0 / (x * (1.0 - x)))
    return sloped(elementwise("log", x / (1.0 - x)), x, slope)


@function(inplace=True)
def sinc(input: Node) -> Node:
    """sin(πx) / (πx), and 1 at 0."""
    check_operands("sinc", input)
    (x,) = promoted((input,), floating=True)
    angle = x * 3.141592653589793
    safe = select(elementwise("eq", x, 0), 1.0, angle)
    sine = elementwise("sin", safe) / safe
    scale = angle * x
    slope = (angle * elementwise("cos", angle) - elementwise("sin", angle)) / scale
    with grad_mode(False):
        value = select(elementwise("eq", x, 0), 1.0, sine)
    return sloped(value, x, select(elementwise("eq", scale, 0), 0.0, slope))


@function(inplace=True, grad_name="Deg2RadBackward0")
def deg2rad(input: Node) -> Node:
    """Degrees as radians."""
    return elementwise("mul", input, 0.017453292519943295)


@function(inplace=True, grad_name="Rad2DegBackward0")
def rad2deg(input: Node) -> Node:
    """Radians as degrees."""
    return elementwise("mul", input, 57.29577951308232)


@function(inplace=True)
def nan_to_num(
    input: Node,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Node:
    """nan as zero, the infinities as the largest numbers, or as given."""
    if not input.dtype.is_floating_point:
        return input
    largest = largest_number(input)
    x = select(elementwise("ne", input, input), 0.0 if nan is None else nan, input)
    high = largest if posinf is None else posinf
    low = -largest if neginf is None else neginf
    x = select(elementwise("eq", x, float("inf")), high, x)
    return select(elementwise("eq", x, float("-inf")), low, x)


def largest_number(x: Node) -> float:
    """The largest finite number of the element type of ``x``."""
    from ml_dtypes import finfo

    return float(finfo(x.dtype.numpy).max)
