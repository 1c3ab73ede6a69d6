"""Parts of a tensor as the user calls them: views of some of its elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import GraphcIndexError, GraphcRuntimeError
from graphc.functions.reduction import normal_dim
from graphc.functions.shaping import Extents
from graphc.ir.node import Node
from graphc.ops import movement
from graphc.ops.function import function

Cuts = int | Sequence[int]
"""How many pieces, or where they end; a tensor of one dimension may say so too."""


def cut(x: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """The elements of ``x`` from ``start`` to before ``stop`` along one dimension."""
    if (start, stop, step) == (0, x.shape[axis], 1):
        return x
    ranges = [(0, n, 1) for n in x.shape]
    ranges[axis] = (start, stop, step)
    starts, stops, steps = zip(*ranges, strict=True)
    return movement.Slice(starts, stops, steps)(x)


@function(view=True, grad_name="SliceBackward0")
def narrow(input: Node, dim: int, start: int, length: int) -> Node:
    """``length`` elements from ``start`` on along ``dim``."""
    axis = _axis("narrow", dim, input)
    extent = input.shape[axis]
    if not -extent <= start <= extent:
        raise GraphcIndexError(
            f"start out of range (expected to be in range of [{-extent}, {extent}], "
            f"but got {start})"
        )
    first = start + extent if start < 0 else start
    if length < 0:
        raise GraphcRuntimeError("narrow(): length must be non-negative.")
    if first + length > extent:
        raise GraphcRuntimeError(
            f"start ({first}) + length ({length}) exceeds dimension size ({extent})."
        )
    return cut(input, axis, first, first + length)


def _axis(name: str, dim: int, x: Node) -> int:
    if x.rank:
        return normal_dim(dim, x.rank)
    if name in ("split", "chunk"):
        raise GraphcRuntimeError(f"{name} expects at least a 1-dimensional tensor")
    if name == "unbind":
        raise GraphcIndexError("Dimension specified as 0 but tensor has no dimensions")
    raise GraphcRuntimeError(f"{name}() cannot be applied to a 0-dim tensor.")


@function(view=True)
def select(input: Node, dim: int, index: int) -> Node:
    """The elements at ``index`` along ``dim``, which goes."""
    if not input.rank:
        raise GraphcIndexError("select() cannot be applied to a 0-dim tensor.")
    axis = normal_dim(dim, input.rank)
    extent = input.shape[axis]
    if not -extent <= index < extent:
        raise GraphcIndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {axis}"
        )
    first = index % extent
    row = cut(input, axis, first, first + 1)
    return movement.reshape(row, (*input.shape[:axis], *input.shape[axis + 1 :]))


@function(view=True)
def unbind(input: Node, dim: int = 0) -> tuple[Node, ...]:
    """The elements along ``dim``, each a tensor without it."""
    axis = _axis("unbind", dim, input)
    return tuple(select(input, axis, i) for i in range(input.shape[axis]))


def _pieces(x: Node, axis: int, lengths: Sequence[int]) -> tuple[Node, ...]:
    pieces, begin = [], 0
    for length in lengths:
        pieces.append(cut(x, axis, begin, begin + length))
        begin += length
    return tuple(pieces)


def _split_name(input: Any, split_size: Any, dim: int = 0) -> str:
    return f"Split{'WithSizes' if isinstance(split_size, Sequence) else ''}Backward0"


@function(view=True, grad_name=_split_name)
def split(input: Node, split_size: Extents, dim: int = 0) -> tuple[Node, ...]:
    """Pieces of ``split_size`` along ``dim``, the last perhaps smaller, or of the sizes given."""
    axis = _axis("split", dim, input)
    extent = input.shape[axis]
    if isinstance(split_size, Sequence):
        if any(n < 0 for n in split_size):
            raise GraphcRuntimeError(
                "split_with_sizes expects split_sizes have only non-negative entries, but got "
                f"split_sizes={list(split_size)}"
            )
        if sum(split_size) != extent:
            raise GraphcRuntimeError(
                "split_with_sizes expects split_sizes to sum exactly to "
                f"{extent} (input tensor's size at dimension {axis}), but got split_sizes="
                f"{list(split_size)}"
            )
        return _pieces(input, axis, split_size)
    if split_size < 0:
        raise GraphcRuntimeError(
            f"split expects split_size be non-negative, but got split_size={split_size}"
        )
    if split_size == 0 and extent:
        raise GraphcRuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {extent}"
        )
    count = max(1, -(-extent // split_size)) if split_size else 1
    lengths = [min(split_size, extent - i * split_size) for i in range(count)]
    return _pieces(input, axis, lengths)


@function(view=True, grad_name="SplitWithSizesBackward0")
def split_with_sizes(input: Node, split_sizes: Sequence[int], dim: int = 0) -> tuple[Node, ...]:
    """Pieces of the sizes given along ``dim``."""
    return split(input, list(split_sizes), dim)


def _chunk_name(input: Any, chunks: int, dim: int = 0) -> str:
    return "SplitBackward0" if input.shape[dim] else "SplitWithSizesBackward0"


@function(view=True, grad_name=_chunk_name)
def chunk(input: Node, chunks: int, dim: int = 0) -> tuple[Node, ...]:
    """At most ``chunks`` pieces of equal size along ``dim``, the last one perhaps smaller."""
    axis = _axis("chunk", dim, input)
    if chunks < 1:
        raise GraphcRuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    extent = input.shape[axis]
    if not extent:
        return _pieces(input, axis, [0] * chunks)
    return split(input, -(-extent // chunks), axis)


@function(view=True)
def unsafe_split(input: Node, split_size: int, dim: int = 0) -> tuple[Node, ...]:
    """``split`` with a number, whose pieces may be written to."""
    return split(input, split_size, dim)


@function(view=True)
def unsafe_split_with_sizes(
    input: Node, split_sizes: Sequence[int], dim: int = 0
) -> tuple[Node, ...]:
    """``split_with_sizes``, whose pieces may be written to."""
    return split(input, list(split_sizes), dim)


@function(view=True, grad_name="UnsafeSplitBackward0")
def unsafe_chunk(input: Node, chunks: int, dim: int = 0) -> tuple[Node, ...]:
    """``chunk``, whose pieces may be written to."""
    return chunk(input, chunks, dim)


@function(view=True, grad_name="SliceBackward0")
def tensor_split(input: Node, indices_or_sections: Cuts, dim: int = 0) -> tuple[Node, ...]:
    """As many pieces as equal as can be, or pieces that end at the indices."""
    axis = _axis("tensor_split", dim, input)
    extent = input.shape[axis]
    if isinstance(indices_or_sections, int):
        if indices_or_sections < 1:
            raise GraphcRuntimeError(
                f"number of sections must be larger than 0, got {indices_or_sections}"
            )
        least, more = divmod(extent, indices_or_sections)
        return _pieces(input, axis, [least + (i < more) for i in range(indices_or_sections)])
    ends = [slice(0, i).indices(extent)[1] for i in indices_or_sections]
    bounds = zip([0, *ends], [*ends, extent], strict=True)
    return tuple(cut(input, axis, a, max(a, b)) for a, b in bounds)


def _declare_split(name: str, axis: int, rank: int) -> None:
    def call(input: Node, indices_or_sections: Extents) -> tuple[Node, ...]:
        if input.rank < rank:
            raise GraphcRuntimeError(
                f"torch.{name} requires a tensor with at least {rank} dimension, but got a tensor "
                f"with {input.rank} dimensions!"
            )
        dim = 0 if input.rank == 1 else axis
        if isinstance(indices_or_sections, int) and input.shape[dim] % indices_or_sections:
            raise GraphcRuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the "
                f"dimension {input.shape[dim]} is not divisible by the split_size "
                f"{indices_or_sections}!"
            )
        return tensor_split(input, indices_or_sections, dim)

    call.__name__ = name
    call.__doc__ = f"``tensor_split`` along dimension {axis}."
    function(view=True, grad_name="SliceBackward0")(call)


_declare_split("vsplit", 0, 2)
_declare_split("hsplit", 1, 1)
_declare_split("dsplit", 2, 3)
