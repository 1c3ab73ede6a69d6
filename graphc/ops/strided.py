"""Elements of memory at any distance from each other."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import int64
from graphc.ir.node import Node, Op, const
from graphc.ir.types import Shape, TensorType
from graphc.ops.creation import Arange
from graphc.ops.indexing import IndexPut, IndexSum
from graphc.ops.movement import full, reshape


@dataclass(frozen=True)
class Strided(Op, name="strided"):
    """y[i, j, ...] = x[offset + i · strides[0] + j · strides[1] + ...] of a vector x."""

    size: Shape
    strides: Shape
    offset: int

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        spans = (stride * (n - 1) for n, stride in zip(self.size, self.strides, strict=True))
        if 0 not in self.size and self.offset + sum(spans) >= x.size:
            raise GraphcRuntimeError(f"strided: {self} reaches beyond {x}")
        return TensorType(self.size, x.dtype)

    def places(self) -> Node:
        """Where in the vector each element stands."""
        total = full(self.size, const(self.offset, int64))
        for axis, (extent, stride) in enumerate(zip(self.size, self.strides, strict=True)):
            own = (extent, *(1,) * (len(self.size) - axis - 1))
            total = total + reshape(Arange(0, stride, extent, int64)(), own)
        return total

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return (IndexSum(node.inputs[0].shape, wrap=False)(dy, self.places()),)

    def put(self, source: Node, value: Node) -> Node:
        """What the vector becomes when ``value`` is written to the view; the last one stays."""
        return IndexPut(False)(source, value, self.places())
