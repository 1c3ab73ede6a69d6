"""Reading and writing at positions that tensors of integers give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.ir.dtype import int64
from graphc.ir.node import Node, Op, cast, const
from graphc.ir.types import Shape, TensorType, broadcast_shapes
from graphc.ops.elementwise import And, equal, number, sum_to, where
from graphc.ops.movement import permute, reshape, zeros


@dataclass(frozen=True)
class Gather(Op, name="gather"):
    """y[i, j] = x[index[i, j], j] along dimension 0, and so on. No index is negative."""

    dim: int

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, index = types
        check_along("gather", self.dim, index, x, "input")
        return TensorType(index.shape, x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, index = node.inputs
        return ScatterAdd(self.dim, x.shape)(dy, index), None


@dataclass(frozen=True)
class ScatterAdd(Op, name="scatter_add"):
    """Zeros of ``shape`` with y[index[i, j], j] += values[i, j] along dimension 0, and so on."""

    dim: int
    shape: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        values, index = types
        if values.shape != index.shape:
            raise GraphcRuntimeError(f"scatter_add: {values} does not fit the index {index}")
        return TensorType(self.shape, values.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        return Gather(self.dim)(dy, node.inputs[1]), None


@dataclass(frozen=True)
class Scatter(Op, name="scatter"):
    """x with y[index[i, j], j] = values[i, j] along dimension 0, and so on; the last one stays."""

    dim: int

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, values, index = types
        check_along("scatter", self.dim, index, x, "self")
        if values.shape != index.shape or values.dtype is not x.dtype:
            raise GraphcRuntimeError(f"scatter: {values} does not fit the index {index} of {x}")
        return x

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        _, values, index = node.inputs
        untouched = Scatter(self.dim)(dy, zeros(values.type), index)
        return untouched, Gather(self.dim)(dy, index), None


@dataclass(frozen=True)
class ScatterReduce(Op, name="scatter_reduce"):
    """x combined with values[i, j] at [index[i, j], j] along dimension 0, and so on."""

    dim: int
    combine: str
    """An elementwise primitive in which order does not matter: mul, maximum or minimum."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return Scatter(self.dim).infer(types)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        below = self._of_product if self.combine == "mul" else self._shared
        return *below(node, dy), None

    def _shared(self, node: Node, dy: Node) -> tuple[Node, Node]:
        """An extreme's gradient goes in equal parts to all that equal it."""
        x, values, index = node.inputs
        own = equal(x, node)
        theirs = equal(values, Gather(self.dim)(node, index))
        counts = ScatterAdd(self.dim, x.shape)(cast(theirs, dy.dtype), index) + cast(own, dy.dtype)
        share = dy / counts
        return where(own, share, 0.0), where(theirs, Gather(self.dim)(share, index), 0.0)

    def _of_product(self, node: Node, dy: Node) -> tuple[Node, Node]:
        """To each factor the product of the others: y / x, but where x is zero the product without.

        Where two values of one place are zero, what remains has a zero among its factors.
        """
        x, values, index = node.inputs
        along = Gather(self.dim)
        nonzero = where(equal(x, number(0, x)), 1.0, x)
        from_x = dy * self(nonzero, values, index) / nonzero
        zero = equal(values, number(0, values))
        count = ScatterAdd(self.dim, x.shape)(cast(zero, int64), index)
        alone = And()(zero, equal(along(count, index), const(1, int64)))
        without = along(dy * self(x, where(alone, 1.0, values), index), index)
        others = along(dy * node, index) / where(zero, 1.0, values)
        return from_x, where(alone, without, others)


