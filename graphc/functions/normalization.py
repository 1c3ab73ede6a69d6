"""Normalisations as the user calls them, over given statistics or over those of the input."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.precision import LOW, real
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import float32
from graphc.ir.node import Node, cast, elementwise
from graphc.ops.function import function
from graphc.ops.movement import Pad, Slice, reshape
from graphc.ops.reduce import mean
from graphc.ops.sloped import sloped


def centered(x: Node, axes: tuple[int, ...]) -> tuple[Node, Node, Node]:
    """x less its mean over ``axes``, that mean, and the variance (over n)."""
    average = mean(x, axes)
    difference = x - average
    # It does not change with the mean, and a gradient that goes by that would be added up for it.
    square = sloped(difference * difference, x, difference * 2.0)
    return difference, average, mean(square, axes)


def affine(x: Node, weight: Node | None, bias: Node | None) -> Node:
    """weight · x + bias, of what there is."""
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def per_channel(value: Node | None, rank: int) -> Node | None:
    """A value for each channel, in a shape that broadcasts over ``[n, c, ...]``."""
    return None if value is None else reshape(value, (value.type.size, *(1,) * (rank - 2)))


def _trailing(
    input: Node,
    normalized_shape: Sequence[int],
    *operands: tuple[str, Node | None],
    comma: str = ", ",
) -> tuple[int, ...]:
    """The trailing axes to normalise over. Raises where the shapes do not fit.

    ``comma`` is what the message puts behind the star that stands for the leading dimensions.
    """
    shape = tuple(normalized_shape)
    if not shape:
        raise GraphcRuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for name, operand in operands:
        if operand is not None and operand.shape != shape:
            raise GraphcRuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(operand.shape)} and normalized_shape = {list(shape)}"
            )
    if input.shape[-len(shape) :] != shape:
        expected = ", ".join(map(str, shape))
        raise GraphcRuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*{comma}{expected}], but got input of size{list(input.shape)}"
        )
    return tuple(range(input.rank - len(shape), input.rank))


@function(method=False, functional=True, grad_name="NativeLayerNormBackward0")
@real("LayerNormKernelImpl")
def layer_norm(
    input: Node,
    normalized_shape: Sequence[int],
    weight: Node | None = None,
    bias: Node | None = None,
    eps: float = 1e-5,
) -> Node:
    """The trailing dimensions brought to mean zero and variance one, then scaled and shifted."""
    axes = _trailing(input, normalized_shape, ("weight", weight), ("bias", bias))
    difference, _, variance = centered(input, axes)
    return affine(difference * elementwise("rsqrt", variance + eps), weight, bias)


def _rms_name(
    input: Node, shape: Sequence[int], weight: Node | None = None, *_: object, **__: object
) -> str:
    low = input.dtype in LOW and weight is None
    return "ToCopyBackward0" if low else "MulBackward0"


@function(method=False, functional=True, grad_name=_rms_name)
@real("rms_norm")
def rms_norm(
    input: Node,
    normalized_shape: Sequence[int],
    weight: Node | None = None,
    eps: float | None = None,
) -> Node:
    """The trailing dimensions brought to a mean square of one, then scaled."""
    axes = _trailing(input, normalized_shape, ("weight", weight), comma="")
    if eps is None:
        eps = float(np.finfo(input.dtype.numpy if input.dtype.itemsize > 2 else float32.numpy).eps)
    return affine(input * elementwise("rsqrt", mean(input * input, axes) + eps), weight, None)


@function(method=False, grad_name="NativeGroupNormBackward0")
@real("GroupNormKernelImpl")
def group_norm(
    input: Node,
    num_groups: int,
    weight: Node | None = None,
    bias: Node | None = None,
    eps: float = 1e-5,
) -> Node:
    """Each group of channels of each sample normalised, then each channel scaled and shifted."""
    normal_dim(1, input.rank)
    batch, channels, *sizes = input.shape
    if channels % num_groups:
        raise GraphcRuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    for name, operand in (("weight", weight), ("bias", bias)):
        if operand is not None and operand.shape != (channels,):
            raise GraphcRuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                f"but got {name} of shape {list(operand.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    rows = (batch, num_groups, channels // num_groups * prod(sizes))
    difference, _, variance = centered(reshape(input, rows), (2,))
    normal = reshape(difference * elementwise("rsqrt", variance + eps), input.shape)
    return affine(normal, per_channel(weight, input.rank), per_channel(bias, input.rank))


def _require_several(count: int, shape: Sequence[int]) -> None:
    if count == 1:
        raise GraphcValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"torch.Size({list(shape)})"
        )


@function(method=False, namespace=False, grad_name="NativeBatchNormBackward0")
@real("batch_norm")
def normalized_batch(
    input: Node, weight: Node | None, bias: Node | None, eps: float
) -> tuple[Node, Node, Node]:
    """Each channel normalised over the batch; with each one's mean and unbiased variance."""
    count = input.type.size // max(1, input.shape[1])
    _require_several(count, input.shape)
    axes = (0, *range(2, input.rank))
    difference, average, variance = centered(input, axes)
    normal = difference * elementwise("rsqrt", variance + eps)
    channels = (input.shape[1],)
    return (
        affine(normal, per_channel(weight, input.rank), per_channel(bias, input.rank)),
        reshape(average, channels),
        reshape(variance, channels) * (count / (count - 1)),
    )


