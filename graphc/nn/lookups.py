"""Functions of neural networks that call back, or write into what they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError, GraphcValueError
from graphc.ir.dtype import int64
from graphc.ir.node import grad_mode
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of ``weight`` that ``input`` names; first shortened to ``max_norm`` in place."""
    if sparse:
        raise GraphcNotImplementedError("embedding: sparse gradients are not supported")
    if padding_idx is not None:
        rows = weight.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        shorten(weight, input, max_norm, norm_type)
    result: Tensor = LIFTED["embedded"](input, weight, padding_idx, scale_grad_by_freq)
    return result


def shorten(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Let the rows of ``weight`` that ``input`` names be no longer than ``max_norm``."""
    with grad_mode(False):
        shorter = LIFTED["shortened"](weight, input, float(max_norm), float(norm_type))
        assign(weight, shorter, "embedding_renorm_")


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the class, 0 elsewhere, in a new last dimension; by default of as many as it takes."""
    if num_classes == -1 and input._type.size and input.dtype is int64:
        num_classes = max(int(input.max()) + 1, 1)
    return LIFTED["marked"](input, num_classes)  # type: ignore[no-any-return]


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(d(a, p) - d(a, n) + margin, 0), d being the Euclidean distance unless given."""
    if reduction not in ("mean", "sum", "none"):
        raise GraphcValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise GraphcValueError(f"margin must be greater than 0, got {margin}")
    ranks = anchor.ndim, positive.ndim, negative.ndim
    if len(set(ranks)) > 1:
        raise GraphcRuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {ranks[0]}D, positive {ranks[1]}D, and negative "
            f"{ranks[2]}D inputs"
        )
    distance: Callable[[Any, Any], Any] = distance_function or LIFTED["pairwise_distance"]
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = LIFTED["minimum"](far, distance(positive, negative))
    loss = LIFTED["clamp_min"](margin + near - far, 0)
    result: Tensor = loss if reduction == "none" else getattr(loss, reduction)()
    return result
