"""Softmax and its kin."""

from __future__ import annotations

from collections.abc import Callable

from graphc.functions.operands import dtype_given
from graphc.functions.precision import LOW, require_floating, widened
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import DType
from graphc.ir.node import Node, cast, elementwise, grad_mode
from graphc.ops.function import function
from graphc.ops.movement import reshape
from graphc.ops.reduce import Max, Sum
from graphc.ops.sloped import sloped


def shifted(x: Node, axis: int) -> Node:
    """x less its maximum along ``axis``, which cancels and so has no gradient."""
    if not x.shape[axis]:
        return x
    with grad_mode(False):
        largest = Max((axis,))(x)
    return x - largest


def softmax_rows(x: Node, axis: int) -> Node:
    """exp(x) / Σ exp(x)"""
    powers = elementwise("exp", shifted(x, axis))
    return powers / Sum((axis,))(powers)


def log_softmax_rows(x: Node, axis: int) -> Node:
    """x - ln Σ exp(x)"""
    rows = shifted(x, axis)
    return rows - elementwise("log", Sum((axis,))(elementwise("exp", rows)))


def _kept_low(x: Node, dtype: DType) -> Node:
    """``x`` as a type of 16 bits would keep it; the derivative does not see that."""
    with grad_mode(False):
        value = cast(cast(x, dtype), x.dtype)
    return sloped(value, x, 1.0)


def _low_log_softmax_rows(x: Node, axis: int, dtype: DType) -> Node:
    """``log_softmax_rows`` of 16-bit floats: sums along a last dimension are kept as such."""
    if axis < x.rank - 1:
        return log_softmax_rows(x, axis)
    rows = shifted(x, axis)
    total = _kept_low(Sum((axis,))(elementwise("exp", rows)), dtype)
    return rows - _kept_low(elementwise("log", total), dtype)


@function()
def softmax(input: Node, dim: int, dtype: DType | None = None) -> Node:
    """exp(x) / Σ exp(x) along ``dim``."""
    return _along("softmax", input, dim, dtype, softmax_rows)


@function()
def log_softmax(input: Node, dim: int, dtype: DType | None = None) -> Node:
    """x - ln Σ exp(x) along ``dim``."""

    def rows(x: Node, axis: int) -> Node:
        low = (input.dtype if dtype is None else dtype_given(dtype)) in LOW
        return _low_log_softmax_rows(x, axis, input.dtype) if low else log_softmax_rows(x, axis)

    return _along("log_softmax", input, dim, dtype, rows)


def _along(
    name: str, input: Node, dim: int, dtype: DType | None, rows: Callable[[Node, int], Node]
) -> Node:
    """``rows`` over one dimension; 16-bit floats in float32, rounded once."""
    x = input if dtype is None else cast(input, dtype_given(dtype))
    axis = normal_dim(dim, x.rank)
    last = axis + 1 >= x.rank
    require_floating(f"{name}_{'lastdim_' if last else ''}kernel_impl", x)
    wide = widened(x if x.rank else reshape(x, (1,)))
    return cast(reshape(rows(wide, axis), x.shape), x.dtype)
