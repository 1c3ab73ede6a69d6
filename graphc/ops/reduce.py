"""Reductions over axes. The reduced axes stay in the result, with extent one."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphc.errors import GraphcIndexError
from graphc.ir.dtype import DType, bool_, int64
from graphc.ir.node import Node, Op, cast
from graphc.ir.types import TensorType
from graphc.ops.elementwise import And, Ne, Or, equal, where
from graphc.ops.movement import expand


@dataclass(frozen=True)
class Reduce(Op):
    """One number for all elements along ``axes``."""

    axes: tuple[int, ...]
    """Ascending and not negative."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        if self.needs_elements and any(x.shape[axis] == 0 for axis in self.axes):
            raise GraphcIndexError(
                f"{self.name}: expected reduction dim {list(self.axes)} to have non-zero size, "
                f"got {x}"
            )
        shape = tuple(1 if axis in self.axes else n for axis, n in enumerate(x.shape))
        return TensorType(shape, self.result_dtype(x.dtype))

    @property
    def needs_elements(self) -> bool:
        return False

    def result_dtype(self, dtype: DType) -> DType:
        return dtype

    def settings(self) -> str:
        return ", ".join(map(str, self.axes))


class Sum(Reduce, name="sum"):
    """Σ x, in the type of x; low-precision floats are added up in float32."""

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (expand(dy, node.inputs[0].shape),)


class Prod(Reduce, name="prod"):
    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        (x,) = node.inputs
        # Products of all others: right where an element is zero, and differentiable again.
        others = exclusive_product(x, self.axes)
        return (dy * where(Ne()(node, node), node, others),)


@dataclass(frozen=True)
class Extreme(Reduce):
    nan_shares: bool = False
    """Where the extreme is nan, the gradient is shared among the nan, as that of PyTorch's max is.

    Otherwise it is nan, as that of PyTorch's amax is, because nothing equals nan.
    """

    @property
    def needs_elements(self) -> bool:
        return True

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        """Shared evenly among all elements that equal the extreme."""
        (x,) = node.inputs
        mask = equal(x, node)
        if self.nan_shares:
            mask = Or()(mask, And()(Ne()(x, x), Ne()(node, node)))
        share = cast(mask, dy.dtype)
        return (share * (dy / Sum(self.axes)(share)),)


class Max(Extreme, name="max"):
    """The largest element; nan if there is one."""


class Min(Extreme, name="min"):
    """The smallest element; nan if there is one."""


@dataclass(frozen=True)
class ArgReduce(Reduce):
    """The flat index, over the reduced axes, of the first extreme element."""

    @property
    def needs_elements(self) -> bool:
        return True

    def result_dtype(self, dtype: DType) -> DType:
        return int64


class ArgMax(ArgReduce, name="argmax"):
    pass


class ArgMin(ArgReduce, name="argmin"):
    pass


class Any(Reduce, name="any"):
    """Whether some truth value holds."""

    def result_dtype(self, dtype: DType) -> DType:
        return bool_


class All(Reduce, name="all"):
    """Whether every truth value holds."""

    def result_dtype(self, dtype: DType) -> DType:
        return bool_


def exclusive_product(x: Node, axes: tuple[int, ...]) -> Node:
    """For each element the product of the others along ``axes``."""
    from graphc.ops.movement import Flip, Pad, Slice, permute, reshape

    rest = tuple(axis for axis in range(x.rank) if axis not in axes)
    order = rest + axes
    lead = tuple(x.shape[axis] for axis in rest)
    count = prod(x.shape[axis] for axis in axes)
    rows = reshape(permute(x, order), (*lead, count))
    last = rows.rank - 1

    def before(y: Node) -> Node:
        """The product of all elements before each one."""
        none = (0,) * last
        shifted = Pad((*none, 1), (*none, 0), 1.0)(y)
        shifted = Slice((*none, 0), (*lead, count), (1,) * y.rank)(shifted)
        return Op.registry["cumprod"](last)(shifted)  # type: ignore[call-arg]

    flip = Flip((last,))
    product = reshape(before(rows) * flip(before(flip(rows))), tuple(x.shape[a] for a in order))
    return permute(product, tuple(order.index(axis) for axis in range(x.rank)))


def mean(x: Node, axes: tuple[int, ...]) -> Node:
    """Σ x / n over ``axes``, which keep extent one."""
    return Sum(axes)(x) / float(prod(x.shape[axis] for axis in axes))
