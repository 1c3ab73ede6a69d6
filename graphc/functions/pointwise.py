"""Elementwise arithmetic as the user calls it: promotion, defaults and names of PyTorch."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, Operand, check_operands
from graphc.ir.dtype import Scalar, bool_, float64
from graphc.ir.node import Node, cast, common_dtype, const, elementwise, promoted
from graphc.ops.elementwise import where as select
from graphc.ops.function import function


@function(inplace=True, literal=True)
def add(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """input + alpha · other"""
    check_operands("add", input, other)
    if alpha != 1:
        other = elementwise("mul", other, alpha)
    return elementwise("or" if common_dtype((input, other)) is bool_ else "add", input, other)


@function("subtract", inplace=True, literal=True)
def sub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """input - alpha · other"""
    check_operands("sub", input, other)
    if alpha != 1:
        other = elementwise("mul", other, alpha)
    if common_dtype((input, other)) is bool_:
        raise GraphcRuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        )
    return elementwise("sub", input, other)


@function(method=False, literal=True)
def rsub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """other - alpha · input"""
    return sub(other, input, alpha=alpha)


@function("multiply", inplace=True, literal=True)
def mul(input: Operand, other: Operand) -> Node:
    """input · other"""
    check_operands("mul", input, other)
    return elementwise("and" if common_dtype((input, other)) is bool_ else "mul", input, other)


@function("divide", inplace=True, literal=True)
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Node:
    """input / other; ``rounding_mode`` is None, "trunc" or "floor"."""
    check_operands("div", input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode is None:
        return elementwise("div", input, other, floating=True)
    if rounding_mode != "trunc":
        raise GraphcRuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    dtype = common_dtype((input, other))
    if dtype.is_floating_point:
        return elementwise("trunc", elementwise("div", input, other))
    x, y = promoted((input, other))
    quotient = elementwise("floor_divide", x, y)
    inexact = elementwise("ne", quotient * y, x)
    negative = elementwise("lt", quotient, 0)
    return quotient + cast(elementwise("and", inexact, negative), dtype)


@function(inplace=True, grad_name="DivBackward0")
def true_divide(input: Operand, other: Operand) -> Node:
    """input / other"""
    return div(input, other)


@function(method=False, namespace=False, grad_name="MulBackward0")
def reverse_divide(input: Node, other: Operand) -> Node:
    """other / input, as other · (1 / input)"""
    check_operands("div", input, other)
    return mul(elementwise("reciprocal", input, floating=True), other)


@function(inplace=True)
def floor_divide(input: Operand, other: Operand) -> Node:
    """⌊input / other⌋"""
    check_operands("floor_divide", input, other)
    return elementwise("floor_divide", input, other)


@function(inplace=True)
def remainder(input: Operand, other: Operand) -> Node:
    """input - other · ⌊input / other⌋: the sign is the divisor's."""
    check_operands("remainder", input, other)
    return elementwise("remainder", input, other)


@function(inplace=True)
def fmod(input: Operand, other: Operand) -> Node:
    """input - other · trunc(input / other): the sign is the dividend's."""
    check_operands("fmod", input, other)
    return elementwise("fmod", input, other)


def _pow_name(input: Any, exponent: Any) -> str:
    return "PowBackward1" if isinstance(exponent, Node) else "PowBackward0"


@function(inplace=True, grad_name=_pow_name)
def pow(input: Operand, exponent: Operand) -> Node:
    """input ** exponent"""
    check_operands("pow", input, exponent)
    dtype = common_dtype((input, exponent))
    if not dtype.is_floating_point and isinstance(exponent, int) and exponent < 0:
        raise GraphcRuntimeError("Integers to negative integer powers are not allowed.")
    return elementwise("pow", input, exponent)


@function(method=False, namespace=False, grad_name="PowBackward1")
def reverse_power(input: Node, other: Operand) -> Node:
    """other ** input"""
    return pow(other, input)


@function(inplace=True)
def float_power(input: Operand, exponent: Operand) -> Node:
    """input ** exponent, in float64."""
    check_operands("float_power", input, exponent)
    return elementwise("pow", *promoted((input, exponent), dtype=float64))


@function(inplace=True, grad_name="PowBackward0")
def square(input: Node) -> Node:
    """input²"""
    check_operands("square", input)
    return elementwise("pow", input, 2)


@function("negative", inplace=True)
def neg(input: Node) -> Node:
    """-input"""
    check_operands("neg", input)
    if input.dtype is bool_:
        raise GraphcRuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return elementwise("neg", input)


