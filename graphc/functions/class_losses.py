"""Losses of classification as the user calls them.

A target class is looked up by comparing it with the range of classes, so that a loss and its
gradient are elementwise work and sums over rows, and no scattering.
"""

from __future__ import annotations

from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.arithmetic import sub
from graphc.functions.losses import (
    REDUCTIONS,
    log_sigmoid,
    named_by_reduction,
    reduced,
    reduction_named,
    refuse_gradient,
)
from graphc.functions.operands import C_NAMES
from graphc.functions.precision import LOW, require_floating, widened
from graphc.functions.reduction import dropped
from graphc.functions.softmax import log_softmax_rows
from graphc.ir.dtype import bool_, int64, uint8
from graphc.ir.node import Node, cast, const
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, equal, number, where
from graphc.ops.function import function
from graphc.ops.indexing import CheckRange
from graphc.ops.movement import reshape
from graphc.ops.reduce import Sum, mean
from graphc.ops.scan import CumProd


def classes(count: int, rank: int, axis: int) -> Node:
    """0 to ``count`` - 1 along ``axis`` of ``rank``."""
    shape = tuple(count if i == axis else 1 for i in range(rank))
    return reshape(Arange(0, 1, count, int64)(), shape)


def _class_axis(x: Node) -> int:
    return 1 if x.rank > 1 else 0


_ENTROPY = (
    "input",
    "target",
    "weight",
    "size_average",
    "ignore_index",
    "reduce",
    "reduction",
    "label_smoothing",
)


def _entropy_name(*args: Any, **kwargs: Any) -> Any:
    """What ``grad_fn`` prints: PyTorch makes this loss of others."""
    given = dict(zip(_ENTROPY, args, strict=False)) | kwargs
    x, target = given["input"], given["target"]
    if x.shape == target.shape and target.dtype.is_floating_point:
        steps = named_by_reduction("NegBackward0", mean="DivBackward1", sum="NegBackward0")
        return steps(**_flags(given))
    if given.get("label_smoothing"):
        return "AddBackward0"
    return _nll_name(**given)


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in given.items() if k in ("size_average", "reduce", "reduction")}


def _nll_name(*args: Any, **kwargs: Any) -> Any:
    given = dict(zip(_ENTROPY, args, strict=False)) | kwargs
    rank = given["input"].rank
    if rank < 3:
        return "NllLossBackward0"
    # PyTorch takes other than images for images of another shape.
    whole = "NllLoss2DBackward0"
    each = whole if rank == 4 else "ViewBackward0"
    return named_by_reduction(each, mean=whole, sum=whole)(**_flags(given))


@function(method=False, namespace=False, functional=True, grad_name=_entropy_name)
def cross_entropy(
    input: Node,
    target: Node,
    weight: Node | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Node:
    """-ln softmax(x) of the target class, or of target probabilities."""
    chosen = reduction_named(size_average, reduce, reduction)
    require_floating("log_softmax_lastdim_kernel_impl", input)
    if not 0.0 <= label_smoothing <= 1.0:
        raise GraphcRuntimeError(
            f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}"
        )
    _check_weight(input, weight)
    x = widened(input)
    if input.shape == target.shape and target.dtype.is_floating_point:
        logs = log_softmax_rows(x, _class_axis(x))
        loss = _of_probabilities(logs, target, weight, chosen, label_smoothing)
    else:
        _check_target(input, target)
        logs = log_softmax_rows(x, _class_axis(x))
        loss = _of_classes(logs, target, weight, ignore_index, chosen, label_smoothing)
    return cast(loss, input.dtype)


