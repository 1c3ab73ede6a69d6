"""The loss of sequences that are not aligned with their targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.operands import not_implemented
from graphc.storage import Array, Storage
from graphc.surface import LIFTED
from graphc.tensor import Tensor, from_storage

CHECKED = "(while checking arguments for ctc_loss_allocate_outputs)"


def _lengths(given: Any, name: str, batch: int) -> Array:
    if isinstance(given, Tensor):
        if given.dtype.is_floating_point:
            raise GraphcRuntimeError(f"{name} must be integral")
        given = given._value()
    found = np.asarray(given, np.int64).reshape(-1)
    if len(found) != batch:
        raise GraphcRuntimeError(f"{name} must be of size batch_size")
    return found


def _held(array: Array, like: Tensor) -> Tensor:
    return from_storage(Storage(np.ascontiguousarray(array), device=str(like.device)))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-ln of the probability of ``targets``, of all ways in which a sequence may spell them."""
    if reduction not in ("none", "mean", "sum"):
        raise GraphcValueError(f"{reduction} is not a valid value for reduction")
    if not log_probs.dtype.is_floating_point:
        raise not_implemented("ctc_loss_cpu", log_probs.dtype)
    batched = log_probs.ndim == 3
    x = log_probs if batched else log_probs.unsqueeze(1)
    if x.ndim != 3:
        raise GraphcRuntimeError(
            f"Expected 3-dimensional tensor, but got {x.ndim}-dimensional tensor for argument #1 "
            f"'log_probs' {CHECKED}"
        )
    steps, batch, classes = x.shape
    if not 0 <= blank < classes:
        raise GraphcRuntimeError("blank must be in label range")
    inputs = _lengths(input_lengths, "input_lengths", batch)
    lengths = _lengths(target_lengths, "target_lengths", batch)
    rows = _rows(targets, lengths)
    if batch and inputs.max() > steps:
        raise GraphcRuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {inputs.max()} "
            f"{CHECKED}"
        )
    settings = (blank, reduction, zero_infinity, batched)
    counts = _held(inputs, x), _held(lengths, x)
    result: Tensor = LIFTED["alignment_loss"](x, rows.to(x.device), *counts, *settings)
    return result


def _rows(targets: Tensor, lengths: Array) -> Tensor:
    """The targets of each sequence in a row of its own."""
    longest = int(lengths.max()) if len(lengths) else 0
    if targets.ndim == 2:
        if targets.shape[1] < longest:
            raise GraphcRuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{targets.shape[1]} for argument #2 'targets' {CHECKED}"
            )
        return targets[:, :longest]
    if targets.shape[0] != lengths.sum():
        raise GraphcRuntimeError(
            f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size "
            f"{targets.shape[0]} for argument #2 'targets' {CHECKED}"
        )
    begins = np.cumsum(lengths) - lengths
    number = np.arange(longest)
    places = np.where(number < lengths[:, None], begins[:, None] + number, 0)
    return targets[_held(places, targets)] if longest else targets.reshape(len(lengths), 0)
