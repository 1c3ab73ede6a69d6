"""The batched matrix product, from which linear layers and attention are made."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node, Op
from graphc.ir.types import TensorType, broadcast_shapes
from graphc.ops.elementwise import sum_to
from graphc.ops.movement import permute


@dataclass(frozen=True)
class MatMul(Op, name="matmul"):
    """``[..., m, k] @ [..., k, n]``; the leading axes broadcast."""

    tf32: bool = field(default=False, kw_only=True)
    """Whether factors of float32 may be rounded to the ten bits of tf32, as tensor cores take."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, y = types
        if x.dtype is not y.dtype:
            raise GraphcRuntimeError(
                f"matmul: expected both operands to have the same dtype, but got {x} and {y}"
            )
        if x.rank < 2 or y.rank < 2 or x.shape[-1] != y.shape[-2]:
            raise GraphcRuntimeError(
                f"matmul: {x} and {y} do not fit: mat1 and mat2 shapes cannot be multiplied "
                f"({_extents(x)} and {_extents(y)})"
            )
        batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
        return TensorType((*batch, x.shape[-2], y.shape[-1]), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, y = node.inputs
        return (
            sum_to(self(dy, transposed(y)), x.shape) if x.requires_grad else None,
            sum_to(self(transposed(x), dy), y.shape) if y.requires_grad else None,
        )


def _extents(type: TensorType) -> str:
    return "x".join(map(str, type.shape))


def transposed(x: Node) -> Node:
    """``x`` with its last two axes exchanged."""
    order = list(range(x.rank))
    order[-1], order[-2] = order[-2], order[-1]
    return permute(x, tuple(order))
