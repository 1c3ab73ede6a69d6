"""Views as the user calls them: the same elements under other indices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index as integer
from typing import Any

from graphc.errors import GraphcIndexError, GraphcRuntimeError, GraphcTypeError
from graphc.functions.reduction import normal_dim
from graphc.ir.node import Node, Op
from graphc.ir.types import Shape, broadcast_shapes
from graphc.ops import movement
from graphc.ops.function import function

Extents = int | Sequence[int]


def sizes(given: Sequence[Any], name: str = "size") -> Shape:
    """Extents given one by one or as one sequence."""
    if len(given) == 1 and isinstance(given[0], Sequence) and not isinstance(given[0], str):
        given = given[0]
    try:
        return tuple(integer(n) for n in given)
    except TypeError:
        wrong = next(n for n in given if not hasattr(n, "__index__"))
        raise GraphcTypeError(
            f"argument '{name}' must be tuple of ints, but found element of type "
            f"{type(wrong).__name__}"
        ) from None


def completed(shape: Shape, size: int) -> Shape:
    """``shape`` with its one -1 replaced by what makes it hold ``size`` elements."""
    if shape.count(-1) > 1:
        raise GraphcRuntimeError("only one dimension can be inferred")
    if -1 in shape:
        rest = prod(n for n in shape if n != -1)
        if not rest and not size:
            raise GraphcRuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if rest and size % rest == 0:
            return tuple(size // rest if n == -1 else n for n in shape)
    if -1 in shape or prod(shape) != size or any(n < 0 for n in shape):
        raise GraphcRuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


@function(view=True, grad_name="ViewBackward0")
def reshape(input: Node, *shape: Extents) -> Node:
    """The same elements in another shape; one extent may be -1."""
    return movement.reshape(input, completed(sizes(shape, "shape"), input.type.size))


@function(view=True, grad_name="ViewBackward0", namespace=False)
def view(input: Node, *shape: Extents) -> Node:
    """The same memory in another shape; one extent may be -1."""
    return reshape(input, *shape)


@function(view=True, grad_name="ViewBackward0", namespace=False)
def view_as(input: Node, other: Node) -> Node:
    """The same memory in the shape of ``other``."""
    return reshape(input, other.shape)


@function(view=True, grad_name="ViewBackward0", namespace=False)
def reshape_as(input: Node, other: Node) -> Node:
    """The same elements in the shape of ``other``."""
    return reshape(input, other.shape)


@function(view=True, grad_name="ViewBackward0")
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


@function(view=True)
def squeeze(input: Node, dim: int | Sequence[int] | None = None) -> Node:
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
        raise GraphcRuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.rank}D"
        )
    return movement.permute(input, tuple(reversed(range(input.rank))))


@function(view=True, namespace=False, grad_name="TransposeBackward0")
def adjoint(input: Node) -> Node:
    """The last two dimensions exchanged."""
    if input.rank < 2:
        raise GraphcRuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got "
            f"{input.rank}-D tensor."
        )
    return transpose(input, -2, -1)


@function(view=True)
def permute(input: Node, *dims: Extents) -> Node:
    """The dimensions in another order."""
    given = sizes(dims, "dims")
    if len(given) != input.rank:
        raise GraphcRuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length of the desired ordering of dimensions i.e. input.dim() = "
            f"{input.rank} is not equal to len(dims) = {len(given)}"
        )
    order = tuple(normal_dim(d, input.rank) for d in given)
    if len(set(order)) < len(order):
        raise GraphcRuntimeError("permute(): duplicate dims are not allowed.")
    return movement.permute(input, order)


@function("moveaxis", view=True, grad_name="PermuteBackward0")
def movedim(input: Node, source: Extents, destination: Extents) -> Node:
    """The dimensions ``source`` moved to ``destination``, the others in their order."""
    start, end = (
        [normal_dim(d, input.rank) for d in (x if isinstance(x, Sequence) else [x])]
        for x in (source, destination)
    )
    if len(start) != len(end):
        raise GraphcRuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({start} dims) should contain the same number of dims as destination ({end} dims)"
        )
    rest = iter([d for d in range(input.rank) if d not in start])
    moved = dict(zip(end, start, strict=True))
    order = [moved[d] if d in moved else next(rest) for d in range(input.rank)]
    return movement.permute(input, tuple(order))


@function(view=True, namespace=False)
def expand(input: Node, *size: Extents, implicit: bool = False) -> Node:
    """Dimensions of extent one repeated without a copy; -1 leaves an extent as it is."""
    target = sizes(size)
    lead = len(target) - input.rank
    if lead < 0:
        raise GraphcRuntimeError(
            f"expand: the number of sizes provided ({len(target)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({input.rank})"
        )
    shape = []
    for axis, n in enumerate(target):
        own = input.shape[axis - lead] if axis >= lead else None
        if n == -1 and own is None:
            raise GraphcRuntimeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing "
                f"dimension {axis}"
            )
        if own not in (None, 1, n) and n != -1:
            raise GraphcRuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({own}) at "
                f"non-singleton dimension {axis}.  Target sizes: {list(target)}.  Tensor sizes: "
                f"{list(input.shape)}"
            )
        shape.append(own if n == -1 and own is not None else n)
    return movement.expand(input, tuple(shape))


@function(view=True, namespace=False, grad_name="ExpandBackward0")
def expand_as(input: Node, other: Node) -> Node:
    """Expanded to the shape of ``other``."""
    return expand(input, other.shape)


@function(view=True, grad_name="ExpandBackward0")
def broadcast_to(input: Node, size: Sequence[int]) -> Node:
    """Expanded to ``size``."""
    return expand(input, size)


@function(method=False, grad_name="ExpandBackward0")
def broadcast_tensors(*tensors: Node) -> tuple[Node, ...]:
    """Every tensor expanded to the shape that all broadcast to."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    shape = broadcast_shapes(*(x.shape for x in given))
    return tuple(movement.expand(x, shape) for x in given)


