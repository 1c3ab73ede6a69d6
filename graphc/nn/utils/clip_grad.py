"""Clipping of gradients: recorded with the step they belong to, so no number is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import GeneratorType
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.norms import vector_norm
from graphc.functions.pointwise import clamp
from graphc.ir.dtype import float32
from graphc.ir.node import Node, cast, elementwise, grad_mode, promoted
from graphc.lift import lift
from graphc.memory import full
from graphc.ops.complex import square_of_magnitude
from graphc.ops.function import Function
from graphc.ops.movement import Concat, reshape
from graphc.ops.reduce import Sum
from graphc.surface import assign
from graphc.tensor import Tensor

Tensors = Tensor | Iterable[Tensor]


def _lifted(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function over nodes as one over tensors, which is no part of the surface."""
    name = call.__name__.strip("_")
    return lift(Function(name, call, False, False, False, False, False, ""))


@_lifted
def _total_norm(gradients: Sequence[Node], norm_type: float) -> Node:
    """The norm of the gradients' norms; of Euclidean ones that is the root of all squares."""
    euclidean = norm_type == 2
    measure = _energy if euclidean else partial(vector_norm, p=norm_type)
    parts = [measure(x, axes=tuple(range(x.rank))) for x in gradients]
    rows = [reshape(x, (1,)) for x in promoted(parts)]
    together = rows[0] if len(rows) == 1 else Concat(0)(*rows)
    if euclidean:
        return reshape(elementwise("sqrt", Sum((0,))(together)), ())
    return reshape(vector_norm(together, norm_type, (0,)), ())


def _energy(x: Node, axes: tuple[int, ...]) -> Node:
    return Sum(axes)(square_of_magnitude(x))


@_lifted
def _scaled(gradients: Sequence[Node], max_norm: float, total_norm: Node) -> list[Node]:
    """Each gradient times max_norm / (total_norm + 10⁻⁶), where that is below one."""
    coefficient = clamp(max_norm / (total_norm + 1e-6), max=1.0)
    return [x * cast(coefficient, x.dtype) for x in gradients]


@_lifted
def _bounded(gradients: Sequence[Node], limit: float) -> list[Node]:
    """Each gradient brought into the range from -limit to limit."""
    return [clamp(x, -limit, limit) for x in gradients]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: list[Tensor]) -> list[Tensor]:
    found = [p.grad for p in parameters]
    return [x for x in found if x is not None]


def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all the tensors together, as if they were one vector."""
    tensors = _listed(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return full((), 0.0, float32)
    with grad_mode(False):
        total: Tensor = _total_norm(tensors, norm_type)
        if error_if_nonfinite and not total.isfinite():
            raise GraphcRuntimeError(
                f"The total norm of order {norm_type} for gradients from `parameters` is "
                "non-finite, so it cannot be clipped. To disable this error and scale the "
                "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
            )
    return total


def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale gradients whose norm is ``total_norm`` down to ``max_norm``."""
    gradients = _gradients(_listed(parameters))
    if not gradients:
        return
    with grad_mode(False):
        for old, new in zip(
            gradients, _scaled(gradients, float(max_norm), total_norm), strict=True
        ):
            assign(old, new, "mul_")


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the parameters' gradients down to ``max_norm`` together; the norm that they had."""
    listed = _listed(parameters)
    if isinstance(parameters, GeneratorType) and not listed:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    total = get_total_norm(_gradients(listed), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(listed, max_norm, total, foreach)
    return total


def clip_grad_norm(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """``clip_grad_norm_`` by its older name."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Bring each element of the gradients into the range from -clip_value to clip_value."""
    gradients = _gradients(_listed(parameters))
    if not gradients:
        return
    with grad_mode(False):
        for old, new in zip(gradients, _bounded(gradients, float(clip_value)), strict=True):
            assign(old, new, "clamp_")
