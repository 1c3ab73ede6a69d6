"""Softmax and its kin."""

from __future__ import annotations

import warnings

from graphc.functions.precision import real
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import DType
from graphc.ir.node import Node, cast, elementwise, grad_mode
from graphc.ops.function import function
from graphc.ops.movement import reshape
from graphc.ops.reduce import Max, Sum


def _dimension(name: str, dim: int | None, rank: int) -> int:
    """The dimension meant; None is PyTorch's deprecated choice by rank."""
    if dim is None:
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. Change the call to "
            "include dim=X as an argument.",
            stacklevel=5,
        )
        dim = 0 if rank in (0, 1, 3) else 1
    return normal_dim(dim, rank)


def shifted(x: Node, axis: int) -> Node:
    """x less its maximum along ``axis``, which cancels and so has no gradient."""
    if not x.shape[axis]:
        return x
    with grad_mode(False):
        largest = Max((axis,))(x)
    return x - largest


def softmax_rows(x: Node, axis: int) -> Node:
    """exp(x) / Σ exp(x)"""
    powers = elementwise("exp", shifted(x, axis))
    return powers / Sum((axis,))(powers)


def log_softmax_rows(x: Node, axis: int) -> Node:
    """x - ln Σ exp(x)"""
    rows = shifted(x, axis)
    return rows - elementwise("log", Sum((axis,))(elementwise("exp", rows)))


def _at_least_one_dim(x: Node) -> Node:
    return x if x.rank else reshape(x, (1,))


@function(functional=True)
def softmax(
    input: Node, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Node:
    """exp(x) / Σ exp(x) along ``dim``."""
    return _softmax(cast(input, dtype or input.dtype), dim, "softmax")


@real
def _softmax(input: Node, dim: int | None, name: str) -> Node:
    axis = _dimension(name, dim, input.rank)
    return reshape(softmax_rows(_at_least_one_dim(input), axis), input.shape)


@function(functional=True)
def log_softmax(
    input: Node, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Node:
    """x - ln Σ exp(x) along ``dim``."""
    return _log_softmax(cast(input, dtype or input.dtype), dim)


@real
def _log_softmax(input: Node, dim: int | None) -> Node:
    axis = _dimension("log_softmax", dim, input.rank)
    return reshape(log_softmax_rows(_at_least_one_dim(input), axis), input.shape)


@function(method=False, namespace=False, functional=True, grad_name="SoftmaxBackward0")
def softmin(
    input: Node, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Node:
    """softmax(-x)"""
    return _softmax(-cast(input, dtype or input.dtype), dim, "softmin")
