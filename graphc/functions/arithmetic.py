"""Arithmetic as the user calls it: promotion, defaults, names and errors of PyTorch."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.functions.operands import (
    Operand,
    c_type,
    check_operands,
    check_tensors,
    not_implemented,
    numbered,
    tensors_of,
)
from graphc.ir.dtype import DType, Scalar, bool_, complex128, float64
from graphc.ir.node import Node, cast, common_dtype, const, elementwise, grad_mode, promoted
from graphc.ops.elementwise import where as select
from graphc.ops.function import function
from graphc.ops.movement import expand
from graphc.ops.sloped import level, without_derivative


def _scaled(input: Operand, other: Operand, alpha: Scalar) -> Operand:
    """alpha · other, in the type of the sum."""
    dtype = common_dtype((input, other))
    if isinstance(alpha, bool) and dtype is not bool_:
        raise GraphcRuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and not dtype.is_inexact:
        raise GraphcRuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    if alpha == 1:
        return other
    return cast(cast(other, dtype) * alpha, dtype) if isinstance(other, Node) else other * alpha


@function(inplace=True, literal=True)
def add(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """input + alpha · other"""
    check_operands("add", input, other)
    other = _scaled(input, other, alpha)
    return elementwise("or" if common_dtype((input, other)) is bool_ else "add", input, other)


def _is_bool(x: Operand) -> bool:
    return x.dtype is bool_ if isinstance(x, Node) else isinstance(x, bool)


@function("subtract", inplace=True, literal=True)
def sub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """input - alpha · other"""
    check_operands("sub", input, other)
    refuse_truths(input, other)
    return elementwise("sub", input, _scaled(input, other, alpha))


def refuse_truths(input: Operand, other: Operand) -> None:
    """Raise where truth values would be subtracted."""
    if _is_bool(input) and _is_bool(other):
        raise GraphcRuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        )
    if _is_bool(input) or _is_bool(other):
        raise GraphcRuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )


@function(method=False, literal=True, grad_name=numbered("Rsub", tensor=0, number=1))
def rsub(input: Operand, other: Operand, *, alpha: Scalar = 1) -> Node:
    """other - alpha · input"""
    return sub(other, input, alpha=alpha)


@function("multiply", inplace=True, literal=True)
def mul(input: Operand, other: Operand) -> Node:
    """input · other"""
    check_operands("mul", input, other)
    return elementwise("and" if common_dtype((input, other)) is bool_ else "mul", input, other)


def _div_name(input: Any, other: Any, rounding_mode: str | None = None) -> str:
    return "DivBackward0" if rounding_mode is None else "DivBackward2"


@function("divide", inplace=True, literal=True, grad_name=_div_name)
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Node:
    """input / other; ``rounding_mode`` is None, "trunc" or "floor"."""
    check_operands("div", input, other)
    if rounding_mode is None:
        return elementwise("div", input, other, floating=True)
    if rounding_mode not in ("trunc", "floor"):
        raise GraphcRuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    dtype = _divisible(f"div_{rounding_mode}_cpu", input, other)
    if rounding_mode == "floor":
        return elementwise("floor_divide", input, other)
    if dtype.is_floating_point:
        with grad_mode(False):
            quotient = elementwise("trunc", elementwise("div", input, other))
        return level(quotient, *tensors_of(input, other))
    x, y = promoted((input, other))
    quotient = elementwise("floor_divide", x, y)
    inexact = elementwise("ne", quotient * y, x)
    negative = elementwise("lt", quotient, 0)
    return quotient + cast(elementwise("and", inexact, negative), dtype)


def _divisible(kernel: str, input: Operand, other: Operand) -> DType:
    """The type of a rounded quotient or a remainder; an error where there is none."""
    dtype = common_dtype((input, other))
    if dtype is bool_:
        raise not_implemented(kernel, dtype)
    if not dtype.is_floating_point and not isinstance(other, Node) and other == 0:
        raise GraphcRuntimeError("ZeroDivisionError")
    return dtype


@function(inplace=True, grad_name="DivBackward0")
def true_divide(input: Operand, other: Operand) -> Node:
    """input / other"""
    return div(input, other)


@function(method=False, namespace=False, grad_name="MulBackward0")
def reverse_divide(input: Node, other: Operand) -> Node:
    """other / input, as other · (1 / input)"""
    check_operands("div", input, other)
    return mul(elementwise("reciprocal", input, floating=True), other)


@function(inplace=True, grad_name="NotImplemented")
def floor_divide(input: Operand, other: Operand) -> Node:
    """⌊input / other⌋"""
    check_operands("floor_divide", input, other)
    _divisible("div_floor_cpu", input, other)
    with grad_mode(False):
        quotient = elementwise("floor_divide", input, other)
    return without_derivative(
        "derivative for aten::floor_divide is not implemented", quotient, *tensors_of(input, other)
    )


@function(inplace=True, grad_name=numbered("Remainder", tensor=1, number=0))
def remainder(input: Operand, other: Operand) -> Node:
    """input - other · ⌊input / other⌋: the sign is the divisor's."""
    check_operands("remainder", input, other)
    _divisible("remainder_cpu", input, other)
    return elementwise("remainder", input, other)


@function(inplace=True, grad_name=numbered("Fmod", tensor=1, number=0))
def fmod(input: Operand, other: Operand) -> Node:
    """input - other · trunc(input / other): the sign is the dividend's."""
    check_operands("fmod", input, other)
    _divisible("fmod_cpu", input, other)
    return elementwise("fmod", input, other)


