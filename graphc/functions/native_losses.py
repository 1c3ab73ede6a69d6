"""Losses of the package's own namespace, whose reduction is a number: 0 none, 1 mean, 2 sum.

PyTorch's default is said to be the mean, but is none.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.likelihoods import divergence, poisson_losses
from graphc.functions.losses import REDUCTIONS, logistic_losses, named_by_reduction
from graphc.functions.paired_losses import (
    cosine_losses,
    hinge_losses,
    ranking_losses,
    triplet_losses,
)
from graphc.ir.node import Node
from graphc.ir.types import broadcast_shapes
from graphc.ops.function import GradName, function


def _reduction(number: int) -> str:
    """The reduction by its name; numbers that are none of PyTorch's mean none."""
    return REDUCTIONS[number] if 0 <= number < len(REDUCTIONS) else "none"


def _named(each: str, *places: str) -> GradName:
    """What ``grad_fn`` prints of a loss that ends with ``each`` step."""
    by_name = named_by_reduction(each)

    def grad_name(*args: Any, **kwargs: Any) -> str | tuple[str, ...]:
        given = dict(zip(places, args, strict=False)) | kwargs
        return by_name(reduction=_reduction(given.get("reduction", 0)))

    return grad_name


@function(method=False, apart=True)
def binary_cross_entropy_with_logits(
    input: Node,
    target: Node,
    weight: Node | None = None,
    pos_weight: Node | None = None,
    reduction: int = 0,
) -> Node:
    """-(w · t · ln σ(x) + (1 - t) · ln(1 - σ(x))), σ the sigmoid and w ``pos_weight``."""
    shape = broadcast_shapes(target.shape, input.shape)
    if shape != target.shape:
        raise GraphcRuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(shape)}"
        )
    return logistic_losses(input, target, weight, pos_weight, _reduction(reduction))


def _divergence_name(*args: Any, log_target: bool = False, **kwargs: Any) -> Any:
    each = "MulBackward0" if log_target else "SubBackward0"
    return _named(each, "input", "target", "reduction")(*args, **kwargs)


@function(method=False, apart=True, grad_name=_divergence_name)
def kl_div(input: Node, target: Node, reduction: int = 0, *, log_target: bool = False) -> Node:
    """t · (ln t - x), x being logarithms, and t too if ``log_target``."""
    return divergence(input, target, log_target, _reduction(reduction))


_POISSON = ("input", "target", "log_input", "full", "eps", "reduction")


def _poisson_name(*args: Any, **kwargs: Any) -> Any:
    full = (dict(zip(_POISSON, args, strict=False)) | kwargs)["full"]
    return _named("AddBackward0" if full else "SubBackward0", *_POISSON)(*args, **kwargs)


@function(method=False, apart=True, grad_name=_poisson_name)
def poisson_nll_loss(
    input: Node, target: Node, log_input: bool, full: bool, eps: float, reduction: int
) -> Node:
    """λ - t · ln λ, where x is ln λ or λ; ``full`` adds Stirling's approximation of ln t!."""
    return poisson_losses(input, target, log_input, full, eps, _reduction(reduction))


@function(
    method=False,
    apart=True,
    grad_name=_named("AddBackward0", "input", "target", "margin", "reduction"),
)
def hinge_embedding_loss(
    input: Node, target: Node, margin: float = 1.0, reduction: int = 0
) -> Node:
    """x where t is 1, max(margin - x, 0) where t is -1."""
    return hinge_losses(input, target, margin, _reduction(reduction))


_OF_TWO = ("input1", "input2", "target", "margin", "reduction")


@function(method=False, apart=True, grad_name=_named("ClampMinBackward0", *_OF_TWO))
def margin_ranking_loss(
    input1: Node, input2: Node, target: Node, margin: float = 0.0, reduction: int = 0
) -> Node:
    """max(-t · (x₁ - x₂) + margin, 0)"""
    return ranking_losses(input1, input2, target, margin, _reduction(reduction))


@function(method=False, apart=True, grad_name=_named("AddBackward0", *_OF_TWO))
def cosine_embedding_loss(
    input1: Node, input2: Node, target: Node, margin: float = 0.0, reduction: int = 0
) -> Node:
    """1 - cos(x₁, x₂) where t is 1, max(cos(x₁, x₂) - margin, 0) where t is -1."""
    return cosine_losses(input1, input2, target, margin, _reduction(reduction))


_OF_THREE = ("anchor", "positive", "negative", "margin", "p", "eps", "swap", "reduction")


@function(method=False, apart=True, grad_name=_named("ClampMinBackward0", *_OF_THREE))
def triplet_margin_loss(
    anchor: Node,
    positive: Node,
    negative: Node,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 0,
) -> Node:
    """max(‖a - p‖ - ‖a - n‖ + margin, 0)"""
    chosen = _reduction(reduction)
    return triplet_losses(anchor, positive, negative, margin, p, eps, swap, chosen)
