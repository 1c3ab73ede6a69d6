"""Joins, repetitions and rearrangements as the user calls them: results in memory of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.functions.diagonals import counted
from graphc.functions.pieces import cut
from graphc.functions.reduction import normal_dim
from graphc.functions.shaping import Extents
from graphc.ir.dtype import int64
from graphc.ir.node import Node, cast, promoted
from graphc.ir.types import expands_to
from graphc.ops import movement
from graphc.ops.elementwise import sum_to
from graphc.ops.function import function
from graphc.ops.indexing import taken
from graphc.ops.sloped import level


@function("concat", "concatenate", method=False)
def cat(tensors: Sequence[Node], dim: int = 0) -> Node:
    """The tensors one after the other along ``dim``."""
    if not tensors:
        raise GraphcValueError("torch.cat(): expected a non-empty list of Tensors")
    # PyTorch skips empty vectors, whatever the shape of the others.
    full = [x for x in tensors if x.shape != (0,)] or tensors[:1]
    axis = normal_dim(dim, full[0].rank)
    for i, x in enumerate(full):
        if not x.rank:
            raise GraphcRuntimeError(
                f"zero-dimensional tensor (at position {i}) cannot be concatenated"
            )
        _check_joinable(axis, full[0], x, i)
    parts = promoted(tensors)
    kept = [part for part, x in zip(parts, tensors, strict=True) if x in full]
    joined = kept[0] if len(kept) == 1 else movement.Concat(axis)(*kept)
    return level(joined, *[x for x in tensors if x not in full])


def _check_joinable(axis: int, first: Node, x: Node, position: int) -> None:
    if x.rank != first.rank:
        raise GraphcRuntimeError(
            f"Tensors must have same number of dimensions: got {first.rank} and {x.rank}"
        )
    for d, (m, n) in enumerate(zip(first.shape, x.shape, strict=True)):
        if d != axis and m != n:
            raise GraphcRuntimeError(
                f"Sizes of tensors must match except in dimension {axis}. Expected size {m} but "
                f"got size {n} for tensor number {position} in the list."
            )


@function(method=False)
def stack(tensors: Sequence[Node], dim: int = 0) -> Node:
    """The tensors, of one shape, along a new dimension ``dim``."""
    if not tensors:
        raise GraphcRuntimeError("stack expects a non-empty TensorList")
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise GraphcRuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at "
                f"entry 0 and {list(x.shape)} at entry {i}"
            )
    shape = list(tensors[0].shape)
    axis = normal_dim(dim, len(shape) + 1)
    shape.insert(axis, 1)
    parts = [movement.reshape(x, tuple(shape)) for x in promoted(tensors)]
    return parts[0] if len(parts) == 1 else movement.Concat(axis)(*parts)


@function(method=False, grad_name="CatBackward0")
def hstack(tensors: Sequence[Node]) -> Node:
    """The tensors side by side: along dimension 1, vectors along their one."""
    given = [x if x.rank else movement.reshape(x, (1,)) for x in tensors]
    return cat(given, 0 if given and given[0].rank == 1 else 1)


@function("row_stack", method=False, grad_name="CatBackward0")
def vstack(tensors: Sequence[Node]) -> Node:
    """The tensors below one another, as matrices."""
    rows = [x if x.rank > 1 else movement.reshape(x, (1, x.type.size)) for x in tensors]
    return cat(rows, 0)


@function(method=False, grad_name="CatBackward0")
def dstack(tensors: Sequence[Node]) -> Node:
    """The tensors behind one another, along dimension 2."""
    given = []
    for x in tensors:
        if x.rank < 3:
            lead = x.shape if x.rank == 2 else (1, x.type.size)
            x = movement.reshape(x, (*lead, 1))
        given.append(x)
    return cat(given, 2)


@function(method=False, grad_name="CatBackward0")
def column_stack(tensors: Sequence[Node]) -> Node:
    """Vectors as the columns of a matrix, matrices side by side."""
    columns = [x if x.rank > 1 else movement.reshape(x, (x.type.size, 1)) for x in tensors]
    return cat(columns, 1)


@function(namespace=False)
def repeat(input: Node, repeats: Sequence[int]) -> Node:
    """The tensor so many times along each dimension; new dimensions come first."""
    if len(repeats) < input.rank:
        raise GraphcRuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    shape = (1,) * (len(repeats) - input.rank) + input.shape
    return tiled(movement.reshape(input, shape), repeats)


def tiled(x: Node, counts: Sequence[int]) -> Node:
    """``x`` so many times along each of its dimensions."""
    if all(n == 1 for n in counts):
        return x
    alternate = tuple(m for n in x.shape for m in (1, n))
    wide = tuple(m for n, count in zip(x.shape, counts, strict=True) for m in (count, n))
    result = tuple(n * count for n, count in zip(x.shape, counts, strict=True))
    return movement.reshape(movement.expand(movement.reshape(x, alternate), wide), result)


@function(grad_name="RepeatBackward0")
def tile(input: Node, dims: Sequence[int]) -> Node:
    """The tensor so many times along each dimension, counted from the last."""
    counts = (*(1,) * (input.rank - len(dims)), *dims)
    shape = (1,) * (len(counts) - input.rank) + input.shape
    return tiled(movement.reshape(input, shape), counts)


@function(method=False, namespace=False, grad_name="ViewBackward0")
def interleaved(input: Node, repeats: int, dim: int | None = None) -> Node:
    """Each element ``repeats`` times in a row, along ``dim`` or in one dimension."""
    x = movement.reshape(input, (input.type.size,)) if dim is None else input
    axis = normal_dim(dim or 0, x.rank)
    shape = x.shape
    x = movement.reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    x = movement.expand(x, (*shape[: axis + 1], repeats, *shape[axis + 1 :]))
    return movement.reshape(x, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))


@function()
def flip(input: Node, dims: Sequence[int]) -> Node:
    """Reversed along the dimensions."""
    axes = tuple(sorted(normal_dim(d, input.rank) for d in dims))
    if len(set(axes)) < len(axes):
        raise GraphcRuntimeError(f"dim {axes[0]} appears multiple times in the list of dims")
    return movement.Flip(axes)(input) if axes and input.rank else input


@function(grad_name="FlipBackward0")
def fliplr(input: Node) -> Node:
    """Columns in reverse order."""
    if input.rank < 2:
        raise GraphcRuntimeError("Input must be >= 2-d.")
    return flip(input, (1,))


@function(grad_name="FlipBackward0")
def flipud(input: Node) -> Node:
    """Rows in reverse order."""
    if input.rank < 1:
        raise GraphcRuntimeError("Input must be >= 1-d.")
    return flip(input, (0,))


@function()
def roll(input: Node, shifts: Extents, dims: Extents | None = None) -> Node:
    """Moved on by ``shifts``; what leaves at the end comes in at the beginning."""
    moves = list(shifts) if isinstance(shifts, Sequence) else [shifts]
    if dims is None or dims == ():
        flat = movement.reshape(input, (input.type.size,))
        return movement.reshape(roll(flat, moves, [0]), input.shape)
    axes = list(dims) if isinstance(dims, Sequence) else [dims]
    if len(axes) != len(moves):
        raise GraphcRuntimeError(
            f"shifts and dimensions must align. shifts: {len(moves)}, dims:{len(axes)}"
        )
    x = input
    for move, dim in zip(moves, axes, strict=True):
        axis = normal_dim(dim, x.rank)
        extent = x.shape[axis]
        start = -move % extent if extent else 0
        if start:
            x = movement.Concat(axis)(cut(x, axis, start, extent), cut(x, axis, 0, start))
    return x


@function()
def rot90(input: Node, k: int = 1, dims: Sequence[int] = (0, 1)) -> Node:
    """Turned ``k`` times by a quarter from the first of ``dims`` towards the second."""
    a, b = (normal_dim(d, input.rank) for d in dims)
    if a == b:
        raise GraphcRuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    order = list(range(input.rank))
    order[a], order[b] = b, a
    turns = k % 4
    if turns == 2:
        return flip(input, (a, b))
    if turns == 1:
        return movement.permute(flip(input, (b,)), tuple(order))
    return flip(movement.permute(input, tuple(order)), (b,)) if turns else input


@function(namespace=False)
def unfold(input: Node, dimension: int, size: int, step: int) -> Node:
    """All windows of ``size`` along a dimension, every ``step``-th; their elements go last."""
    axis = normal_dim(dimension, input.rank)
    extent = input.shape[axis] if input.rank else 1
    if size > extent:
        raise GraphcRuntimeError(
            f"maximum size for tensor at dimension {axis} is {extent} but size is {size}"
        )
    if step < 1:
        raise GraphcRuntimeError(f"step is {step} but must be > 0")
    if not input.rank:
        return movement.reshape(input, (1,))
    count = (extent - size) // step + 1
    starts = movement.reshape(counted(count, step=step), (count, 1))
    windows = taken(input, starts + counted(size), axis)
    order = [d for d in range(windows.rank) if d != axis + 1]
    return movement.permute(windows, (*order, axis + 1))


@function(method=False, grad_name="ExpandBackward0")
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Node, ...]:
    """Coordinate matrices: the i-th tensor varies along the i-th dimension."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    if indexing not in ("ij", "xy"):
        raise GraphcRuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    for x in given:
        if x.rank > 1:
            raise GraphcRuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x.type}"
            )
        if x.dtype is not given[0].dtype:
            raise GraphcRuntimeError("meshgrid expects all tensors to have the same dtype")
    shape = tuple(x.type.size for x in given)
    grids = []
    for i, x in enumerate(given):
        own = tuple(n if d == i else 1 for d, n in enumerate(shape))
        grids.append(movement.expand(movement.reshape(x, own), shape))
    if indexing == "xy" and len(shape) > 1:
        order = (1, 0, *range(2, len(shape)))
        grids = [movement.permute(x, order) for x in grids]
    return tuple(grids)


@function(method=False, grad_name="StackBackward0", same=True)
def cartesian_prod(*tensors: Node) -> Node:
    """All combinations of the elements of vectors, one to a row."""
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors)
    size = grids[0].type.size
    return stack([movement.reshape(x, (size,)) for x in grids], 1)


def _summed_name(input: Any, size: Sequence[int]) -> str:
    return "ViewBackward0" if len(size) < input.rank else "SumBackward1"


@function(namespace=False, grad_name=_summed_name, same=True)
def sum_to_size(input: Node, size: Sequence[int]) -> Node:
    """Summed over the dimensions along which a tensor of ``size`` would be broadcast."""
    target = tuple(size)
    if not expands_to(target, input.shape):
        raise GraphcRuntimeError(
            f"size {{{list(target)}}} is not expandable to size {{{list(input.shape)}}}."
        )
    if target != input.shape and not input.dtype.is_inexact:
        input = cast(input, int64)
    return sum_to(input, target)


@function(method=False, namespace=False, grad_name="ToCopyBackward0")
def converted(input: Node, dtype: Any) -> Node:
    """In another element type."""
    return cast(input, dtype)