def _pow_name(input: Any, exponent: Any) -> str:
    if not isinstance(exponent, Node):
        return "PowBackward0"
    return "PowBackward1" if isinstance(input, Node) else "PowBackward2"


@function(inplace=True, grad_name=_pow_name)
def pow(input: Operand, exponent: Operand) -> Node:
    """input ** exponent"""
    check_operands("pow", input, exponent)
    dtype = common_dtype((input, exponent))
    if dtype is bool_:
        return _bool_power(input, exponent)
    if dtype.is_inexact:
        return elementwise("pow", input, exponent)
    if isinstance(exponent, Node):
        return _integer_power(*promoted((input, exponent)))
    if exponent < 0:
        raise GraphcRuntimeError("Integers to negative integer powers are not allowed.")
    return elementwise("pow", input, exponent)


def _bool_power(input: Operand, exponent: Operand) -> Node:
    """The powers of truth values that PyTorch has: those that are no more than a copy."""
    if isinstance(input, Node) and not isinstance(exponent, Node):
        return input if exponent else expand(const(True, bool_), input.shape)
    raise not_implemented("pow", bool_)


def _integer_power(x: Node, y: Node) -> Node:
    """x ** y of integers, rounded towards zero where y is negative."""
    power = elementwise("pow", x, elementwise("maximum", y, 0))
    if not y.dtype.is_signed:
        return power
    odd = elementwise("ne", elementwise("and", y, 1), 0)
    one, minus_one, zero = (const(value, x.dtype) for value in (1, -1, 0))
    of_minus_one = select(elementwise("eq", x, -1), select(odd, minus_one, one), zero)
    return select(y < 0, select(elementwise("eq", x, 1), one, of_minus_one), power)


@function(method=False, namespace=False, grad_name="PowBackward2")
def reverse_power(input: Node, other: Operand) -> Node:
    """other ** input"""
    return pow(other, input)


@function(inplace=True, grad_name=_pow_name)
def float_power(input: Operand, exponent: Operand) -> Node:
    """input ** exponent, in float64 or complex128."""
    check_operands("float_power", input, exponent)
    dtype = complex128 if common_dtype((input, exponent)).is_complex else float64
    return elementwise("pow", *promoted((input, exponent), dtype=dtype))


@function(inplace=True, grad_name="PowBackward0")
def square(input: Node) -> Node:
    """input²"""
    return pow(input, 2)


@function("negative", inplace=True)
def neg(input: Node) -> Node:
    """-input"""
    check_tensors("neg", input)
    if input.dtype is bool_:
        raise GraphcRuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return elementwise("neg", input)


@function("absolute", inplace=True)
def abs(input: Node) -> Node:
    """|input|"""
    check_tensors("abs", input)
    if input.dtype is bool_:
        raise not_implemented("abs_cpu", input.dtype)
    return elementwise("abs", input)


@function(inplace=True)
def sign(input: Node) -> Node:
    """-1, 0 or 1."""
    check_tensors("sign", input)
    if input.dtype.is_complex:
        raise GraphcNotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use "
            "torch.sgn instead."
        )
    return input if input.dtype is bool_ else elementwise("sign", input)


@function(inplace=True)
def sgn(input: Node) -> Node:
    """-1, 0 or 1; of a complex number x / |x|, or 0."""
    return elementwise("sign", input) if input.dtype.is_complex else sign(input)


@function(inplace=True, grad_name=numbered("Lerp", tensor=1, number=0, place=2))
def lerp(input: Node, end: Node, weight: Operand) -> Node:
    """input + weight · (end - input), exact at both ends."""
    check_tensors("lerp", input, end)
    _check_mixture(input, end, weight)
    step = end - input
    if isinstance(weight, Node):
        return select(weight < 0.5, input + weight * step, end - step * (1.0 - weight))
    return input + step * weight if -0.5 < weight < 0.5 else end - step * (1.0 - weight)


def _check_mixture(input: Node, end: Node, weight: Operand) -> None:
    given = {"end": end, "weight": weight}
    for label, x in given.items():
        if isinstance(x, Node) and x.dtype is not input.dtype and (label == "end" or x.rank):
            raise GraphcRuntimeError(
                f"expected dtype {c_type(input.dtype)} for `{label}` but got dtype "
                f"{c_type(x.dtype)}"
            )
    if not input.dtype.is_inexact:
        kernel = "lerp_kernel_tensor" if isinstance(weight, Node) else "lerp_kernel_scalar"
        raise not_implemented(kernel, input.dtype)


@function(inplace=True)
def addcmul(input: Node, tensor1: Node, tensor2: Node, *, value: Scalar = 1) -> Node:
    """input + value · tensor1 · tensor2"""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


@function(inplace=True)
def addcdiv(input: Node, tensor1: Node, tensor2: Node, *, value: Scalar = 1) -> Node:
    """input + value · tensor1 / tensor2"""
    if not common_dtype((tensor1, tensor2)).is_inexact:
        raise GraphcRuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / "
            "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / "
            "tensor2) for float inputs. The future addcdiv behavior is just the latter "
            "implementation: (input + value * tensor1 / tensor2), for all dtypes."
        )
    quotient = (tensor1 if value == 1 else tensor1 * value) / tensor2
    return input + quotient
