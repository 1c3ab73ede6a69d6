"""Losses that compare distributions as the user calls them."""

from __future__ import annotations

import warnings
from math import log, pi
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.losses import (
    PAIR,
    REDUCTIONS,
    finished,
    named_by_reduction,
    pair,
    reduction_named,
)
from graphc.functions.precision import widened
from graphc.ir.node import Node, const, elementwise
from graphc.ops.elementwise import equal, number, where
from graphc.ops.function import function
from graphc.ops.movement import expand, reshape
from graphc.ops.sloped import sloped


def _xlogy(t: Node) -> Node:
    """t · ln t, 0 at 0."""
    zero = equal(t, number(0, t))
    return where(zero, 0.0, t * elementwise("log", where(zero, 1.0, t)))


def divergence(input: Node, target: Node, log_target: bool, reduction: str) -> Node:
    """t · (ln t - x), x being logarithms, and t too if ``log_target``."""
    if not (input.dtype.is_floating_point and target.dtype.is_floating_point):
        raise GraphcRuntimeError("kl_div: Integral inputs not supported.")
    x, t, dtype = pair(input, target)
    losses = elementwise("exp", t) * (t - x) if log_target else _xlogy(t) - t * x
    return finished(losses, reduction, dtype)


def _divergence_name(*args: Any, **kwargs: Any) -> Any:
    given = dict(zip((*PAIR, "log_target"), args, strict=False)) | kwargs
    each = "MulBackward0" if given.get("log_target") else "SubBackward0"
    return named_by_reduction(each, batchmean="DivBackward0")(*args, **kwargs)


@function(method=False, namespace=False, functional=True, grad_name=_divergence_name)
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
    if reduction == "batchmean":
        total = divergence(input, target, log_target, "sum")
        return total / float(input.shape[0]) if input.rank else total
    chosen = reduction_named(size_average, reduce, reduction)
    return divergence(input, target, log_target, chosen)


def poisson_losses(
    input: Node, target: Node, log_input: bool, full: bool, eps: float, reduction: str
) -> Node:
    """λ - t · ln λ, where x is ln λ or λ; ``full`` adds Stirling's approximation of ln t!."""
    x, t, dtype = pair(input, target, floats=True)
    losses = elementwise("exp", x) - t * x if log_input else x - t * elementwise("log", x + eps)
    if full:
        safe = where(t > 1.0, t, number(1.0, t))
        stirling = t * elementwise("log", safe) - t + elementwise("log", safe * (2 * pi)) * 0.5
        losses = losses + where(t > 1.0, stirling, 0.0)
    return finished(losses, reduction, dtype)


_POISSON = ("input", "target", "log_input", "full", "size_average", "eps", "reduce", "reduction")


def _poisson_name(*args: Any, **kwargs: Any) -> Any:
    given = dict(zip(_POISSON, args, strict=False)) | kwargs
    each = "AddBackward0" if given.get("full") else "SubBackward0"
    return named_by_reduction(each, _POISSON)(*args, **kwargs)


@function(method=False, namespace=False, functional=True, grad_name=_poisson_name)
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
    return poisson_losses(input, target, log_input, full, eps, chosen)


def _varies_but_along_one(var: Node, input: Node) -> bool:
    """Whether the sizes are the same, or one alone of ``var`` is 1 instead."""
    if var.rank != input.rank:
        return False
    return [n for n, whole in zip(var.shape, input.shape, strict=True) if n != whole] in ([], [1])


_GAUSSIAN = ("input", "target", "var", "full", "eps", "reduction")


def _gaussian_name(*args: Any, **kwargs: Any) -> Any:
    given = dict(zip(_GAUSSIAN, args, strict=False)) | kwargs
    each = "AddBackward0" if given.get("full") else "MulBackward0"
    return named_by_reduction(each, _GAUSSIAN)(*args, **kwargs)


@function(method=False, namespace=False, functional=True, grad_name=_gaussian_name)
def gaussian_nll_loss(
    input: Node,
    target: Node,
    var: Node | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Node:
    """(ln v + (x - t)² / v) / 2, v the variance, at least ε; ``full`` adds ln(2π) / 2."""
    if not isinstance(var, Node):
        if var < 0:
            raise GraphcValueError("var has negative entry/entries")
        var = expand(const(var, input.dtype), input.shape)
    elif var.shape != input.shape and var.shape == input.shape[:-1]:
        var = reshape(var, (*var.shape, 1))
    elif not _varies_but_along_one(var, input):
        raise GraphcValueError("var is of incorrect size")
    if reduction not in REDUCTIONS:
        raise GraphcValueError(f"{reduction} is not valid")
    x, t, dtype = pair(input, target)
    v = widened(var)
    v = sloped(where(v < eps, eps, v), v, 1.0)
    difference = x - t
    losses = (elementwise("log", v) + difference * difference / v) * 0.5
    return finished(losses + 0.5 * log(2 * pi) if full else losses, reduction, dtype)