@function(method=False, namespace=False, functional=True, grad_name=_nll_name)
def nll_loss(
    input: Node,
    target: Node,
    weight: Node | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """-x of the target class, x being logarithms of probabilities."""
    chosen = reduction_named(size_average, reduce, reduction)
    _check_target(input, target)
    _check_weight(input, weight)
    require_floating("nll_loss_out_frame", input)
    loss = _of_classes(widened(input), target, weight, ignore_index, chosen, 0.0)
    return cast(loss, input.dtype)


def _check_weight(input: Node, weight: Node | None) -> None:
    refuse_gradient("nll_loss_forward", weight=weight)
    if weight is not None and weight.shape != (input.shape[_class_axis(input)],):
        raise GraphcRuntimeError(
            "weight tensor should be defined either for all "
            f"{input.shape[_class_axis(input)]} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )


def _check_target(input: Node, target: Node) -> None:
    if not input.rank:
        raise GraphcValueError("Expected 1 or more dimensions (got 0)")
    if target.dtype not in (int64, uint8):
        raise GraphcRuntimeError(
            f"expected target dtype to be Long or Byte, but got {C_NAMES[target.dtype.name]}"
        )
    axis = _class_axis(input)
    if input.rank > 1 and target.rank and input.shape[0] != target.shape[0]:
        raise GraphcValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({target.shape[0]})."
        )
    expected = (*input.shape[:axis], *input.shape[axis + 1 :])
    if target.shape != expected:
        raise GraphcRuntimeError(f"Expected target size {list(expected)}, got {list(target.shape)}")


def _of_classes(
    logs: Node,
    target: Node,
    weight: Node | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Node:
    axis = _class_axis(logs)
    count = logs.shape[axis]
    column = tuple(1 if i == axis else n for i, n in enumerate(logs.shape))
    labels = reshape(cast(target, int64), column)
    ignored = equal(labels, const(ignore_index, int64))
    checked = CheckRange(0, count, "Target {} is out of bounds.")(where(ignored, 0, labels))
    hit = equal(checked, classes(count, logs.rank, axis))
    chosen = Sum((axis,))(where(hit, logs, 0.0))
    if weight is None:
        weights = where(ignored, 0.0, number(1.0, logs))
        losses = where(ignored, 0.0, -chosen)
    else:
        row = reshape(widened(weight), tuple(count if i == axis else 1 for i in range(logs.rank)))
        weights = where(ignored, 0.0, Sum((axis,))(where(hit, row, 0.0)))
        losses = -chosen * weights
        logs = logs * row
    result = _normalized(losses, weights, axis, reduction)
    if not smoothing:
        return result
    smooth = where(ignored, 0.0, -Sum((axis,))(logs))
    spread = _normalized(smooth, weights, axis, reduction)
    return result * (1 - smoothing) + spread * (smoothing / count)


def _normalized(losses: Node, weights: Node, axis: int, reduction: str) -> Node:
    """The losses of single targets reduced; a mean is over the sum of the weights."""
    if reduction == "none":
        return dropped(losses, (axis,), False)
    total = reduced(losses, "sum")
    return total / reduced(weights, "sum") if reduction == "mean" else total


def _of_probabilities(
    logs: Node, target: Node, weight: Node | None, reduction: str, smoothing: float
) -> Node:
    axis = _class_axis(logs)
    count = logs.shape[axis]
    shares = cast(target, logs.dtype)
    if smoothing:
        shares = shares * (1 - smoothing) + smoothing / count
    products = shares * logs
    if weight is not None:
        row = tuple(count if i == axis else 1 for i in range(logs.rank))
        products = products * reshape(widened(weight), row)
    losses = dropped(-Sum((axis,))(products), (axis,), False)
    return reduced(losses, reduction)


def _old_or_new(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction meant, of what says in other words that there is no such one."""
    if size_average is None and reduce is None and reduction not in REDUCTIONS:
        raise GraphcValueError(f"{reduction} is not valid")
    return reduction_named(size_average, reduce, reduction)


@function(
    method=False,
    namespace=False,
    functional=True,
    grad_name=named_by_reduction(
        "DivBackward0", ("input", "target", "weight", "size_average", "reduce", "reduction")
    ),
)
def multilabel_soft_margin_loss(
    input: Node,
    target: Node,
    weight: Node | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """-(t · ln σ(x) + (1 - t) · ln σ(-x)), averaged over the classes."""
    chosen = _old_or_new(size_average, reduce, reduction)
    x = widened(input)
    losses = -(target * log_sigmoid(x) + sub(1.0, target) * log_sigmoid(-x))
    if weight is not None:
        losses = losses * weight
    axes = (losses.rank - 1,)
    loss = reduced(dropped(mean(losses, axes), axes, False), chosen)
    return cast(loss, input.dtype) if input.dtype in LOW else loss


def _check_labels(target: Node) -> None:
    if target.dtype is not int64:
        raise GraphcRuntimeError(
            f"expected scalar type Long but found {C_NAMES[target.dtype.name]}"
        )


def _check_margins(input: Node, target: Node, weight: Node | None) -> None:
    batch, count = input.shape if input.rank > 1 else (1, input.type.size)
    if target.type.size != batch:
        raise GraphcRuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{batch}], but got {list(target.shape)}. "
            f"Input has shape {list(input.shape)}."
        )
    if weight is not None and weight.shape != (count,):
        raise GraphcRuntimeError(
            f"inconsistent weight size, expected {count} but got {list(weight.shape)}"
        )


@function(method=False, namespace=False, functional=True)
def multi_margin_loss(
    input: Node,
    target: Node,
    p: int = 1,
    margin: float = 1.0,
    weight: Node | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """Σ max(margin - x of the target + x, 0)ᵖ over the other classes, divided by their count."""
    chosen = reduction_named(size_average, reduce, reduction)
    if p not in (1, 2):
        raise GraphcValueError("only p == 1 and p == 2 supported")
    _check_labels(target)
    refuse_gradient("multi_margin_loss", weight=weight)
    _check_margins(input, target, weight)
    x = widened(input if input.rank > 1 else reshape(input, (1, input.type.size)))
    count = x.shape[1]
    labels = CheckRange(0, count, "target out of range", "RuntimeError")(
        reshape(target, (target.type.size, 1))
    )
    hit = equal(labels, classes(count, 2, 1))
    own = Sum((1,))(where(hit, x, 0.0))
    gap = x - own + margin
    gap = where(gap > 0.0, gap, 0.0)
    gap = where(hit, 0.0, gap * gap if p == 2 else gap)
    if weight is not None:
        gap = gap * Sum((1,))(where(hit, widened(weight), 0.0))
    losses = reshape(Sum((1,))(gap) / float(count), target.shape)
    return cast(reduced(losses, chosen), input.dtype)


@function(method=False, namespace=False, functional=True)
def multilabel_margin_loss(
    input: Node,
    target: Node,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Node:
    """Σ max(1 - x of a target + x of another class, 0); a row's targets end at the first -1."""
    chosen = reduction_named(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise GraphcRuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    _check_labels(target)
    count = input.shape[-1] if input.rank else 1
    x = reshape(widened(input), (input.type.size // count, count))
    labels = reshape(cast(target, int64), x.shape)
    valid = cast(CumProd(1)(cast(labels >= 0, int64)), bool_)
    safe = CheckRange(0, count, "argument #2 'target' is out of range", "RuntimeError")(
        where(valid, labels, 0)
    )
    column = (*x.shape, 1)
    hit = And()(equal(reshape(safe, column), classes(count, 3, 2)), reshape(valid, column))
    row = reshape(x, (x.shape[0], 1, count))
    own = Sum((2,))(where(hit, row, 0.0))
    is_target = Sum((1,))(cast(hit, x.dtype)) > 0.0
    gap = row - own + 1.0
    gap = where(gap > 0.0, gap, 0.0)
    gap = where(is_target, 0.0, where(reshape(valid, column), gap, 0.0))
    losses = dropped(Sum((1, 2))(gap), (1, 2), False) / float(count)
    return cast(reduced(reshape(losses, input.shape[:-1]), chosen), input.dtype)
