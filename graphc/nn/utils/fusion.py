"""Layers that a batch norm in evaluation, which follows them, is made part of."""

from __future__ import annotations

import copy
from typing import TypeVar

from graphc.nn.modules.batchnorm import _BatchNorm
from graphc.nn.modules.conv import _ConvNd
from graphc.nn.modules.linear import Linear
from graphc.nn.parameter import Parameter
from graphc.tensor import Tensor

C = TypeVar("C", bound=_ConvNd)
L = TypeVar("L", bound=Linear)


def fuse_conv_bn_eval(conv: C, bn: _BatchNorm, transpose: bool = False) -> C:
    """A convolution that does what ``conv`` and then ``bn`` do."""
    mean, variance = _statistics(conv.training, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, mean, variance, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def _statistics(training: bool, bn: _BatchNorm) -> tuple[Tensor, Tensor]:
    if training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise AssertionError("bn.running_mean and bn.running_var must not be None")
    return bn.running_mean, bn.running_var


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a convolution with a batch norm of these statistics in it."""
    extents = [1] * (conv_w.ndim - 2)
    shape = [1, -1, *extents] if transpose else [-1, 1, *extents]
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, shape)


def fuse_linear_bn_eval(linear: L, bn: _BatchNorm) -> L:
    """A layer that does what ``linear`` and then ``bn`` do."""
    mean, variance = _statistics(linear.training, bn)
    if bn.num_features not in (linear.out_features, 1):
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got "
            f"linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, mean, variance, bn.eps, bn.weight, bn.bias
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of a linear layer with a batch norm of these statistics in it."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, [-1, 1])


def _fused(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    scale: Tensor | None,
    shift: Tensor | None,
    shape: list[int],
) -> tuple[Parameter, Parameter]:
    """Both, scaled by s = scale / √(variance + eps), the bias shifted by shift - mean · s."""
    factor = (variance + eps).rsqrt()
    factor = factor if scale is None else factor * scale
    moved = -mean * factor if bias is None else (bias - mean) * factor
    moved = moved if shift is None else moved + shift
    dtype = weight.dtype if bias is None else bias.dtype
    grown = weight * factor.reshape(shape)
    return (
        Parameter(grown.to(dtype=weight.dtype), weight.requires_grad),
        Parameter(moved.to(dtype=dtype), bias is not None and bias.requires_grad),
    )
