"""Normalisations that keep running statistics, which they update in place."""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.reduction import normal_dim
from graphc.ir.node import grad_mode
from graphc.origins import locating
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor


def _check(input: Tensor, samples: int = 1, **operands: Tensor | None) -> None:
    """Raise where something that belongs to the channels has another count.

    PyTorch repeats it for each of the ``samples`` that have statistics of their own.
    """
    normal_dim(1, input.ndim)
    channels = input.shape[1]
    for name, operand in operands.items():
        if operand is not None and operand._type.size != channels:
            raise GraphcRuntimeError(
                f"{name} should contain {channels * samples} elements not "
                f"{operand._type.size * samples}"
            )


def _follow(running: Tensor | None, latest: Tensor, momentum: Any) -> None:
    """Move a running statistic towards the latest one."""
    if running is None:
        return
    with grad_mode(False):
        assign(running, LIFTED["moved_towards"](running, latest, momentum), "add_")


@locating("batch_norm")
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel normalised: by its own statistics in training, else by the running ones."""
    _check(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if training:
        result, mean, variance = LIFTED["normalized_batch"](input, weight, bias, eps)
        if not input._type.size:
            return result  # type: ignore[no-any-return]
        _follow(running_mean, mean, momentum)
        _follow(running_var, variance, momentum)
        return result  # type: ignore[no-any-return]
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is None:
            raise GraphcRuntimeError(f"{name} must be defined in evaluation mode")
    result = LIFTED["normalized_by"](input, running_mean, running_var, weight, bias, eps)
    return result  # type: ignore[no-any-return]


@locating("instance_norm")
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample normalised, by its own statistics or by the running ones."""
    if not use_input_stats:
        moments = (running_mean, running_var, weight, bias, False, momentum, eps)
        return LIFTED["view"](batch_norm(input, *moments), input.shape)  # type: ignore[no-any-return]
    samples = input.shape[0] if input.ndim else 1
    _check(
        input, samples, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    result, mean, variance = LIFTED["normalized_instances"](input, weight, bias, eps)
    _follow(running_mean, mean, momentum)
    _follow(running_var, variance, momentum)
    return result  # type: ignore[no-any-return]


@locating("group_norm")
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each group of channels of each sample normalised, then each channel scaled and shifted."""
    if input.ndim < 2:
        raise GraphcRuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    groups = input.shape[0] * input.shape[1] // num_groups
    if groups * prod(input.shape[2:]) == 1:
        raise GraphcValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"{[groups, num_groups, *input.shape[2:]]}"
        )
    return LIFTED["group_norm"](input, num_groups, weight, bias, eps)  # type: ignore[no-any-return]
