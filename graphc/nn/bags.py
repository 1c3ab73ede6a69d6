"""Embeddings of bags of integers."""

from __future__ import annotations

import warnings

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError, GraphcValueError
from graphc.factories import arange
from graphc.ir.dtype import int64
from graphc.nn.lookups import shorten
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of the rows of ``weight`` that the integers of each bag name."""
    if weight.dtype is int64 and input.dtype.is_floating_point:
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        weight, input = input, weight
    _check(input, weight, per_sample_weights)
    if input.ndim == 2:
        if offsets is not None:
            raise GraphcValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                "of fixed length sequences. However, found offsets of type <class 'torch.Tensor'>"
            )
        offsets, include_last_offset = arange(0, input._type.size, input.shape[1]), False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    if offsets is None:
        raise GraphcValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise GraphcValueError("offsets has to be a 1D Tensor")
    _check_mode(mode, scale_grad_by_freq, sparse)
    if max_norm is not None:
        shorten(weight, input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise GraphcNotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    place = _padding(padding_idx, weight.shape[0])
    settings = (mode, scale_grad_by_freq, per_sample_weights, include_last_offset, place)
    result: Tensor = LIFTED["bagged"](input, weight, offsets, *settings)
    return result


def _check(input: Tensor, weight: Tensor, per_sample_weights: Tensor | None) -> None:
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise GraphcValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise GraphcValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}"
        )
    if input.ndim not in (1, 2):
        raise GraphcValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        )


def _check_mode(mode: str, scale_grad_by_freq: bool, sparse: bool) -> None:
    if mode not in ("sum", "mean", "max"):
        raise GraphcValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise GraphcValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise GraphcValueError("max mode does not support sparse weights")
    if sparse:
        raise GraphcNotImplementedError("embedding_bag: sparse gradients are not supported")


def _padding(padding_idx: int | None, rows: int) -> int | None:
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise GraphcRuntimeError(
            f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, "
            f"but got {padding_idx}"
        )
    return padding_idx % rows
