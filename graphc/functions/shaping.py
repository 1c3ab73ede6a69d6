"""Views as the user calls them: the same elements under other indices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.functions.reduction import normal_dim
from graphc.ir.node import Node, Op
from graphc.ir.types import Shape, broadcast_shapes
from graphc.ops import movement
from graphc.ops.complex import conjugate
from graphc.ops.function import function

Extents = int | Sequence[int]


def completed(shape: Shape, size: int) -> Shape:
    """``shape`` with its one -1 replaced by what makes it hold ``size`` elements."""
    if shape.count(-1) > 1:
        raise GraphcRuntimeError("only one dimension can be inferred")
    for place, n in enumerate(shape):
        if n < -1:
            raise GraphcRuntimeError(
                f"invalid shape dimension {n} at index {place} of shape {list(shape)}"
            )
    if -1 in shape:
        rest = prod(n for n in shape if n != -1)
        if not rest and not size:
            raise GraphcRuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if rest and size % rest == 0:
            return tuple(size // rest if n == -1 else n for n in shape)
    if -1 in shape or prod(shape) != size:
        raise GraphcRuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


@function(view=True, grad_name="ViewBackward0")
def reshape(input: Node, shape: Sequence[int]) -> Node:
    """The same elements in another shape; one extent may be -1."""
    return movement.reshape(input, completed(tuple(shape), input.type.size))


@function(view=True, grad_name="ViewBackward0", namespace=False)
def view(input: Node, size: Sequence[int]) -> Node:
    """The same memory in another shape; one extent may be -1."""
    return reshape(input, size)


@function(view=True, grad_name="ViewBackward0", namespace=False)
def view_as(input: Node, other: Node) -> Node:
    """The same memory in the shape of ``other``."""
    return reshape(input, other.shape)


@function(view=True, grad_name="ViewBackward0", namespace=False)
def reshape_as(input: Node, other: Node) -> Node:
    """The same elements in the shape of ``other``."""
    return reshape(input, other.shape)


@function(view=True, grad_name="ViewBackward0", same=True)
def flatten(input: Node, start_dim: int = 0, end_dim: int = -1) -> Node:
    """The dimensions from ``start_dim`` to ``end_dim`` as one."""
    if not input.rank:
        return movement.reshape(input, (1,))
    first, last = normal_dim(start_dim, input.rank), normal_dim(end_dim, input.rank)
    if first > last:
        raise GraphcRuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    middle = prod(input.shape[first : last + 1])
    return movement.reshape(input, (*input.shape[:first], middle, *input.shape[last + 1 :]))


@function(view=True, grad_name="ViewBackward0")
def unflatten(input: Node, dim: int, sizes: Sequence[int]) -> Node:
    """One dimension as several; one extent may be -1."""
    axis = normal_dim(dim, input.rank)
    try:
        parts = completed(tuple(sizes), input.shape[axis])
    except GraphcRuntimeError:
        raise GraphcRuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim "
            f"{axis} ({input.shape[axis]}) in the input tensor"
        ) from None
    return movement.reshape(input, (*input.shape[:axis], *parts, *input.shape[axis + 1 :]))


@function(view=True, grad_name="ViewBackward0")
def ravel(input: Node) -> Node:
    """All elements in one dimension."""
    return movement.reshape(input, (input.type.size,))


def _squeeze_name(input: Any, dim: Any = None) -> str:
    return f"SqueezeBackward{0 if dim is None else 2 if isinstance(dim, Sequence) else 1}"


@function(view=True, grad_name=_squeeze_name)
def squeeze(input: Node, dim: Extents | None = None) -> Node:
    """Without the dimensions of extent one, or without those of ``dim`` that are."""
    chosen = range(input.rank) if dim is None else dim if isinstance(dim, Sequence) else [dim]
    axes = {normal_dim(axis, input.rank) for axis in chosen}
    kept = (n for axis, n in enumerate(input.shape) if axis not in axes or n != 1)
    return movement.reshape(input, tuple(kept))


@function(view=True)
def unsqueeze(input: Node, dim: int) -> Node:
    """With a new dimension of extent one at ``dim``."""
    axis = normal_dim(dim, input.rank + 1)
    return movement.reshape(input, (*input.shape[:axis], 1, *input.shape[axis:]))


@function("swapdims", view=True)
def transpose(input: Node, dim0: int, dim1: int) -> Node:
    """Two dimensions exchanged."""
    order = list(range(input.rank))
    a, b = normal_dim(dim0, input.rank), normal_dim(dim1, input.rank)
    if order:
        order[a], order[b] = order[b], order[a]
    return movement.permute(input, tuple(order))


@function(view=True, grad_name="TransposeBackward0")
def swapaxes(input: Node, axis0: int, axis1: int) -> Node:
    """Two dimensions exchanged."""
    return transpose(input, axis0, axis1)


@function(view=True)
def t(input: Node) -> Node:
    """The transpose of a matrix; a vector stays as it is."""
    if input.rank > 2:
        raise GraphcRuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.rank}D"
        )
    return movement.permute(input, tuple(reversed(range(input.rank))))


@function(view=True, grad_name="TransposeBackward0")
def adjoint(input: Node) -> Node:
    """The last two dimensions exchanged, of the conjugates."""
    if input.rank < 2:
        raise GraphcRuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got "
            f"{input.rank}-D tensor."
        )
    return conjugate(transpose(input, -2, -1))


@function(view=True)
def permute(input: Node, dims: Sequence[int]) -> Node:
    """The dimensions in another order."""
    if len(dims) != input.rank:
        raise GraphcRuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length of the desired ordering of dimensions i.e. input.dim() = "
            f"{input.rank} is not equal to len(dims) = {len(dims)}"
        )
    axes = tuple(normal_dim(d, input.rank) for d in dims)
    if len(set(axes)) < len(axes):
        raise GraphcRuntimeError("permute(): duplicate dims are not allowed.")
    return movement.permute(input, axes)


@function("moveaxis", view=True, grad_name="PermuteBackward0")
def movedim(input: Node, source: Extents, destination: Extents) -> Node:
    """The dimensions ``source`` moved to ``destination``, the others in their order."""
    given = [list(x) if isinstance(x, Sequence) else [x] for x in (source, destination)]
    start, end = ([normal_dim(d, input.rank) for d in dims] for dims in given)
    if len(start) != len(end):
        raise GraphcRuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({given[0]} dims) should contain the same number of dims as destination "
            f"({given[1]} dims)"
        )
    for label, dims in (("source", start), ("destination", end)):
        if len(set(dims)) < len(dims):
            raise GraphcRuntimeError(f"movedim: repeated dim in `{label}` ({dims})")
    rest = iter([d for d in range(input.rank) if d not in start])
    moved = dict(zip(end, start, strict=True))
    order = [moved[d] if d in moved else next(rest) for d in range(input.rank)]
    return movement.permute(input, tuple(order))


@function(view=True, namespace=False)
def expand(input: Node, size: Sequence[int], *, implicit: bool = False) -> Node:
    """Dimensions of extent one repeated without a copy; -1 leaves an extent as it is."""
    lead = len(size) - input.rank
    if lead < 0:
        raise GraphcRuntimeError(
            f"expand(torch.{C_NAMES[input.dtype.name]}Tensor{{{list(input.shape)}}}, "
            f"size={list(size)}): the number of sizes provided ({len(size)}) must be greater "
            f"or equal to the number of dimensions in the tensor ({input.rank})"
        )
    shape: list[int] = []
    for axis, n in reversed(list(enumerate(size))):
        own = input.shape[axis - lead] if axis >= lead else None
        if n == -1 and own is None:
            raise GraphcRuntimeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing "
                f"dimension {axis}"
            )
        if own not in (None, 1, n) and n != -1:
            raise GraphcRuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({own}) at "
                f"non-singleton dimension {axis}.  Target sizes: {list(size)}.  Tensor sizes: "
                f"{list(input.shape)}"
            )
        shape.append(own if n == -1 and own is not None else n)
    return movement.expand(input, tuple(reversed(shape)))


@function(view=True, namespace=False, grad_name="ExpandBackward0")
def expand_as(input: Node, other: Node) -> Node:
    """Expanded to the shape of ``other``."""
    return expand(input, other.shape)


@function(view=True, grad_name="ExpandBackward0")
def broadcast_to(input: Node, size: Sequence[int]) -> Node:
    """Expanded to ``size``."""
    return expand(input, size)


@function(method=False, grad_name="ExpandBackward0", same=True)
def broadcast_tensors(*tensors: Node) -> tuple[Node, ...]:
    """Every tensor expanded to the shape that all broadcast to."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    shape = broadcast_shapes(*(x.shape for x in given))
    return tuple(movement.expand(x, shape) for x in given)