@function()
def positive(input: Node) -> Node:
    """The tensor itself."""
    if input.dtype is bool_:
        raise GraphcRuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@function("absolute", inplace=True, grad_name="AbsBackward0")
def abs(input: Node) -> Node:
    """|input|"""
    check_operands("abs", input)
    return input if input.dtype is bool_ else elementwise("abs", input)


@function("sgn", inplace=True)
def sign(input: Node) -> Node:
    """-1, 0 or 1."""
    check_operands("sign", input)
    return input if input.dtype is bool_ else elementwise("sign", input)


def _rounding(name: str, *aliases: str) -> None:
    def call(input: Node) -> Node:
        check_operands(name, input)
        return elementwise(name, input) if input.dtype.is_floating_point else input

    call.__name__ = name
    call.__doc__ = f"{name.capitalize()} of each element; integers stay as they are."
    function(*aliases, inplace=True, grad_name=f"{name.capitalize()}Backward0")(call)


for _name, _alias in (("floor", ()), ("ceil", ()), ("trunc", ("fix",))):
    _rounding(_name, *_alias)


@function(inplace=True)
def round(input: Node, *, decimals: int = 0) -> Node:
    """To the nearest number of so many decimals, halves to the even one."""
    check_operands("round", input)
    if not input.dtype.is_floating_point:
        return input
    if not decimals:
        return elementwise("round", input)
    scale = 10.0 ** (decimals if decimals > 0 else -decimals)
    if decimals > 0:
        return elementwise("round", input * scale) / scale
    return elementwise("round", input / scale) * scale


@function(inplace=True)
def frac(input: Node) -> Node:
    """input - trunc(input)"""
    check_operands("frac", input)
    return input - elementwise("trunc", input)


def _bounded(name: str, x: Node, bound: Operand) -> Node:
    if isinstance(bound, float) and bound != bound:
        return elementwise("mul", x, bound)
    return elementwise(name, x, bound)


@function("clip", inplace=True, grad_name="ClampBackward1")
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


@function(inplace=True)
def clamp_min(input: Node, min: Operand) -> Node:
    """max(input, min)"""
    return clamp(input, min=min)


@function(inplace=True)
def clamp_max(input: Node, max: Operand) -> Node:
    """min(input, max)"""
    return clamp(input, max=max)


@function(inplace=True, grad_name="LerpBackward0")
def lerp(input: Node, end: Node, weight: Operand) -> Node:
    """input + weight · (end - input), exact at both ends."""
    check_operands("lerp", input, end, weight)
    step = end - input
    if isinstance(weight, Node):
        return select(weight < 0.5, input + weight * step, end - step * (1.0 - weight))
    return input + step * weight if -0.5 < weight < 0.5 else end - step * (1.0 - weight)


@function(inplace=True)
def addcmul(input: Node, tensor1: Node, tensor2: Node, *, value: Scalar = 1) -> Node:
    """input + value · tensor1 · tensor2"""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


@function(inplace=True)
def addcdiv(input: Node, tensor1: Node, tensor2: Node, *, value: Scalar = 1) -> Node:
    """input + value · tensor1 / tensor2"""
    if not common_dtype((tensor1, tensor2)).is_floating_point:
        raise GraphcRuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2."
        )
    quotient = (tensor1 if value == 1 else tensor1 * value) / tensor2
    return input + quotient


def _binary(name: str, *aliases: str, floating: bool = False, inplace: bool = True) -> None:
    """Declare the function of two operands that is the primitive ``name``."""

    def call(input: Node, other: Operand) -> Node:
        check_operands(name, input, other)
        return elementwise(name, input, other, floating=floating)

    call.__name__ = name
    call.__doc__ = f"Elementwise {name}."
    function(*aliases, inplace=inplace)(call)


_binary("atan2", "arctan2", floating=True)
_binary("hypot")
_binary("copysign", floating=True)
_binary("nextafter")
_binary("gcd")
_binary("logaddexp", inplace=False, floating=True)
for _name in ("maximum", "minimum", "fmax", "fmin"):
    _binary(_name, inplace=False)


@function(inplace=True)
def lcm(input: Node, other: Node) -> Node:
    """The least common multiple of integers."""
    divisor = elementwise("gcd", input, other)
    safe = elementwise("maximum", divisor, 1)
    return elementwise("abs", elementwise("floor_divide", input, safe) * other)


@function()
def logaddexp2(input: Node, other: Node) -> Node:
    """log₂(2ˣ + 2ʸ)"""
    ln2 = 0.6931471805599453
    return elementwise("logaddexp", input * ln2, other * ln2) / ln2


