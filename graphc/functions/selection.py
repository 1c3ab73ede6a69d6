"""Choice between tensors, and what a tensor is filled with, as the user calls it."""

from __future__ import annotations

from math import isfinite

import ml_dtypes
import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, Operand, c_type, check_operands, numbered
from graphc.ir.dtype import DType, Scalar, bool_, real_type
from graphc.ir.node import Node, cast, const, promoted
from graphc.ir.types import Shape, broadcast_shapes
from graphc.ops.elementwise import where as select
from graphc.ops.function import function
from graphc.ops.movement import expand, full
from graphc.ops.sloped import level


@function(grad_name="WhereBackward0", method=False)
def where(condition: Node, input: Operand, other: Operand) -> Node:
    """``input`` where the condition holds, else ``other``."""
    check_operands("where", input, other)
    x, y = promoted((input, other))
    return select(_mask("where", condition), x, y)


def _mask(name: str, condition: Node) -> Node:
    if condition.dtype is bool_:
        return condition
    if condition.dtype.name == "uint8":
        return cast(condition, bool_)
    raise GraphcRuntimeError(
        f"{name} expected condition to be a boolean tensor, but got a tensor with dtype "
        f"{C_NAMES[condition.dtype.name]}"
    )


@function(inplace=True, grad_name=numbered("MaskedFill", tensor=1, number=0, place=2))
def masked_fill(input: Node, mask: Node, value: Operand) -> Node:
    """``value``, a number or a tensor of no dimensions, where the mask holds."""
    if mask.dtype is not bool_:
        raise GraphcRuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{c_type(mask.dtype)}"
        )
    if isinstance(value, Node):
        if value.rank:
            raise GraphcRuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.rank} dimension(s)."
            )
        return select(mask, cast(value, input.dtype), input)
    check_fits(value, input.dtype)
    return select(mask, const(value, input.dtype), input)


_STORED = {
    "int16": "int16_t",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int64": "int64_t",
}
"""The integers as C++ calls them where it stores a number."""


def check_fits(value: Scalar | complex, dtype: DType) -> None:
    """Raise where a number is beyond an element type."""
    if not fits(value, dtype):
        name = _STORED.get(dtype.name) or c_type(dtype)
        raise GraphcRuntimeError(f"value cannot be converted to type {name} without overflow")


def fits(value: Scalar | complex, dtype: DType) -> bool:
    """Whether a number is within an element type; unsigned ones count back from zero."""
    if dtype is bool_:
        return True
    if dtype.is_complex:
        value = complex(value)
        return fits(value.real, real_type(dtype)) and fits(value.imag, real_type(dtype))
    if isinstance(value, complex):
        return not value.imag and fits(value.real, dtype)
    if dtype.is_floating_point:
        return not isfinite(value) or abs(value) <= float(ml_dtypes.finfo(dtype.numpy).max)
    limits = np.iinfo(dtype.numpy)
    low = limits.min if dtype.is_signed else -limits.max
    return isfinite(value) and low <= int(value) <= limits.max


@function(method=False, inplace=True, grad_name=numbered("Fill", tensor=1, number=0))
def fill(input: Node, value: Operand) -> Node:
    """``value`` everywhere."""
    return level(overwritten(input, value), input)


@function(method=False, namespace=False, grad_name=numbered("Fill", tensor=1, number=0))
def overwritten(input: Node, value: Operand) -> Node:
    """``value`` everywhere; the operand is none of its history."""
    if isinstance(value, Node):
        if value.rank:
            raise GraphcRuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.rank} "
                "dimensions."
            )
        return expand(cast(value, input.dtype), input.shape)
    return filled(input.shape, value, input.dtype)


def filled(shape: Shape, value: Scalar | complex, dtype: DType) -> Node:
    """``value`` everywhere; what is beyond a type of 16 bits becomes infinite there."""
    if not (dtype.is_floating_point and dtype.itemsize == 2):
        check_fits(value, dtype)
    return full(shape, const(value, dtype))


@function(method=False, namespace=False, inplace=True, grad_name="ZeroBackward0")
def zero(input: Node) -> Node:
    """Zero everywhere."""
    return fill(input, 0)


@function(method=False, namespace=False, inplace=True, grad_name="CopyBackwards")
def copy(input: Node, other: Operand, non_blocking: bool = False) -> Node:
    """``other``, broadcast and converted to the type of ``input``."""
    (source,) = promoted((other,))
    shape = broadcast_shapes(input.shape, source.shape)
    if shape != input.shape:
        raise GraphcRuntimeError(
            f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(shape)}"
        )
    return expand(cast(source, input.dtype), input.shape)


@function(grad_name="CloneBackward0")
def clone(input: Node, *, memory_format: object = None) -> Node:
    """The same numbers in memory of their own."""
    return input
