"""Matrix products as the user calls them."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node
from graphc.ops.function import function
from graphc.ops.matmul import MatMul, transposed
from graphc.ops.movement import reshape


@function(grad_name="MmBackward0")
def matmul(input: Node, other: Node) -> Node:
    """The matrix product of the last two dimensions; vectors become rows or columns."""
    if not input.rank or not other.rank:
        raise GraphcRuntimeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{input.rank}D and {other.rank}D"
        )
    x = input if input.rank > 1 else reshape(input, (1, *input.shape))
    y = other if other.rank > 1 else reshape(other, (*other.shape, 1))
    product = MatMul()(x, y)
    shape = list(product.shape)
    if other.rank == 1:
        shape.pop()
    if input.rank == 1:
        shape.pop(-1 if other.rank == 1 else -2)
    return reshape(product, tuple(shape))


@function(method=False, namespace=False, functional=True, grad_name="AddmmBackward0")
def linear(input: Node, weight: Node, bias: Node | None = None) -> Node:
    """input · weightᵀ + bias: ``[..., in]`` to ``[..., out]``, weight ``[out, in]``."""
    if not input.rank or input.shape[-1] != weight.shape[-1]:
        raise GraphcRuntimeError(
            f"expects last dimension {weight.shape[-1]}, got {tuple(input.shape)}"
        )
    if input.rank > 2:
        rows = reshape(input, (input.type.size // max(1, input.shape[-1]), input.shape[-1]))
        product = MatMul()(rows, transposed(weight))
    else:
        product = matmul(input, transposed(weight))
    shape = (*input.shape[:-1], *weight.shape[:-1])
    result = reshape(product, shape)
    return result if bias is None else result + bias
