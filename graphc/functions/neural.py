"""Activations as the user calls them."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.arithmetic import abs, div, sub
from graphc.functions.operands import C_NAMES
from graphc.functions.precision import real, require_floating, widened
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import bool_
from graphc.ir.node import Node, cast, elementwise, grad_mode
from graphc.ops.elementwise import And, number, where
from graphc.ops.function import function
from graphc.ops.movement import Slice, full, reshape
from graphc.ops.random import kept_scale
from graphc.ops.sloped import curved, level, sloped, without_derivative

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def at_least(x: Node, low: float) -> Node:
    """max(x, low); at a tie the gradient flows."""
    return elementwise("clamp_min", x, low)


def _negative(x: Node) -> Node:
    """x where it is not positive, else 0: what keeps an exponential from overflowing."""
    return where(x <= 0.0, x, 0.0)


@function(method=False, namespace=False, functional=True, grad_name="HardtanhBackward0")
def relu6(input: Node) -> Node:
    """min(max(x, 0), 6)"""
    return hardtanh(input, 0.0, 6.0)


@function(method=False, namespace=False, functional=True)
def hardtanh(input: Node, min_val: float = -1.0, max_val: float = 1.0) -> Node:
    """min(max(x, min), max), whose gradient at both ends is zero."""
    if min_val > max_val:
        raise GraphcValueError("min_val cannot be greater than max_val")
    if input.dtype is bool_:
        raise GraphcRuntimeError("Bool inputs not supported for hardtanh")
    if not input.dtype.is_signed and (min_val < 0 or max_val < 0):
        raise GraphcRuntimeError("cannot do hardtanh on an unsigned type with negative limits")
    return _between(input, number(min_val, input), number(max_val, input))


def _between(x: Node, low: Node, high: Node) -> Node:
    return where(x <= low, low, where(x >= high, high, curved(x)))


@function(method=False, namespace=False, functional=True)
@real("leaky_relu_cpu")
def leaky_relu(input: Node, negative_slope: float = 0.01) -> Node:
    """x where positive, else slope · x."""
    x = curved(input)
    return where(input > 0.0, x, x * negative_slope)


@function(method=False, namespace=False, functional=True)
@real("elu_cpu")
def elu(input: Node, alpha: float = 1.0) -> Node:
    """x where positive, else α · (eˣ - 1)."""
    return where(input <= 0.0, elementwise("expm1", _negative(input)) * alpha, input)


@function(method=False, functional=True, grad_name="EluBackward0")
@real("elu_cpu")
def selu(input: Node) -> Node:
    """The self-normalising elu."""
    below = elementwise("expm1", _negative(input)) * (_SELU_ALPHA * _SELU_SCALE)
    return where(input <= 0.0, below, input * _SELU_SCALE)


@function(method=False, functional=True)
@real("elu_cpu")
def celu(input: Node, alpha: float = 1.0) -> Node:
    """x where positive, else α · (exp(x / α) - 1)."""
    if alpha == 0:
        raise GraphcRuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    low = _negative(input)
    with grad_mode(False):
        below = elementwise("expm1", low * (1 / alpha)) * alpha
        value = where(input <= 0.0, below, input)
    # PyTorch's derivative takes the reciprocal of alpha in single precision.
    inverse = 1 / float(np.float32(alpha))
    bent = elementwise("exp", low * inverse) * (alpha * inverse)
    return sloped(value, input, where(input <= 0.0, bent, 1.0))


@function(method=False, namespace=False, functional=True)
@real("GeluKernelImpl")
def gelu(input: Node, *, approximate: str = "none") -> Node:
    """x · Φ(x), Φ the normal distribution's cumulative density, or tanh's approximation of it."""
    if approximate == "none":
        return input * 0.5 * (elementwise("erf", input * sqrt(0.5)) + 1.0)
    if approximate != "tanh":
        raise GraphcRuntimeError("approximate argument must be either none or tanh.")
    scale = sqrt(8 / pi)
    inner = input * (input * input * (0.044715 * scale) + scale)
    # Half of 1 + tanh(z) is sigmoid(2z), which keeps its last places where tanh is near -1.
    return input * elementwise("sigmoid", inner)


@function(method=False, namespace=False, functional=True)
@real("silu_cpu")
def silu(input: Node) -> Node:
    """x · sigmoid(x)"""
    return input * elementwise("sigmoid", input)


@function(method=False, namespace=False, functional=True)
@real("mish_cpu")
def mish(input: Node) -> Node:
    """x · tanh(ln(1 + eˣ))"""
    return input * elementwise("tanh", _softplus(input, 20.0))


def _softplus(z: Node, threshold: float) -> Node:
    linear = z > threshold
    bent = elementwise("log1p", elementwise("exp", where(linear, 0.0, z)))
    return sloped(where(linear, z, bent), z, where(linear, 1.0, elementwise("sigmoid", z)))


@function(method=False, namespace=False, functional=True)
@real("softplus_cpu")
def softplus(input: Node, beta: float = 1.0, threshold: float = 20.0) -> Node:
    """ln(1 + exp(β · x)) / β; x itself where β · x passes the threshold."""
    if beta == 1:
        return _softplus(input, threshold)
    z = input * beta
    linear = z > threshold
    with grad_mode(False):
        bent = elementwise("log1p", elementwise("exp", where(linear, 0.0, z)))
        value = where(linear, input, bent / number(beta, input))
    return sloped(value, input, where(linear, 1.0, elementwise("sigmoid", z)))


@function(method=False, namespace=False, functional=True, grad_name="DivBackward0")
def softsign(input: Node) -> Node:
    """x / (1 + |x|)"""
    return div(input, abs(input) + 1)


@function(method=False, namespace=False, functional=True)
@real("hardswish_cpu")
def hardswish(input: Node) -> Node:
    """x · min(max(x + 3, 0), 6) / 6"""
    with grad_mode(False):
        value = input * relu6(input + 3.0) / 6.0
    middle = where(input < 3.0, input / 3.0 + 0.5, 1.0)
    return sloped(value, input, where(input <= -3.0, 0.0, middle))


@function(method=False, namespace=False, functional=True)
@real("hardsigmoid_cpu")
def hardsigmoid(input: Node) -> Node:
    """min(max(x + 3, 0), 6) / 6"""
    with grad_mode(False):
        value = where(input <= -3.0, 0.0, where(input >= 3.0, 1.0, (input + 3.0) / 6.0))
    # PyTorch's derivative is a sixth in single precision.
    sixth = full(input.shape, number(float(np.float32(1 / 6)), input))
    inside = And()(input > -3.0, input < 3.0)
    missing = "derivative for aten::hardsigmoid_backward is not implemented"
    slope = without_derivative(missing, where(inside, sixth, 0.0), input)
    return sloped(value, input, slope)


@function(method=False, namespace=False, functional=True, grad_name="LogSigmoidBackward0")
@real("log_sigmoid_cpu")
def logsigmoid(input: Node) -> Node:
    """ln(1 / (1 + e⁻ˣ))"""
    bent = elementwise("log1p", elementwise("exp", -elementwise("abs", input)))
    return sloped(_negative(input) - bent, input, elementwise("sigmoid", -input))


@function(method=False, namespace=False, functional=True, grad_name="SubBackward0")
def tanhshrink(input: Node) -> Node:
    """x - tanh(x)"""
    return sub(input, elementwise("tanh", input, floating=True))


@function(method=False, namespace=True, functional=True, grad_name="ThresholdBackward0")
def threshold(input: Node, threshold: float, value: float) -> Node:
    """x where it passes the threshold, else ``value``."""
    return where(input <= threshold, value, curved(input))


@function(functional=True)
@real("hardshrink_cpu")
def hardshrink(input: Node, lambd: float = 0.5) -> Node:
    """x, or 0 where |x| ≤ λ."""
    return where(elementwise("abs", input) <= lambd, 0.0, curved(input))


@function(method=False, namespace=False, functional=True)
@real("softshrink_check")
def softshrink(input: Node, lambd: float = 0.5) -> Node:
    """x brought nearer to zero by λ."""
    largest = float(np.finfo(input.dtype.numpy).max)
    if not 0 <= lambd <= largest:
        raise GraphcRuntimeError(
            f"lambda must be in range [0, {largest:g}] for input dtype "
            f"{C_NAMES[input.dtype.name]}, but found {lambd:g}"
        )
    with grad_mode(False):
        inner = where(input < -lambd, input + lambd, input * 0.0)
        value = where(input > lambd, input - lambd, inner)
    outside = where(elementwise("abs", input) <= lambd, 0.0, number(1.0, input))
    return sloped(value, input, level(outside, input))


@function(method=False, namespace=False, functional=True)
@real("glu_cpu")
def glu(input: Node, dim: int = -1) -> Node:
    """a · sigmoid(b), where a and b are the halves of x along ``dim``."""
    if not input.rank:
        raise GraphcRuntimeError("glu does not support scalars because halving size must be even")
    axis = normal_dim(dim, input.rank)
    extent = input.shape[axis]
    if extent % 2:
        raise GraphcRuntimeError(
            f"Halving dimension must be even, but dimension {axis} is size {extent}"
        )
    first, second = (_part(input, axis, extent // 2 * i, extent // 2 * (i + 1)) for i in (0, 1))
    return first * elementwise("sigmoid", second)


def _part(x: Node, axis: int, start: int, stop: int) -> Node:
    starts = tuple(start if i == axis else 0 for i in range(x.rank))
    stops = tuple(stop if i == axis else n for i, n in enumerate(x.shape))
    return Slice(starts, stops, (1,) * x.rank)(x)


def _check_slopes(input: Node, weight: Node) -> None:
    if input.dtype is not weight.dtype:
        raise GraphcRuntimeError(
            f"prelu: Type promoting not supported. Got {C_NAMES[input.dtype.name]} and "
            f"{C_NAMES[weight.dtype.name]}"
        )
    if weight.rank > 1:
        raise GraphcRuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.rank}"
        )
    count, channels = weight.type.size, input.shape[1] if input.rank > 1 else 1
    if count == 1:
        return
    if not input.rank:
        raise GraphcRuntimeError("Not allow zero-dim input tensor.")
    if count != channels:
        raise GraphcRuntimeError(
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{count} and channel size = {channels}."
        )


@function(functional=True, grad_name="PreluKernelBackward0")
def prelu(input: Node, weight: Node) -> Node:
    """x where positive, else w · x, with one w or one for each channel."""
    _check_slopes(input, weight)
    slope = weight
    if weight.rank:
        shape = [1] * max(input.rank, 1)
        shape[min(1, input.rank - 1) if input.rank else 0] = weight.type.size
        slope = reshape(weight, tuple(shape) if input.rank else ())
    return where(input > 0.0, input, slope * input)


@function(method=False, namespace=False, grad_name="RreluWithNoiseBackward0")
def leaky_by_noise(input: Node, lower: float, upper: float, noise: Node | None) -> Node:
    """x where positive, else a slope times x: by noise from ``lower`` to ``upper``, or the mean."""
    require_floating("leaky_relu_cpu" if noise is None else "rrelu_with_noise_out_cpu", input)
    if noise is None:
        return leaky_relu(input, (lower + upper) / 2)
    x = widened(input)
    return cast(where(x <= 0.0, x * (noise * (upper - lower) + lower), x), input.dtype)


def _require_fractions(x: Node) -> None:
    if not x.dtype.is_floating_point:
        raise GraphcRuntimeError(
            f"result type Float can't be cast to the desired output type {C_NAMES[x.dtype.name]}"
        )


@function(method=False, namespace=False, grad_name="MulBackward0")
def masked_by_noise(input: Node, noise: Node, p: float) -> Node:
    """x / (1 - p) where the noise, uniform in [0, 1), is at least p, else 0."""
    _require_fractions(input)
    x = widened(input)
    return cast(x * where(noise < p, 0.0, number(kept_scale(p), x)), input.dtype)


def _alpha_name(input: Node, noise: Node, p: float) -> str:
    return "AddBackward0" if p < 1 else "MulBackward0"


@function(method=False, namespace=False, grad_name=_alpha_name)
def alpha_masked_by_noise(input: Node, noise: Node, p: float) -> Node:
    """x kept, or replaced by selu's limit; scaled and shifted to keep mean and variance."""
    _require_fractions(input)
    return cast(_alpha_masked(widened(input), noise, p), input.dtype)


def _alpha_masked(input: Node, noise: Node, p: float) -> Node:
    if p == 1:
        return input * 0.0
    limit = -_SELU_ALPHA * _SELU_SCALE
    a = 1 / sqrt((limit * limit * p + 1) * (1 - p))
    b = -a * limit * p
    kept = where(noise < p, 0.0, number(1.0, input))
    return input * (kept * a) + where(noise < p, number(limit * a, input), 0.0) + b
