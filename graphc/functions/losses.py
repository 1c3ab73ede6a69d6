"""Losses of elementwise comparison as the user calls them."""

from __future__ import annotations

import warnings
from math import log, pi

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.neural import at_least
from graphc.functions.norms import vector_norm
from graphc.functions.precision import LOW, widened
from graphc.functions.reduction import dropped
from graphc.ir.dtype import DType, float32
from graphc.ir.node import Node, cast, common_dtype, const, elementwise, promoted
from graphc.ir.types import broadcast_shapes
from graphc.ops.elementwise import equal, number, where
from graphc.ops.function import function
from graphc.ops.movement import reshape
from graphc.ops.reduce import Sum, mean
from graphc.ops.sloped import sloped

REDUCTIONS = ("none", "mean", "sum")


def reduction_named(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction meant, where the deprecated flags may say so."""
    if size_average is not None or reduce is not None:
        if reduce is not None and not reduce:
            return "none"
        return "mean" if size_average is None or size_average else "sum"
    if reduction not in REDUCTIONS:
        raise GraphcValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(x: Node, reduction: str) -> Node:
    """All elements, their sum or their mean."""
    if reduction == "none":
        return x
    axes = tuple(range(x.rank))
    total = mean(x, axes) if reduction == "mean" else Sum(axes)(x)
    return dropped(total, axes, False)


def finished(x: Node, reduction: str, dtype: DType) -> Node:
    """The reduction of ``x``, in the type ``dtype``."""
    return cast(reduced(x, reduction), dtype)


def _pair(input: Node, target: Node) -> tuple[Node, Node, DType]:
    """Both in their common type, or in float32 where that has 16 bits; and the common type."""
    dtype = common_dtype((input, target))
    wide = float32 if dtype in LOW else dtype
    x, t = promoted((input, target), dtype=wide)
    return x, t, dtype


def _warn_of_sizes(input: Node, target: Node) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size (torch.Size({list(target.shape)})) that is different to the "
            f"input size (torch.Size({list(input.shape)})). This will likely lead to incorrect "
            "results due to broadcasting. Please ensure they have the same size.",
            stacklevel=5,
        )


def _weighted(losses: Node, weight: Node | None, reduction: str) -> Node:
    """The losses times their weights; a mean is over the sum of the weights."""
    if weight is None:
        return reduced(losses, reduction)
    total = reduced(losses * weight, "sum" if reduction == "mean" else reduction)
    return total / reduced(weight, "sum") if reduction == "mean" else total


@function(method=False, namespace=False, functional=True, grad_name="MseLossBackward0")
def mse_loss(
    input: Node,
    target: Node,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Node | None = None,
) -> Node:
    """(x - t)²"""
    chosen = reduction_named(size_average, reduce, reduction)
    _warn_of_sizes(input, target)
    x, t, dtype = _pair(input, target)
    difference = x - t
    return cast(_weighted(difference * difference, weight, chosen), dtype)


@function(method=False, namespace=False, functional=True, grad_name="MeanBackward0")
def l1_loss(
    input: Node,
    target: Node,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Node | None = None,
) -> Node:
    """|x - t|"""
    chosen = reduction_named(size_average, reduce, reduction)
    _warn_of_sizes(input, target)
    x, t, dtype = _pair(input, target)
    return cast(_weighted(elementwise("abs", x - t), weight, chosen), dtype)


@function(method=False, namespace=False, functional=True)
def smooth_l1_loss(
    input: Node,
    target: Node,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Node:
    """d² / 2β where d = |x - t| is less than β, else d - β / 2."""
    chosen = reduction_named(size_average, reduce, reduction)
    _warn_of_sizes(input, target)
    if beta < 0:
        raise GraphcRuntimeError("smooth_l1_loss does not support negative values for beta.")
    x, t, dtype = _pair(input, target)
    distance = elementwise("abs", x - t)
    if beta == 0:
        return finished(distance, chosen, dtype)
    near = distance * distance * (0.5 / beta)
    return finished(where(distance < beta, near, distance - 0.5 * beta), chosen, dtype)


@function(method=False, namespace=False, functional=True)
def huber_loss(
    input: Node,
    target: Node,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Node | None = None,
) -> Node:
    """d² / 2 where d = |x - t| is at most δ, else δ · (d - δ / 2)."""
    chosen = reduction_named(None, None, reduction)
    _warn_of_sizes(input, target)
    if delta <= 0:
        raise GraphcRuntimeError("huber_loss does not support non-positive values for delta.")
    x, t, dtype = _pair(input, target)
    distance = elementwise("abs", x - t)
    far = (distance - 0.5 * delta) * delta
    losses = where(distance <= delta, distance * distance * 0.5, far)
    return cast(_weighted(losses, weight, chosen), dtype)


def _same_size(input: Node, target: Node) -> None:
    if input.shape != target.shape:
        raise GraphcValueError(
            f"Using a target size (torch.Size({list(target.shape)})) that is different to the "
            f"input size (torch.Size({list(input.shape)})) is deprecated. Please ensure they have "
            "the same size."
        )


@function(method=False, namespace=False, functional=True)
def binary_cross_entropy(
    input: Node,
    target: Node,
    weight: Node | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """-(t · ln x + (1 - t) · ln(1 - x)), logarithms cut off at -100."""
    chosen = reduction_named(size_average, reduce, reduction)
    _same_size(input, target)
    if input.dtype is not target.dtype:
        raise GraphcRuntimeError(f"Found dtype {target.dtype} but expected {input.dtype}")
    x, t, dtype = _pair(input, target)
    yes = at_least(elementwise("log", x), -100.0)
    no = at_least(elementwise("log1p", -x), -100.0)
    rest = (1.0 - x) * x
    tiny = number(1e-12, x)
    slope = (x - t) / where(rest < tiny, tiny, rest)
    losses = sloped((t - 1.0) * no - t * yes, x, slope, t, no - yes)
    if weight is not None:
        losses = losses * cast(weight, x.dtype)
    return finished(losses, chosen, dtype)


def log_sigmoid(x: Node) -> Node:
    """ln(1 / (1 + e⁻ˣ)), without overflow."""
    bent = elementwise("log1p", elementwise("exp", -elementwise("abs", x)))
    return sloped(where(x > 0.0, 0.0, x) - bent, x, elementwise("sigmoid", -x))


@function(method=False, functional=True)
def binary_cross_entropy_with_logits(
    input: Node,
    target: Node,
    weight: Node | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Node | None = None,
) -> Node:
    """-(w · t · ln σ(x) + (1 - t) · ln(1 - σ(x))), σ the sigmoid and w ``pos_weight``."""
    chosen = reduction_named(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise GraphcValueError(
            f"Target size (torch.Size({list(target.shape)})) must be the same as input size "
            f"(torch.Size({list(input.shape)}))"
        )
    x, t, dtype = _pair(input, target)
    factor: Node | float = 1.0
    if pos_weight is not None:
        factor = (pos_weight - 1.0) * t + 1.0
    losses = (1.0 - t) * x - log_sigmoid(x) * factor
    if weight is not None:
        losses = losses * weight
    return finished(losses, chosen, dtype)


def _xlogy(t: Node) -> Node:
    """t · ln t, 0 at 0."""
    zero = equal(t, number(0, t))
    return where(zero, 0.0, t * elementwise("log", where(zero, 1.0, t)))


@function(method=False, functional=True, grad_name="DivBackward0")
def kl_div(
    input: Node,
    target: Node,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Node:
    """t · (ln t - x), x being logarithms, and t too if ``log_target``."""
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support "
            "size.'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next "
            "major release.",
            stacklevel=4,
        )
    x, t, dtype = _pair(input, target)
    losses = elementwise("exp", t) * (t - x) if log_target else _xlogy(t) - t * x
    if reduction == "batchmean":
        total = reduced(losses, "sum")
        return cast(total / float(input.shape[0]) if input.rank else total, dtype)
    return finished(losses, reduction_named(size_average, reduce, reduction), dtype)


@function(method=False, functional=True, grad_name="MeanBackward0")
def poisson_nll_loss(
    input: Node,
    target: Node,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """λ - t · ln λ, where x is ln λ or λ; ``full`` adds Stirling's approximation of ln t!."""
    chosen = reduction_named(size_average, reduce, reduction)
    x, t, dtype = _pair(input, target)
    losses = elementwise("exp", x) - t * x if log_input else x - t * elementwise("log", x + eps)
    if full:
        safe = where(t > 1.0, t, number(1.0, t))
        stirling = t * elementwise("log", safe) - t + elementwise("log", safe * (2 * pi)) * 0.5
        losses = losses + where(t > 1.0, stirling, 0.0)
    return finished(losses, chosen, dtype)


@function(method=False, namespace=False, functional=True, grad_name="MeanBackward0")
def gaussian_nll_loss(
    input: Node,
    target: Node,
    var: Node | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Node:
    """(ln v + (x - t)² / v) / 2, v the variance, at least ε; ``full`` adds ln(2π) / 2."""
    chosen = reduction_named(None, None, reduction)
    if not isinstance(var, Node):
        if var < 0:
            raise GraphcValueError("var has negative entry/entries")
        var = const(var, input.dtype)
    elif var.shape not in (input.shape, input.shape[:-1], (*input.shape[:-1], 1)):
        raise GraphcValueError("var is of incorrect size")
    elif var.shape != input.shape and var.shape == input.shape[:-1]:
        var = reshape(var, (*var.shape, 1))
    x, t, dtype = _pair(input, target)
    v = widened(var)
    v = sloped(where(v < eps, eps, v), v, 1.0)
    difference = x - t
    losses = (elementwise("log", v) + difference * difference / v) * 0.5
    return finished(losses + 0.5 * log(2 * pi) if full else losses, chosen, dtype)


@function(method=False, functional=True, grad_name="MeanBackward0")
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
    x = widened(input)
    far = where(elementwise("ne", target, 1), at_least(margin - x, 0.0), 0.0)
    near = where(elementwise("ne", target, -1), x, 0.0)
    return finished(far + near, chosen, input.dtype)


@function(method=False, functional=True, grad_name="MeanBackward0")
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
    x1, x2 = promoted((input1, input2))
    return reduced(at_least(-target * (x1 - x2) + margin, 0.0), chosen)


@function(method=False, functional=True, grad_name="MeanBackward0")
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
    x1, x2, dtype = _pair(input1, input2)
    axes = (max(x1.rank, x2.rank) - 1,)
    product = dropped(Sum(axes)(x1 * x2), axes, False)
    squares = [dropped(Sum(axes)(x * x), axes, False) + 1e-12 for x in (x1, x2)]
    cosine = product / elementwise("sqrt", squares[0] * squares[1])
    losses = where(elementwise("eq", target, 1), 1.0 - cosine, 0.0)
    apart = where(elementwise("eq", target, -1), at_least(cosine - margin, 0.0), 0.0)
    return finished(losses + apart, chosen, dtype)


@function(method=False, functional=True, grad_name="MeanBackward0")
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
    near = _distance(anchor, positive, p, eps)
    far = _distance(anchor, negative, p, eps)
    if swap:
        far = elementwise("minimum", far, _distance(positive, negative, p, eps))
    return reduced(at_least(near - far + margin, 0.0), chosen)


def _distance(x: Node, y: Node, p: float, eps: float) -> Node:
    difference = x - y + eps
    axes = (difference.rank - 1,)
    return dropped(vector_norm(difference, p, axes), axes, False)


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
    broadcast_shapes(input.shape, target.shape)
    x, t, dtype = _pair(input, target)
    return finished(elementwise("log1p", elementwise("exp", -t * x)), chosen, dtype)
