"""Sorting along a dimension, whole or the first few: values and where they stood."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtype import int64
from graphc.ir.node import Item, Node, Op
from graphc.ir.types import TensorType
from graphc.ops.indexing import ScatterAdd


@dataclass(frozen=True)
class Ordered(Op):
    """Values in order along ``dim``, and the position each one had. nan counts as the largest."""

    dim: int

    def grad(self, node: Node, dy: Node, _: Node | None) -> tuple[Node, ...]:
        """Each gradient goes back to where its value stood."""
        return (ScatterAdd(self.dim, node.inputs[0].shape)(dy, Item(1)(node)),)


@dataclass(frozen=True)
class Sort(Ordered, name="sort"):
    """All elements; equal ones stay in order."""

    descending: bool = False

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        return x, TensorType(x.shape, int64)


@dataclass(frozen=True)
class TopK(Ordered, name="topk"):
    """The ``k`` largest or smallest elements, in order; of equal ones the first."""

    k: int
    largest: bool = True

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        shape = (*x.shape[: self.dim], self.k, *x.shape[self.dim + 1 :])
        return TensorType(shape, x.dtype), TensorType(shape, int64)
