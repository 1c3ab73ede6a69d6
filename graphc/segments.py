"""Reductions of stretches of a tensor, and places whose number is given."""

from __future__ import annotations

from math import inf
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.factories import arange, full
from graphc.memory import is_known
from graphc.surface import LIFTED
from graphc.tensor import Tensor

_REDUCTIONS = {
    "sum": ("sum", 0.0),
    "mean": ("sum", 0.0),
    "prod": ("prod", 1.0),
    "max": ("amax", -inf),
    "min": ("amin", inf),
}
"""The reduction of ``scatter_reduce`` for each, and what it starts with."""


def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """The reductions of stretches along ``axis``, of ``lengths`` or between ``offsets``."""
    if reduce not in _REDUCTIONS:
        raise GraphcRuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    if lengths is None and offsets is None:
        raise GraphcRuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if lengths is not None:
        ends = lengths.cumsum(-1)
        _check_lengths(lengths, data.shape[axis], unsafe)
    else:
        assert offsets is not None
        ends, lengths = offsets[..., 1:].contiguous(), offsets.diff()
    number = arange(data.shape[axis], device=data.device)
    places = number.expand(*data.shape[:axis], data.shape[axis]).contiguous()
    owner = LIFTED["searchsorted"](ends, places, right=True)
    trailing = (1,) * (data.ndim - axis - 1)
    owner = owner.reshape(*owner.shape, *trailing).expand(data.shape)
    how, start = _REDUCTIONS[reduce]
    shape = (*data.shape[:axis], lengths.shape[-1], *data.shape[axis + 1 :])
    bounds = {"max": "min", "min": "max"}  # which leave a tie's gradient to the elements
    if initial is not None and reduce not in bounds:
        start = initial
    base = full(shape, start, dtype=data.dtype, device=data.device)
    found: Tensor = base.scatter_reduce(axis, owner, data, how)
    if reduce in bounds and initial is not None:
        return found.clamp(**{bounds[reduce]: initial})  # type: ignore[no-any-return]
    if reduce != "mean":
        return found
    count = lengths.reshape(*lengths.shape, *trailing).to(data.dtype)
    return found / (count if initial is None else count.clamp(min=1))  # type: ignore[no-any-return]


def _check_lengths(lengths: Tensor, size: int, unsafe: bool) -> None:
    if unsafe or not is_known(lengths):
        return
    numbers = lengths._value()
    if (numbers < 0).any():
        raise GraphcRuntimeError("lengths contains negative value!")
    if (numbers.sum(-1) != size).any():
        raise GraphcRuntimeError(
            "segment_reduce(): Expected all rows of lengths along axis to sum to "
            "data.size(lengths.dim()-1) when !unsafe."
        )


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Where the elements are that are not zero: the first ``size`` rows of indices, or filled."""
    holds = (input != 0).reshape(-1)
    missing = max(size - holds.shape[0], 0)
    order = LIFTED["argsort"](holds.logical_not().int(), stable=True)[:size]
    order = LIFTED["cat"]([order, order.new_zeros(missing)])
    columns, step = [], 1
    for extent in reversed(input.shape):
        span = max(extent, 1)  # where there are no elements, no place is read
        columns.append(order // step % span)
        step *= span
    rows = LIFTED["stack"](columns[::-1], 1) if columns else order.new_zeros((size, 0))
    there = arange(size, device=input.device) < holds.sum()
    found: Tensor = LIFTED["where"](there.unsqueeze(1), rows, fill_value)
    return found


NAMESPACE: dict[str, Any] = {f.__name__: f for f in (segment_reduce, nonzero_static)}
"""What the package offers by name."""
METHODS: dict[str, Any] = {"nonzero_static": nonzero_static}
"""What tensors offer."""
