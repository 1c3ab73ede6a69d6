"""Views of memory by distances in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.arguments import checked
from graphc.errors import GraphcRuntimeError
from graphc.factories import zeros
from graphc.from_data import as_leaf
from graphc.functions.reduction import normal_dim
from graphc.in_place import check_leaf
from graphc.ir.dtype import DType
from graphc.ir.node import recording
from graphc.recording import root_of
from graphc.shape_changes import become
from graphc.strides import is_contiguous, offset_of, strides_of
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A view of the memory behind a tensor, with its own extents and distances."""
    base = root_of(input)
    root = input if base is None else base
    begin = offset_of(input)
    offset = begin if storage_offset is None else storage_offset
    if root.requires_grad and not input.requires_grad:
        root = root.detach()
    elif input.requires_grad and not root.requires_grad:
        # A leaf that is a view: a gradient is that of what it shows of the memory.
        root, offset = input, offset - begin
    return LIFTED["strided"](_memory(root), size, stride, offset)  # type: ignore[no-any-return]


def _memory(root: Tensor) -> Tensor:
    """The elements in the order in which they lie in memory."""
    if not is_contiguous(root):
        strides = strides_of(root)
        root = root.permute(sorted(range(root.ndim), key=lambda axis: -strides[axis]))
        if not is_contiguous(root):
            raise GraphcRuntimeError("as_strided: the memory has gaps, which are not to be seen")
    return LIFTED["reshape"](root, (-1,))  # type: ignore[no-any-return]


def as_strided_(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """``as_strided``, in place: the memory stays, the shape changes."""
    if recording.grad_enabled:
        check_leaf(input)
    become(input, lambda x: as_strided(x, size, stride, storage_offset))
    if input.requires_grad:
        input._grad_name = "AsStridedBackward1"
    return input


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose numbers nobody should rely on, with these distances in memory."""
    reach = sum(step * (n - 1) for n, step in zip(size, stride, strict=True))
    memory = zeros(0 if 0 in size else reach + 1, dtype=dtype, device=device)
    return as_leaf(as_strided(memory, size, stride), requires_grad)


def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose numbers nobody should rely on, its dimensions in this order in memory."""
    memory = zeros([size[axis] for axis in physical_layout], dtype=dtype, device=device)
    order = sorted(range(len(size)), key=lambda place: physical_layout[place])
    return as_leaf(memory.permute(order), requires_grad)


def _new_empty_strided(
    self: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    dtype: DType | None = None,
    **settings: Any,
) -> Tensor:
    """``empty_strided`` in the type of this tensor."""
    return empty_strided(size, stride, dtype=dtype or self.dtype, **settings)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal over two dimensions, which goes last; a view in any layout."""
    if input.ndim < 2 or is_contiguous(input):
        return LIFTED["diagonal"](input, offset, dim1, dim2)  # type: ignore[no-any-return]
    a, b = normal_dim(dim1, input.ndim), normal_dim(dim2, input.ndim)
    if a == b:
        raise GraphcRuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    shape, strides = input.shape, strides_of(input)
    down, right = max(-offset, 0), max(offset, 0)
    count = max(0, min(shape[a] - down, shape[b] - right))
    rest = [axis for axis in range(input.ndim) if axis not in (a, b)]
    made = as_strided(
        input,
        [*(shape[axis] for axis in rest), count],
        [*(strides[axis] for axis in rest), strides[a] + strides[b]],
        offset_of(input) + (down * strides[a] + right * strides[b] if count else 0),
    )
    if made.requires_grad:
        made._grad_name = "DiagonalBackward0"
    return made


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows along a dimension, which overlap in memory as they do there."""
    copy: Tensor = LIFTED["unfold"](input, dimension, size, step)
    if input.requires_grad or not input.ndim:
        return copy
    axis = normal_dim(dimension, input.ndim)
    strides = list(strides_of(input))
    inner = strides[axis]
    strides[axis] *= step
    return as_strided(input, copy.shape, [*strides, inner])


NAMESPACE: dict[str, Any] = {
    f.__name__: checked(f)
    for f in (as_strided, as_strided_, diagonal, empty_strided, empty_permuted)
}
"""What the package offers by name."""
METHODS: dict[str, Any] = {
    **{f.__name__: checked(f, method=True) for f in (as_strided, as_strided_, diagonal, unfold)},
    "new_empty_strided": _new_empty_strided,
}
"""What tensors offer."""
