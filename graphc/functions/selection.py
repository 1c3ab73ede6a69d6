"""Choice between tensors, and what a tensor is filled with, as the user calls it."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, Operand, c_type, check_operands, numbered
from graphc.ir.dtype import Scalar, bool_
from graphc.ir.node import Node, cast, const, promoted
from graphc.ir.types import broadcast_shapes
from graphc.ops.elementwise import where as select
from graphc.ops.function import function


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
    return select(mask, const(value, input.dtype), input)


def check_fits(name: str, value: Scalar, like: Node) -> None:
    """Raise where a number would lose its fraction in the element type of ``like``."""
    if isinstance(value, float) and not like.dtype.is_floating_point and value % 1:
        raise GraphcRuntimeError(f"value cannot be converted to type {like.dtype} without overflow")


@function(
    method=False, namespace=False, inplace=True, grad_name=numbered("Fill", tensor=3, number=0)
)
def fill(input: Node, value: Operand) -> Node:
    """``value`` everywhere."""
    from graphc.ops.movement import expand

    if isinstance(value, Node):
        if value.rank:
            raise GraphcRuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.rank} "
                "dimensions."
            )
        return expand(cast(value, input.dtype), input.shape)
    return expand(const(value, input.dtype), input.shape)


@function(method=False, namespace=False, inplace=True, grad_name="ZeroBackward0")
def zero(input: Node) -> Node:
    """Zero everywhere."""
    return fill(input, 0)


@function(method=False, namespace=False, inplace=True, grad_name="CopyBackwards")
def copy(input: Node, src: Node, non_blocking: bool = False) -> Node:
    """``src``, broadcast and converted to the type of ``input``."""
    from graphc.ops.movement import expand

    shape = broadcast_shapes(input.shape, src.shape)
    if shape != input.shape:
        raise GraphcRuntimeError(
            f"output with shape {list(input.shape)} doesn't match the broadcast shape {list(shape)}"
        )
    return expand(cast(src, input.dtype), input.shape)


@function(grad_name="CloneBackward0")
def clone(input: Node, *, memory_format: object = None) -> Node:
    """The same numbers in memory of their own."""
    return input
