"""Running sums and products along a dimension."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtype import int64
from graphc.ir.node import Node, Op, cast, const, recording
from graphc.ir.types import TensorType
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, equal, number, where
from graphc.ops.movement import Flip, Pad, Slice, expand, reshape


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
        takes a one there; what follows has the zero among its factors, and so vanishes. Its own
        derivative with respect to that zero need not, so a gradient that is to be
        differentiated again goes without division.
        """
        (x,) = node.inputs
        if recording.grad_enabled:
            return (self._without_division(x, dy),)
        zero = equal(x, number(0, x))
        seen = CumSum(self.dim)(cast(zero, int64))
        first = And()(zero, equal(seen, const(1, int64)))
        skipping = CumProd(self.dim)(where(first, 1.0, x))
        elsewhere = sum_onward(dy * node, self.dim) / where(zero, 1.0, x)
        return (where(first, sum_onward(dy * skipping, self.dim), elsewhere),)

    def _without_division(self, x: Node, dy: Node) -> Node:
        """At i: Π_{j < i} x[j] · Σ_{k ≥ i} dy[k] · Π_{i < j ≤ k} x[j], of all pairs i, k."""
        dim, size = self.dim, x.shape[self.dim]
        lead, rest = x.shape[:dim], x.shape[dim + 1 :]
        pairs = (*lead, size, size, *rest)
        last = Arange(0, 1, size, int64)()
        column = reshape(last, (size, *(1,) * len(rest)))
        row = reshape(last, (size, 1, *(1,) * len(rest)))
        along = (*lead, 1, size, *rest)
        factors = where(row < column, expand(reshape(x, along), pairs), 1.0)
        products = CumProd(dim + 1)(factors) * reshape(dy, along)
        onward = Op.registry["sum"]((dim + 1,))(where(row <= column, products, 0.0))  # type: ignore[call-arg]
        return before(x, dim) * reshape(onward, x.shape)


def before(x: Node, dim: int) -> Node:
    """For each element the product of all before it along ``dim``."""
    none = (0,) * x.rank
    shift = tuple(int(axis == dim) for axis in range(x.rank))
    shifted = Slice(none, x.shape, (1,) * x.rank)(Pad(shift, none, 1.0)(x))
    return CumProd(dim)(shifted)


def sum_onward(x: Node, dim: int) -> Node:
    """For each element the sum of it and all later ones along ``dim``."""
    flip = Flip((dim,))
    return flip(CumSum(dim)(flip(x)))
