"""Normalisations that keep running statistics, which they update in place."""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import grad_mode
from graphc.origins import locating
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor


def _check(input: Tensor, **operands: Tensor | None) -> None:
    """Raise where something that belongs to the channels has another count."""
    if input.ndim < 2:
        raise GraphcRuntimeError(
            f"expected at least 2 dimensions, got {input.ndim}: {list(input.shape)}"
        )
    channels = input.shape[1]
    for name, operand in operands.items():
        if operand is not None and operand._type.size != channels:
            raise GraphcRuntimeError(
                f"{name} should contain {channels} elements not {operand._type.size}"
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
        _follow(running_mean, mean, momentum)
        _follow(running_var, variance, momentum)
        return result  # type: ignore[no-any-return]
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is None:
            raise GraphcRuntimeError(f"Expected {name} to be defined when training=False")
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
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    _check(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    result, mean, variance = LIFTED["normalized_instances"](input, weight, bias, eps)
    _follow(running_mean, mean, momentum)
    _follow(running_var, variance, momentum)
    return result  # type: ignore[no-any-return]