@function(inplace=True)
def ldexp(input: Node, other: Node) -> Node:
    """input · 2 ** other"""
    return elementwise("mul", input, elementwise("exp2", other, floating=True))


@function(inplace=True)
def heaviside(input: Node, values: Node) -> Node:
    """0 below zero, ``values`` at zero, 1 above."""
    x, at_zero = promoted((input, values))
    step = cast(elementwise("lt", 0, x), x.dtype)
    return select(elementwise("eq", x, 0), at_zero, step)


@function(inplace=True)
def xlogy(input: Operand, other: Operand) -> Node:
    """input · ln other, and 0 where input is 0 and other a number."""
    check_operands("xlogy", input, other)
    x, y = promoted((input, other), floating=True)
    vanishes = elementwise("and", elementwise("eq", x, 0), elementwise("eq", y, y))
    safe = select(vanishes, 1.0, y)
    return select(vanishes, 0.0, x * elementwise("log", safe))


@function(inplace=True)
def logit(input: Node, eps: float | None = None) -> Node:
    """ln(x / (1 - x)), of x first kept within [eps, 1 - eps]."""
    check_operands("logit", input)
    (x,) = promoted((input,), floating=True)
    if eps is not None:
        x = clamp(x, eps, 1.0 - eps)
    return elementwise("log", x / (1.0 - x))


@function(inplace=True)
def sinc(input: Node) -> Node:
    """sin(πx) / (πx), and 1 at 0."""
    check_operands("sinc", input)
    (x,) = promoted((input,), floating=True)
    angle = x * 3.141592653589793
    at_zero = elementwise("eq", x, 0)
    safe = select(at_zero, 1.0, angle)
    return select(at_zero, 1.0, elementwise("sin", safe) / safe)


@function(inplace=True)
def deg2rad(input: Node) -> Node:
    """Degrees as radians."""
    return elementwise("mul", input, 0.017453292519943295)


@function(inplace=True)
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


@function(grad_name="WhereBackward0", method=False)
def where(condition: Node, input: Operand, other: Operand) -> Node:
    """``input`` where the condition holds, else ``other``."""
    check_operands("where", input, other)
    x, y = promoted((input, other))
    return select(_mask("where", condition), x, y)


def _mask(name: str, condition: Node) -> Node:
    if condition.dtype is bool_:
        return condition
    if condition.dtype.name == "uint8":
        return cast(condition, bool_)
    raise GraphcRuntimeError(
        f"{name} expected condition to be a boolean tensor, but got a tensor with dtype "
        f"{C_NAMES[condition.dtype.name]}"
    )


@function(inplace=True, grad_name="MaskedFillBackward0")
def masked_fill(input: Node, mask: Node, value: Operand) -> Node:
    """``value``, a number or a tensor of no dimensions, where the mask holds."""
    if mask.dtype is not bool_:
        raise GraphcRuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{C_NAMES[mask.dtype.name].lower()}"
        )
    if isinstance(value, Node):
        if value.rank:
            raise GraphcRuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.rank} dimension(s)."
            )
        return select(mask, cast(value, input.dtype), input)
    check_fits("masked_fill", value, input)
    return select(mask, const(value, input.dtype), input)


def check_fits(name: str, value: Scalar, like: Node) -> None:
    """Raise where a number would lose its fraction in the element type of ``like``."""
    if isinstance(value, float) and not like.dtype.is_floating_point and value % 1:
        raise GraphcRuntimeError(
            f"value cannot be converted to type {like.dtype} without overflow"
        )


@function(method=False, namespace=False, inplace=True, grad_name="FillBackward0")
def fill(input: Node, value: Operand) -> Node:
    """``value`` everywhere."""
    from graphc.ops.movement import expand

    if isinstance(value, Node):
        if value.rank:
            raise GraphcRuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.rank} "
                "dimensions."
            )
        return expand(cast(value, input.dtype), input.shape)
    return expand(const(value, input.dtype), input.shape)


@function(method=False, namespace=False, inplace=True, grad_name="ZeroBackward0")
def zero(input: Node) -> Node:
    """Zero everywhere."""
    return fill(input, 0)


@function(method=False, namespace=False, inplace=True, grad_name="CopyBackwards")
def copy(input: Node, src: Node, non_blocking: bool = False) -> Node:
    """``src``, broadcast and converted to the type of ``input``."""
    from graphc.ops.movement import expand

    return expand(cast(src, input.dtype), input.shape)


@function(grad_name="CloneBackward0")
def clone(input: Node, *, memory_format: object = None) -> Node:
    """The same numbers in memory of their own."""
    return input

