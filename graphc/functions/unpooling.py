"""What pooling left of an image, put back in its places."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.ir.dtype import int64
from graphc.ir.node import Node
from graphc.ir.types import TensorType
from graphc.ops.function import function
from graphc.ops.indexing import CheckRange, Scatter
from graphc.ops.movement import reshape, zeros


def _name(input: Node, indices: Node, size: Sequence[int]) -> str:
    return "SqueezeBackward1" if len(size) == 1 else f"MaxUnpool{len(size)}DBackward0"


@function(method=False, namespace=False, grad_name=_name)
def unpooled(input: Node, indices: Node, size: Sequence[int]) -> Node:
    """Zeros of ``size``, with each element of ``input`` where ``indices`` says within its plane."""
    dims = len(size)
    if indices.dtype is not int64:
        raise GraphcRuntimeError(
            f"elements in indices should be type int64 but got: {C_NAMES[indices.dtype.name]}"
        )
    if dims > 1 and input.rank not in (dims + 1, dims + 2):
        raise GraphcRuntimeError(
            f"Input to max_unpooling{dims}d should be a {dims + 1}d or {dims + 2}d Tensor, but got "
            f"a tensor with {input.rank} dimensions."
        )
    if indices.shape != input.shape:
        raise GraphcRuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    lead, count = input.shape[:-dims], prod(size)
    planes = prod(lead)
    extents = "x".join(map(str, size if dims > 1 else (*size, 1)))
    message = f"Found an invalid max index: {{}} (output volumes are of size {extents})"
    flat = (planes, prod(input.shape[-dims:]))
    places = CheckRange(0, count, message, "RuntimeError")(reshape(indices, flat))
    empty = zeros(TensorType((planes, count), input.dtype))
    return reshape(Scatter(1)(empty, reshape(input, flat), places), (*lead, *size))
