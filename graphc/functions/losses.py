"""Losses of elementwise comparison as the user calls them."""

from __future__ import annotations

import warnings
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.arithmetic import refuse_truths
from graphc.functions.neural import at_least
from graphc.functions.operands import C_NAMES, not_implemented
from graphc.functions.precision import LOW, require_floating, widened
from graphc.functions.reduction import dropped, mean
from graphc.ir.dtype import DType, float32, real_type
from graphc.ir.node import Node, cast, common_dtype, elementwise, promoted
from graphc.ops import reduce as primitives
from graphc.ops.elementwise import number, where
from graphc.ops.function import GradName, function
from graphc.ops.reduce import Sum
from graphc.ops.sloped import sloped

REDUCTIONS = ("none", "mean", "sum")
PAIR = ("input", "target", "size_average", "reduce", "reduction")
"""The arguments that most losses begin with."""


def reduction_named(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction meant, where the deprecated flags may say so."""
    if size_average is not None or reduce is not None:
        chosen = _old_reduction(size_average, reduce)
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{chosen}' instead.",
            stacklevel=6,
        )
        return chosen
    if reduction not in REDUCTIONS:
        raise GraphcValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _old_reduction(size_average: bool | None, reduce: bool | None) -> str:
    if reduce is not None and not reduce:
        return "none"
    return "mean" if size_average is None or size_average else "sum"


def named_by_reduction(each: str, places: tuple[str, ...] = PAIR, **names: str) -> GradName:
    """What ``grad_fn`` prints of a loss that PyTorch makes of others: the last step of it.

    ``each`` is the step that the losses of single elements end with, ``places`` the arguments as
    far as they may be given by place.
    """

    def grad_name(*args: Any, **kwargs: Any) -> str:
        given = dict(zip(places, args, strict=False)) | kwargs
        chosen = str(given.get("reduction", "mean"))
        flags = given.get("size_average"), given.get("reduce")
        if flags != (None, None):
            chosen = _old_reduction(*flags)
        steps = {"mean": "MeanBackward0", "sum": "SumBackward0", "none": each} | names
        return steps[chosen]

    return grad_name


def refuse_gradient(function: str, **operands: Node | None) -> None:
    """Raise where a gradient is asked for of what PyTorch has none of."""
    for name, x in operands.items():
        if x is not None and x.requires_grad:
            raise GraphcRuntimeError(
                f"The function '{function}' is not differentiable with respect to argument "
                f"'{name}'. This input cannot have requires_grad True."
            )


def reduced(x: Node, reduction: str) -> Node:
    """All elements, their sum or their mean."""
    if reduction == "none":
        return x
    axes = tuple(range(x.rank))
    total = primitives.mean(x, axes) if reduction == "mean" else Sum(axes)(x)
    return dropped(total, axes, False)


def finished(x: Node, reduction: str, dtype: DType) -> Node:
    """The reduction of ``x``, in the type ``dtype``."""
    return cast(reduced(x, reduction), dtype)


def pair(input: Node, target: Node, *, floats: bool = False) -> tuple[Node, Node, DType]:
    """Both in their common type, or in float32 where that has 16 bits; and the common type.

    With ``floats`` whole numbers become those of the default type, as what follows has fractions.
    """
    dtype = common_dtype((input, target, 1.0) if floats else (input, target))
    wide = float32 if dtype in LOW else dtype
    x, t = promoted((input, target), dtype=wide)
    return x, t, dtype


def _of_floats(kernel: str, dtype: DType) -> None:
    if not dtype.is_floating_point:
        raise not_implemented(kernel, dtype)


def _warn_of_sizes(input: Node, target: Node) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size (torch.Size({list(target.shape)})) that is different to the "
            f"input size (torch.Size({list(input.shape)})). This will likely lead to incorrect "
            "results due to broadcasting. Please ensure they have the same size.",
            stacklevel=5,
        )


def _weighed(input: Node, losses: Node, weight: Node) -> Node:
    """The losses times their weights."""
    if weight.shape != input.shape:
        raise GraphcValueError("Weights and input must have the same size.")
    return losses * weight


def _weighted(input: Node, losses: Node, weight: Node | None, reduction: str) -> Node:
    """The losses times their weights; a mean is over the sum of the weights."""
    if weight is None:
        return reduced(losses, reduction)
    products = _weighed(input, losses, weight)
    total = reduced(products, "sum" if reduction == "mean" else reduction)
    return total / reduced(weight, "sum") if reduction == "mean" else total


def _name_of_weighted(plain: GradName | str) -> GradName:
    """What ``grad_fn`` prints with weights, and without."""
    places = (*PAIR, "weight")
    weighted = named_by_reduction("MulBackward0", places, mean="DivBackward0")

    def grad_name(*args: Any, **kwargs: Any) -> Any:
        if "weight" in kwargs or len(args) == len(places):
            return weighted(*args, **kwargs)
        return plain if isinstance(plain, str) else plain(*args, **kwargs)

    return grad_name


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=_name_of_weighted("MseLossBackward0"),
)
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
    x, t, dtype = pair(input, target)
    _of_floats("mse_cpu", dtype)
    difference = x - t
    return cast(_weighted(input, difference * difference, weight, chosen), dtype)


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=_name_of_weighted(named_by_reduction("AbsBackward0")),
)
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
    x, t, dtype = pair(input, target)
    losses = elementwise("abs", x - t)
    dtype = real_type(dtype)
    if chosen == "mean" and weight is None:
        return cast(mean(losses), dtype)
    return cast(_weighted(input, losses, weight, chosen), dtype)


def _smooth_name(*args: Any, **kwargs: Any) -> Any:
    given = dict(zip((*PAIR, "beta"), args, strict=False)) | kwargs
    if given.get("beta", 1.0) == 0:
        return named_by_reduction("AbsBackward0")(*args, **kwargs)
    return "SmoothL1LossBackward0"


@function(method=False, namespace=False, functional=True, grad_name=_smooth_name)
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
    x, t, dtype = pair(input, target)
    distance = elementwise("abs", x - t)
    if beta == 0:
        return finished(distance, chosen, dtype)
    _of_floats("smooth_l1_cpu", dtype)
    near = distance * distance * (0.5 / beta)
    return finished(where(distance < beta, near, distance - 0.5 * beta), chosen, dtype)


def _huber_name(*args: Any, **kwargs: Any) -> Any:
    places = ("input", "target", "reduction", "delta", "weight")
    if "weight" in kwargs or len(args) == len(places):
        return named_by_reduction("MulBackward0", places)(*args, **kwargs)
    return "HuberLossBackward0"


@function(method=False, namespace=False, functional=True, grad_name=_huber_name)
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
    x, t, dtype = pair(input, target)
    _of_floats("huber_cpu", dtype)
    distance = elementwise("abs", x - t)
    far = (distance - 0.5 * delta) * delta
    losses = where(distance <= delta, distance * distance * 0.5, far)
    if weight is not None:
        losses = _weighed(input, losses, weight)
    return finished(losses, chosen, dtype)


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
    refuse_gradient("binary_cross_entropy", weight=weight)
    if input.dtype is not target.dtype:
        raise GraphcRuntimeError(
            f"Found dtype {C_NAMES[target.dtype.name]} but expected {C_NAMES[input.dtype.name]}"
        )
    x, t, dtype = pair(input, target)
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


def logistic_losses(
    input: Node, target: Node, weight: Node | None, pos_weight: Node | None, reduction: str
) -> Node:
    """-(w · t · ln σ(x) + (1 - t) · ln(1 - σ(x))), σ the sigmoid and w ``pos_weight``."""
    name = "binary_cross_entropy_with_logits"
    refuse_gradient(name, weight=weight, pos_weight=pos_weight)
    require_floating("log_sigmoid_cpu", input)
    if not target.dtype.is_floating_point:
        refuse_truths(target, target)
        raise GraphcRuntimeError(
            f"result type {C_NAMES[input.dtype.name]} can't be cast to the desired output type "
            f"{C_NAMES[target.dtype.name]}"
        )
    x, t = widened(input), widened(target)
    factor: Node | float = 1.0
    if pos_weight is not None:
        factor = (pos_weight - 1.0) * t + 1.0
    losses = (1.0 - t) * x - log_sigmoid(x) * factor
    if weight is not None:
        losses = losses * weight
    return finished(losses, reduction, target.dtype)


@function(method=False, namespace=False, functional=True)
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
    return logistic_losses(input, target, weight, pos_weight, chosen)
