"""Views and joins as the user calls them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.functions.reduction import normal_dim
from graphc.ir.node import Node
from graphc.ops import movement
from graphc.ops.function import function


def sizes(given: tuple[int | Sequence[int], ...]) -> tuple[int, ...]:
    """Extents given one by one or as one sequence."""
    if len(given) == 1 and not isinstance(given[0], int):
        return tuple(given[0])
    return tuple(int(n) for n in given)  # type: ignore[arg-type]


def completed(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """``shape`` with its one -1 replaced by what makes it hold ``size`` elements."""
    if shape.count(-1) > 1:
        raise GraphcRuntimeError("only one dimension can be inferred")
    if -1 in shape:
        rest = prod(n for n in shape if n != -1)
        if rest and size % rest == 0:
            return tuple(size // rest if n == -1 else n for n in shape)
    if -1 in shape or prod(shape) != size or any(n < 0 for n in shape):
        raise GraphcRuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


@function(view=True, grad_name="ViewBackward0")
def reshape(input: Node, *shape: int | Sequence[int]) -> Node:
    """The same elements in another shape; one extent may be -1."""
    return movement.reshape(input, completed(sizes(shape), input.type.size))


@function(view=True)
def view(input: Node, *shape: int | Sequence[int]) -> Node:
    """The same elements in another shape; one extent may be -1."""
    return reshape(input, *shape)


@function("swapaxes", "swapdims", view=True)
def transpose(input: Node, dim0: int, dim1: int) -> Node:
    """Two dimensions exchanged."""
    order = list(range(input.rank))
    a, b = normal_dim(dim0, input.rank), normal_dim(dim1, input.rank)
    if order:
        order[a], order[b] = order[b], order[a]
    return movement.permute(input, tuple(order))


@function(view=True)
def t(input: Node) -> Node:
    """The transpose of a matrix; a vector stays as it is."""
    if input.rank > 2:
        raise GraphcRuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.rank}D")
    return movement.permute(input, tuple(reversed(range(input.rank))))


@function(view=True)
def permute(input: Node, *dims: int | Sequence[int]) -> Node:
    """The dimensions in another order."""
    order = tuple(normal_dim(d, input.rank) for d in sizes(dims))
    if sorted(order) != list(range(input.rank)):
        raise GraphcRuntimeError(f"permute(sparse_coo): number of dimensions in the tensor input ({input.rank}) does not match {dims}")
    return movement.permute(input, order)