@function(view=True)
def detach(input: Node) -> Node:
    """The same memory, through which no gradient flows."""
    return Op.registry["detach"]()(input)


def _at_least(name: str, rank: int) -> None:
    def call(*tensors: Any) -> Any:
        given = tensors[0] if len(tensors) == 1 else tensors
        if isinstance(given, list | tuple):
            return tuple(_raised(x, rank) for x in given)
        return _raised(given, rank)

    call.__name__ = name
    call.__doc__ = f"Each tensor with at least {rank} dimension{'s' if rank > 1 else ''}."

    def grad_name(*tensors: Any) -> tuple[str, ...]:
        given = tensors[0] if isinstance(tensors[0], list | tuple) else tensors
        return tuple("UnsqueezeBackward0" if 0 < x.rank < rank else "ViewBackward0" for x in given)

    function(method=False, grad_name=grad_name, same=True)(call)


def _raised(x: Node, rank: int) -> Node:
    if x.rank >= rank:
        return x
    if x.rank == 2:
        return movement.reshape(x, (*x.shape, 1))
    if x.rank == 1 and rank == 3:
        return movement.reshape(x, (1, *x.shape, 1))
    return movement.reshape(x, (1,) * (rank - x.rank) + x.shape)


for _rank in (1, 2, 3):
    _at_least(f"atleast_{_rank}d", _rank)
