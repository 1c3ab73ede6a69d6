"""Reductions as the user calls them: dimensions by PyTorch's names, kept or dropped."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.ir.dtype import DType, int64
from graphc.ir.node import Node, cast
from graphc.ops import reduce
from graphc.ops.function import function
from graphc.ops.movement import reshape

Dims = int | Sequence[int] | None


def normal_dim(dim: int, rank: int) -> int:
    """``dim`` counted from the front; an IndexError in PyTorch's words if there is none."""
    limit = max(rank, 1)
    if not -limit <= dim < limit:
        raise GraphcIndexError(
            f"Dimension out of range (expected to be in range of [{-limit}, {limit - 1}], but got {dim})"
        )
    return dim % limit


def normal_dims(dim: Dims, rank: int) -> tuple[int, ...]:
    """The dimensions meant by ``dim``, ascending; all of them for None or none given."""
    if dim is None or (isinstance(dim, Sequence) and not dim):
        return tuple(range(rank))
    dims = [normal_dim(d, rank) for d in ([dim] if isinstance(dim, int) else dim)]
    if len(set(dims)) < len(dims):
        raise GraphcRuntimeError(f"dim {dims} appears multiple times in the list of dims")
    return tuple(sorted(dims)) if rank else ()


def dropped(x: Node, axes: tuple[int, ...], keepdim: bool) -> Node:
    """``x`` without the reduced axes, unless they are kept."""
    if keepdim:
        return x
    return reshape(x, tuple(n for axis, n in enumerate(x.shape) if axis not in axes))


@function(grad_name="SumBackward0")
def sum(input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Node:
    """Σ over ``dim``; integers and truth values are summed as int64."""
    if dtype is None and not input.dtype.is_floating_point:
        dtype = int64
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.Sum(axes)(cast(input, dtype or input.dtype)), axes, keepdim)


@function(grad_name="MeanBackward0")
def mean(input: Node, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None) -> Node:
    """Σ / n over ``dim``, of floating-point numbers."""
    x = cast(input, dtype or input.dtype)
    if not x.dtype.is_floating_point:
        raise GraphcRuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point "
            f"or complex dtype. Got: {input.dtype}"
        )
    axes = normal_dims(dim, input.rank)
    return dropped(reduce.mean(x, axes), axes, keepdim)
