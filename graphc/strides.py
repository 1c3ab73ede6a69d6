"""Where the elements of a tensor lie in the memory it looks into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.device_memory import address_of, device_of
from graphc.ir.types import Shape, contiguous
from graphc.recording import root_of
from graphc.storage import Array

if TYPE_CHECKING:
    from graphc.tensor import Tensor

STRICT_VIEWS = frozenset({"view", "view_as", "view_as_complex"})
"""Functions that raise where the result cannot share memory with the operand."""


def _reshaped(array: Array, op: Any) -> Array:
    """The same memory in another shape; an AttributeError where there is no such view."""
    view = array.view()
    view.shape = op.shape
    return view


def _sliced(array: Array, op: Any) -> Array:
    return array[tuple(map(slice, op.starts, op.stops, op.steps))]


def _strided(array: Array, op: Any) -> Array:
    distances = tuple(array.strides[0] * n for n in op.strides)
    return np.lib.stride_tricks.as_strided(array[op.offset :], op.size, distances)


def _as_real(array: Array, op: Any) -> Array:
    return array[..., None].view(np.dtype(f"f{array.itemsize // 2}"))


def _as_complex(array: Array, op: Any) -> Array:
    """An AttributeError where the parts of a number do not lie as they would in memory."""
    whole = 2 * array.itemsize
    if array.strides[-1] != array.itemsize or any(n % whole for n in array.strides[:-1]):
        raise AttributeError
    return array.view(np.dtype(f"c{array.itemsize * 2}"))[..., 0]


HOST_VIEWS: dict[str, Any] = {
    "detach": lambda array, op: array,
    "variable": lambda array, op: array,
    "expand": lambda array, op: np.broadcast_to(array, op.shape),
    "permute": lambda array, op: array.transpose(op.dims),
    "slice": _sliced,
    "reshape": _reshaped,
    "strided": _strided,
    "real": lambda array, op: array.real,
    "imag": lambda array, op: array.imag,
    "view_as_real": _as_real,
    "view_as_complex": _as_complex,
}
"""How numpy looks through each view op into the same memory."""


def seen_through(array: Array, chain: Iterable[Any]) -> Array | None:
    """``array`` through view ops, or None where that needs a copy."""
    if device_of(array) != "cpu":
        return _seen_on_device(array, chain)  # type: ignore[no-any-return]
    for op in chain:
        look = HOST_VIEWS.get(op.name)
        if look is None:
            return None
        try:
            array = look(array, op)
        except AttributeError:
            return None
    return array


def _seen_on_device(array: Any, chain: Iterable[Any]) -> Any:
    """A device's array through view ops: how they lead through one of numpy's of its layout."""
    start = _stand_in(array.shape, array.strides, array.dtype)
    view = seen_through(start, chain)
    if view is None:
        return None
    offset = address_of(view) - address_of(start)
    return array.seen(offset, view.shape, view.strides, view.dtype)


def strided_view(array: Any, offset: int, shape: Shape, strides: Shape) -> Any:
    """A view of an array of one dimension from ``offset`` on, by strides in elements."""
    distances = tuple(n * array.itemsize for n in strides)
    if device_of(array) != "cpu":
        return array.seen(offset * array.itemsize, shape, distances, array.dtype)
    return np.lib.stride_tricks.as_strided(array[offset:], shape, distances)


def _stand_in(shape: Shape, strides: Shape, dtype: np.dtype[Any]) -> Array:
    """An array of this layout, strides in bytes, over no memory of that size; never read."""
    return np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, strides)


def _root_array(tensor: Tensor) -> Array:
    """An array laid out as the tensor whose memory ``tensor`` looks into."""
    base = root_of(tensor)
    root = tensor if base is None else base
    storage = root._storage
    if storage is None:
        shape, size = root._type.shape, root.dtype.itemsize
        strides = tuple(n * size for n in contiguous(shape))
        return _stand_in(shape, strides, root.dtype.numpy)
    return _stand_in(storage.array.shape, storage.array.strides, storage.array.dtype)


def strides_of(tensor: Tensor) -> Shape:
    """The distance in memory, in elements, between neighbours along each dimension."""
    if tensor._base is None and tensor._storage is None:
        return contiguous(tensor._type.shape)
    view = seen_through(_root_array(tensor), tensor._chain)
    if view is None:
        return contiguous(tensor._type.shape)
    return tuple(n // view.itemsize for n in view.strides)


def offset_of(tensor: Tensor) -> int:
    """Where in memory the first element lies, in elements from the first one there."""
    start = _root_array(tensor)
    view = seen_through(start, tensor._chain)
    return 0 if view is None else (address_of(view) - address_of(start)) // view.itemsize


def is_contiguous(tensor: Tensor) -> bool:
    """Whether the elements lie in memory in order and without gaps."""
    if tensor._base is None:
        return tensor._storage is None or tensor._storage.array.flags.c_contiguous
    shape = tensor._type.shape
    ordered = zip(shape, strides_of(tensor), contiguous(shape), strict=True)
    return 0 in shape or all(n == 1 or a == b for n, a, b in ordered)


def can_view(source: Tensor, chain: Sequence[Any]) -> bool:
    """Whether the view ops lead from ``source`` to elements of the same memory."""
    if all(op.name not in ("reshape", "view_as_complex") for op in chain):
        return True
    if len(chain) == 1 and source._base is None and source._storage is None:
        return True
    return seen_through(_root_array(source), (*source._chain, *chain)) is not None
