"""Losses that compare two or three vectors, or a number with a sign, as the user calls them."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.losses import (
    finished,
    named_by_reduction,
    pair,
    reduced,
    reduction_named,
    refuse_gradient,
)
from graphc.functions.neural import at_least
from graphc.functions.norms import vector_norm
from graphc.functions.precision import widened
from graphc.functions.reduction import dropped
from graphc.ir.node import Node, elementwise, promoted
from graphc.ir.types import broadcast_shapes
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.reduce import Sum

_FLAGS = ("size_average", "reduce", "reduction")


def hinge_losses(input: Node, target: Node, margin: float, reduction: str) -> Node:
    """x where t is 1, max(margin - x, 0) where t is -1."""
    x = widened(input)
    far = where(elementwise("ne", target, 1), at_least(margin - x, 0.0), 0.0)
    near = where(elementwise("ne", target, -1), x, 0.0)
    return finished(far + near, reduction, input.dtype)


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=named_by_reduction("AddBackward0", ("input", "target", "margin", *_FLAGS)),
)
def hinge_embedding_loss(
    input: Node,
    target: Node,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """x where t is 1, max(margin - x, 0) where t is -1."""
    chosen = reduction_named(size_average, reduce, reduction)
    return hinge_losses(input, target, margin, chosen)


def ranking_losses(input1: Node, input2: Node, target: Node, margin: float, reduction: str) -> Node:
    """max(-t · (x₁ - x₂) + margin, 0)"""
    x1, x2 = promoted((input1, input2))
    return reduced(at_least(-target * (x1 - x2) + margin, 0.0), reduction)


_OF_TWO = ("input1", "input2", "target", "margin", *_FLAGS)


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=named_by_reduction("ClampMinBackward0", _OF_TWO),
)
def margin_ranking_loss(
    input1: Node,
    input2: Node,
    target: Node,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """max(-t · (x₁ - x₂) + margin, 0)"""
    chosen = reduction_named(size_average, reduce, reduction)
    if not input1.rank == input2.rank == target.rank:
        raise GraphcRuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: torch.Size({list(input1.shape)}), input2: torch.Size({list(input2.shape)}), "
            f"target: torch.Size({list(target.shape)}) "
        )
    return ranking_losses(input1, input2, target, margin, chosen)


def cosine_losses(input1: Node, input2: Node, target: Node, margin: float, reduction: str) -> Node:
    """1 - cos(x₁, x₂) where t is 1, max(cos(x₁, x₂) - margin, 0) where t is -1."""
    if target.rank > 1:
        raise GraphcRuntimeError("0D or 1D target tensor expected, multi-target not supported")
    x1, x2, dtype = pair(input1, input2, floats=True)
    axes = (max(x1.rank, x2.rank) - 1,)
    product = dropped(Sum(axes)(x1 * x2), axes, False)
    squares = [dropped(Sum(axes)(x * x), axes, False) + 1e-12 for x in (x1, x2)]
    cosine = product / elementwise("sqrt", squares[0] * squares[1])
    losses = where(elementwise("eq", target, 1), 1.0 - cosine, 0.0)
    apart = where(elementwise("eq", target, -1), at_least(cosine - margin, 0.0), 0.0)
    return finished(losses + apart, reduction, dtype)


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=named_by_reduction("AddBackward0", _OF_TWO),
)
def cosine_embedding_loss(
    input1: Node,
    input2: Node,
    target: Node,
    margin: float = 0.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """1 - cos(x₁, x₂) where t is 1, max(cos(x₁, x₂) - margin, 0) where t is -1."""
    chosen = reduction_named(size_average, reduce, reduction)
    return cosine_losses(input1, input2, target, margin, chosen)


def triplet_losses(
    anchor: Node,
    positive: Node,
    negative: Node,
    margin: float,
    p: float,
    eps: float,
    swap: bool,
    reduction: str,
) -> Node:
    """max(‖a - p‖ - ‖a - n‖ + margin, 0)"""
    if not anchor.rank == positive.rank == negative.rank:
        raise GraphcRuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.rank}D, positive {positive.rank}D, and negative "
            f"{negative.rank}D inputs"
        )
    near = _distance(anchor, positive, p, eps)
    far = _distance(anchor, negative, p, eps)
    if swap:
        far = elementwise("minimum", far, _distance(positive, negative, p, eps))
    return reduced(at_least(near - far + margin, 0.0), reduction)


def _distance(x: Node, y: Node, p: float, eps: float) -> Node:
    difference = x - y + eps
    axes = (difference.rank - 1,)
    return dropped(vector_norm(difference, p, axes), axes, False)


_OF_THREE = ("anchor", "positive", "negative", "margin", "p", "eps", "swap", *_FLAGS)


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=named_by_reduction("ClampMinBackward0", _OF_THREE),
)
def triplet_margin_loss(
    anchor: Node,
    positive: Node,
    negative: Node,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """max(‖a - p‖ - ‖a - n‖ + margin, 0)"""
    chosen = reduction_named(size_average, reduce, reduction)
    if margin <= 0:
        raise GraphcValueError(f"margin must be greater than 0, got {margin}")
    return triplet_losses(anchor, positive, negative, margin, p, eps, swap, chosen)


@function(method=False, namespace=False, functional=True)
def soft_margin_loss(
    input: Node,
    target: Node,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """ln(1 + exp(-t · x))"""
    chosen = reduction_named(size_average, reduce, reduction)
    refuse_gradient("soft_margin_loss", target=target)
    broadcast_shapes(input.shape, target.shape)
    x, t, dtype = pair(input, target)
    return finished(elementwise("log1p", elementwise("exp", -t * x)), chosen, dtype)
