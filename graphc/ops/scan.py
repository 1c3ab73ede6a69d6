"""Running sums and products along a dimension."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtype import int64
from graphc.ir.node import Node, Op, cast, const
from graphc.ir.types import TensorType
from graphc.ops.elementwise import And, equal, number, where
from graphc.ops.movement import Flip


@dataclass(frozen=True)
class Scan(Op):
    """All partial results of a reduction along ``dim``, each including its own element."""

    dim: int

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]


class CumSum(Scan, name="cumsum"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (sum_onward(dy, self.dim),)


class CumProd(Scan, name="cumprod"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        """Σ over later products, without the element itself.

        Elsewhere than at the first zero that is y / x. At the first zero it is the product that
        takes a one there; what follows has the zero among its factors, and so vanishes.
        """
        (x,) = node.inputs
        zero = equal(x, number(0, x))
        seen = CumSum(self.dim)(cast(zero, int64))
        first = And()(zero, equal(seen, const(1, int64)))
        skipping = CumProd(self.dim)(where(first, 1.0, x))
        elsewhere = sum_onward(dy * node, self.dim) / where(zero, 1.0, x)
        return (where(first, sum_onward(dy * skipping, self.dim), elsewhere),)


def sum_onward(x: Node, dim: int) -> Node:
    """For each element the sum of it and all later ones along ``dim``."""
    flip = Flip((dim,))
    return flip(CumSum(dim)(flip(x)))