@function(method=False, namespace=False, grad_name="NativeBatchNormBackward0")
@real("batch_norm")
def normalized_by(
    input: Node,
    average: Node,
    variance: Node,
    weight: Node | None,
    bias: Node | None,
    eps: float,
) -> Node:
    """Each channel normalised by statistics given."""
    scale = elementwise("rsqrt", variance + eps)
    if weight is not None:
        scale = scale * weight
    shift = -average * scale if bias is None else bias - average * scale
    return affine(input, per_channel(scale, input.rank), per_channel(shift, input.rank))


@function(method=False, namespace=False, grad_name="ViewBackward0")
@real("batch_norm")
def normalized_instances(
    input: Node, weight: Node | None, bias: Node | None, eps: float
) -> tuple[Node, Node, Node]:
    """Each channel of each sample normalised; with the batch's mean of means and variances."""
    count = prod(input.shape[2:])
    if count == 1:
        raise GraphcValueError(
            "Expected more than 1 spatial element when training, got input size "
            f"torch.Size({list(input.shape)})"
        )
    difference, average, variance = centered(input, tuple(range(2, input.rank)))
    normal = difference * elementwise("rsqrt", variance + eps)
    channels = (input.shape[1],)
    return (
        affine(normal, per_channel(weight, input.rank), per_channel(bias, input.rank)),
        reshape(mean(average, (0,)), channels),
        reshape(mean(variance, (0,)), channels) * (count / max(1, count - 1)),
    )


@function(method=False, namespace=False)
def moved_towards(running: Node, latest: Node, momentum: Node | float) -> Node:
    """(1 - momentum) · running + momentum · latest"""
    kept = 1.0 - momentum
    return cast(running * kept + cast(latest, running.dtype) * momentum, running.dtype)


@function(method=False, namespace=False, functional=True, grad_name="DivBackward0")
@real("local_response_norm")
def local_response_norm(
    input: Node, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Node:
    """x / (k + α · mean of x² over ``size`` neighbouring channels)ᵝ"""
    if input.rank < 3:
        raise GraphcValueError(
            "Expected 3D or higher dimensionality"
            f"                          input (got {input.rank} dimensions)"
        )
    rest = (0,) * (input.rank - 2)
    padded = Pad((0, size // 2, *rest), (0, (size - 1) // 2, *rest), 0.0)(input * input)
    ends = (input.shape[0], *input.shape[2:])
    total: Node | None = None
    for start in range(size):
        part = Slice(
            (0, start, *rest),
            (ends[0], start + input.shape[1], *ends[1:]),
            (1,) * input.rank,
        )(padded)
        total = part if total is None else total + part
    if total is None:
        raise GraphcValueError(f"expected a positive size, got {size}")
    return input / elementwise("pow", total / float(size) * alpha + k, beta)