def cut(x: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """The elements of ``x`` from ``start`` to before ``stop`` along one dimension."""
    if (start, stop, step) == (0, x.shape[axis], 1):
        return x
    ranges = [(0, n, 1) for n in x.shape]
    ranges[axis] = (start, stop, step)
    starts, stops, steps = zip(*ranges, strict=True)
    return movement.Slice(starts, stops, steps)(x)


@function(view=True)
def narrow(input: Node, dim: int, start: int, length: int) -> Node:
    """``length`` elements from ``start`` on along ``dim``."""
    axis = _axis("narrow", dim, input)
    extent = input.shape[axis]
    if not -extent <= start <= extent:
        raise GraphcIndexError(
            f"Dimension out of range (expected to be in range of [{-extent}, {extent}], "
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
    if not x.rank:
        raise GraphcRuntimeError(f"{name}() cannot be applied to a 0-dim tensor.")
    return normal_dim(dim, x.rank)


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


@function(view=True)
def split(input: Node, split_size: Extents, dim: int = 0) -> tuple[Node, ...]:
    """Pieces of ``split_size`` along ``dim``, the last one perhaps smaller, or of the sizes given."""
    axis = _axis("split", dim, input)
    extent = input.shape[axis]
    if isinstance(split_size, Sequence):
        if sum(split_size) != extent or any(n < 0 for n in split_size):
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
            "split_size can only be 0 if dimension size is 0, but got dimension size of "
            f"{extent}"
        )
    count = max(1, -(-extent // split_size)) if split_size else 1
    lengths = [min(split_size, extent - i * split_size) for i in range(count)]
    return _pieces(input, axis, lengths)


@function(view=True, grad_name="SplitWithSizesBackward0")
def split_with_sizes(input: Node, split_sizes: Sequence[int], dim: int = 0) -> tuple[Node, ...]:
    """Pieces of the sizes given along ``dim``."""
    return split(input, list(split_sizes), dim)


@function("unsafe_chunk", view=True, grad_name="SplitBackward0")
def chunk(input: Node, chunks: int, dim: int = 0) -> tuple[Node, ...]:
    """At most ``chunks`` pieces of equal size along ``dim``, the last one perhaps smaller."""
    axis = _axis("chunk", dim, input)
    if chunks < 1:
        raise GraphcRuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    extent = input.shape[axis]
    if not extent:
        return _pieces(input, axis, [0] * chunks)
    return split(input, -(-extent // chunks), axis)


@function(view=True, grad_name="SliceBackward0")
def tensor_split(
    input: Node, indices_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Node, ...]:
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


def _declare_split(name: str, axis: int) -> None:
    def call(input: Node, indices_or_sections: int | Sequence[int]) -> tuple[Node, ...]:
        least = axis + 1
        if input.rank < least:
            raise GraphcRuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension"
                f"{'s' if least > 1 else ''}, but got a tensor with {input.rank} dimensions!"
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
    function(view=True)(call)


_declare_split("vsplit", 0)
_declare_split("dsplit", 2)


@function(view=True)
def hsplit(input: Node, indices_or_sections: int | Sequence[int]) -> tuple[Node, ...]:
    """``tensor_split`` along dimension 1, of a vector along its one."""
    return tensor_split(input, indices_or_sections, 0 if input.rank == 1 else 1)


@function(view=True)
def diagonal(input: Node, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The diagonal over two dimensions, which goes last."""
    a, b = normal_dim(dim1, input.rank), normal_dim(dim2, input.rank)
    if a == b:
        raise GraphcRuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    rest = tuple(axis for axis in range(input.rank) if axis not in (a, b))
    lead = tuple(input.shape[axis] for axis in rest)
    rows, columns = input.shape[a], input.shape[b]
    count = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    flat = movement.reshape(movement.permute(input, (*rest, a, b)), (*lead, rows * columns))
    first = offset if offset >= 0 else -offset * columns
    stop = first + (count - 1) * (columns + 1) + 1 if count else first
    return cut(flat, flat.rank - 1, min(first, rows * columns), stop, columns + 1)


@function(view=True, namespace=False)
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
    function(method=False, grad_name="ViewBackward0")(call)


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