@dataclass(frozen=True)
class GatherNd(Op, name="gather_nd"):
    """The elements of x at index tensors for its leading dimensions.

    The result has the shape that the indices broadcast to, followed by the other dimensions of x.
    """

    wrap: bool = True
    """Whether a negative index counts from the end; otherwise it is out of range."""
    skip: int | None = None
    """With one index: the place in x to which no gradient flows."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, *indices = types
        return TensorType(
            (*check_indices(self.name, x, indices), *x.shape[len(indices) :]), x.dtype
        )

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, *indices = node.inputs
        return IndexSum(x.shape, self.wrap, self.skip)(dy, *indices), *[None] * len(indices)


@dataclass(frozen=True)
class IndexSum(Op, name="index_sum"):
    """Zeros of ``shape`` with the values added where ``GatherNd`` would read, in order."""

    shape: Shape
    wrap: bool = True
    skip: int | None = None
    """With one index: the place that stays zero."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        values, *indices = types
        result = TensorType(self.shape, values.dtype)
        expected = GatherNd(self.wrap).infer((result, *indices))
        if values != expected:
            raise GraphcRuntimeError(f"index_sum: expected values {expected}, got {values}")
        return result

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        _, *indices = node.inputs
        below = GatherNd(self.wrap)(dy, *indices)
        if self.skip is not None:
            (index,) = indices
            skipped = equal(index, number(self.skip, index))
            shape = index.shape + (1,) * (below.rank - index.rank)
            below = where(reshape(skipped, shape), 0.0, below)
        return below, *[None] * len(indices)


@dataclass(frozen=True)
class IndexPut(Op, name="index_put"):
    """x with values written or added where ``GatherNd`` would read; of x, values, indices.

    The values broadcast. Of several at one place the last one stays, unless they are added.
    """

    accumulate: bool

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, values, *indices = types
        place = (*check_indices(self.name, x, indices), *x.shape[len(indices) :])
        if values.dtype is not x.dtype:
            raise GraphcRuntimeError(
                f"Index put requires the source and destination dtypes match, got {x.dtype} for "
                f"the destination and {values.dtype} for the source."
            )
        if broadcast_shapes(values.shape, place) != place:
            raise GraphcRuntimeError(
                f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast "
                f"to indexing result of shape {list(place)}"
            )
        return x

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        _, values, *indices = node.inputs
        below = dy
        if not self.accumulate:
            below = IndexPut(False)(dy, zeros(TensorType((), dy.dtype)), *indices)
        above = sum_to(GatherNd()(dy, *indices), values.shape)
        return below, above, *[None] * len(indices)


def check_along(name: str, dim: int, index: TensorType, x: TensorType, what: str) -> None:
    """Raise where ``index`` does not fit ``x`` for an access along ``dim``."""
    if index.dtype is not int64:
        raise GraphcRuntimeError(f"{name}(): Expected dtype int64 for index")
    if index.rank != x.rank:
        raise GraphcRuntimeError(
            f"Index tensor must have the same number of dimensions as {what} tensor"
        )
    if any(n > m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=True)) if d != dim):
        raise GraphcRuntimeError(
            f"Size does not match at dimension {_first_larger(dim, index, x)} expected index "
            f"{list(index.shape)} to be no larger than self {list(x.shape)} apart from "
            f"dimension {dim}"
        )


def _first_larger(dim: int, index: TensorType, x: TensorType) -> int:
    pairs = enumerate(zip(index.shape, x.shape, strict=True))
    return next(d for d, (n, m) in pairs if d != dim and n > m)


def check_indices(name: str, x: TensorType, indices: Sequence[TensorType]) -> Shape:
    """The shape that ``indices`` broadcast to. Raises where they cannot index ``x``."""
    if len(indices) > x.rank:
        raise GraphcIndexError(
            f"too many indices for tensor of dimension {x.rank} (got {len(indices)})"
        )
    if any(index.dtype is not int64 for index in indices):
        raise GraphcIndexError("tensors used as indices must be long, int, byte or bool tensors")
    try:
        return broadcast_shapes(*(index.shape for index in indices))
    except GraphcRuntimeError:
        shapes = ", ".join(str(list(index.shape)) for index in indices)
        raise GraphcIndexError(
            f"{name}: shape mismatch: indexing tensors could not be broadcast together with "
            f"shapes {shapes}"
        ) from None


def taken(x: Node, index: Node, dim: int = 0, *, wrap: bool = False) -> Node:
    """x with dimension ``dim`` replaced by the dimensions of ``index``."""
    front = (dim, *(d for d in range(x.rank) if d != dim))
    rows = GatherNd(wrap)(permute(x, front), cast(index, int64))
    count = index.rank
    order = (*range(count, count + dim), *range(count), *range(count + dim, rows.rank))
    return permute(rows, order)


@dataclass(frozen=True)
class CheckRange(Op, name="check_range"):
    """The operand, unchanged; a run in which an element is not in [low, high) raises."""

    low: int
    high: int
    message: str
    """With {} for the first offender."""
    error: str = "IndexError"
    """The exception's name."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]
