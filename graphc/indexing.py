"""``x[index]`` and ``x[index] = value`` with everything that PyTorch takes as an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import (
    GraphcIndexError,
    GraphcRuntimeError,
    GraphcTypeError,
    GraphcValueError,
)
from graphc.factories import full
from graphc.from_data import held
from graphc.functions.operands import c_type
from graphc.functions.positions import whole
from graphc.ir.dtype import bool_, int32, int64, uint8
from graphc.memory import is_known
from graphc.origins import locating
from graphc.python_data import array_of
from graphc.reading import nonzero_places
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor
from graphc.typename import typename

FULL = slice(None)
MASKS = (bool_, uint8)
LONGEST_TUPLE = 31
"""A longer list is never taken for a tuple of indices."""


class Item(NamedTuple):
    """One item of an index: what makes the view, and a tensor for the dimension it leaves there."""

    basic: Any
    """An integer, a slice, None or ``...``."""
    tensor: Tensor | None = None


@dataclass
class Index:
    """An index in its normal form: first a view, then tensors for some of its dimensions."""

    basic: list[Any] = field(default_factory=list)
    """Integers, slices and None."""
    selects: list[tuple[int, Tensor]] = field(default_factory=list)
    """Integers that are tensors, each with the dimension of the view that it takes away."""
    masks: list[tuple[int, Tensor]] = field(default_factory=list)
    tensors: list[tuple[int, Tensor]] = field(default_factory=list)

    @property
    def is_basic(self) -> bool:
        return not (self.selects or self.masks or self.tensors)


def normal(x: Tensor, given: Any) -> Index:
    """The normal form of an index into ``x``. Raises for what cannot be one."""
    listed = [part for item in _as_tuple(given) for part in _parts(item, x)]
    index = Index()
    dim = axis = 0  # of the view, of x
    for basic, tensor in _for_every_dimension(listed, x.ndim):
        index.basic.append(basic)
        if tensor is not None:
            _take(index, dim, axis, tensor, x)
        dim += basic is None or isinstance(basic, slice)
        axis += basic is not None
    return index


def _as_tuple(given: Any) -> Sequence[Any]:
    """The items of an index; a list that holds more than numbers is taken for a tuple."""
    if isinstance(given, tuple):
        return given
    if isinstance(given, list) and len(given) <= LONGEST_TUPLE:
        for item in given:
            if item is None or item is ... or isinstance(item, slice | Tensor | np.ndarray):
                return given
            if isinstance(item, Sequence):
                return given
    return (given,)


def _for_every_dimension(items: list[Item], rank: int) -> list[Item]:
    """The items with one for every dimension: full slices for ``...`` and at the end."""
    count = len(whole(tuple(item.basic for item in items), rank))
    missing = count - sum(item.basic is not ... for item in items)
    found: list[Item] = []
    for item in items:
        if item.basic is not ...:
            found.append(item)
        else:
            found += [Item(FULL)] * missing
            missing = 0
    return found + [Item(FULL)] * missing


def _parts(item: Any, x: Tensor) -> list[Item]:
    """One of the user's items, as one for each dimension of ``x`` that it is about."""
    if item is None or item is ...:
        return [Item(item)]
    if isinstance(item, bool):
        return [_truth(item)]
    if isinstance(item, slice):
        return [Item(_whole_numbers(item))]
    if isinstance(item, np.ndarray | Sequence):
        item = _listed(item)
    if isinstance(item, Tensor):
        return _of_tensor(item, x)
    if hasattr(item, "__index__") and not isinstance(item, np.bool_):
        return [Item(item.__index__())]
    raise GraphcIndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {_type_name(item)})"
    )


def _of_tensor(item: Tensor, x: Tensor) -> list[Item]:
    if item.dtype in MASKS:
        if not item.ndim:
            return [_truth(bool(item))]
        return [Item(FULL, item), *[Item(FULL)] * (item.ndim - 1)]
    if item.dtype not in (int64, int32):
        raise GraphcIndexError("tensors used as indices must be long, int, byte or bool tensors")
    if not item.ndim and is_known(item) and not x.requires_grad:
        return [Item(int(item))]
    return [Item(FULL, item)]


def _truth(value: bool) -> Item:
    """A new dimension of extent one, or of extent zero for what is false."""
    return Item(None, held(np.zeros(1 if value else 0, np.int64)))


def _listed(item: Any) -> Tensor:
    """Python's and numpy's lists of indices: truth values and bytes as they are, else integers."""
    if isinstance(item, str):
        raise GraphcTypeError("new(): invalid data type 'str'")
    array = array_of(list(item) if isinstance(item, range) else item, None)
    return held(array if array.dtype in (np.bool_, np.uint8) else array.astype(np.int64))


def _whole_numbers(item: slice) -> slice:
    ends = []
    for end in (item.start, item.stop, item.step):
        if end is not None and not hasattr(end, "__index__"):
            raise GraphcTypeError(
                "slice indices must be integers or None or have an __index__ method"
            )
        ends.append(None if end is None else end.__index__())
    if ends[2] == 0:
        raise GraphcValueError("slice step cannot be zero")
    if ends[2] is not None and ends[2] < 0:
        raise GraphcValueError("step must be greater than zero")
    return slice(*ends)


def _take(index: Index, dim: int, axis: int, item: Tensor, x: Tensor) -> None:
    if item.dtype in MASKS:
        for d, n in enumerate(item.shape):
            if n != x.shape[axis + d]:
                raise GraphcIndexError(
                    f"The shape of the mask {list(item.shape)} at index {d} does not match the "
                    f"shape of the indexed tensor {list(x.shape)} at index {axis + d}"
                )
        index.masks.append((dim, _beside(x, item)))
        return
    if index.basic[-1] is not None:
        _check_bounds(item, axis, x.shape[axis])
    (index.tensors if item.ndim else index.selects).append((dim, _beside(x, item)))


def _check_bounds(item: Tensor, axis: int, extent: int) -> None:
    """Raise now for what is known to be out of bounds; the rest is checked when it runs."""
    if not is_known(item):
        return
    array = item._value()
    if array.size and not (-extent <= array.min() and array.max() < extent):
        wrong = array[(array < -extent) | (array >= extent)]
        raise GraphcIndexError(
            f"index {wrong.flat[0]} is out of bounds for dimension {axis} with size {extent}"
        )


def _masks_as_tensors(index: Index) -> list[tuple[int, Tensor]]:
    """The index tensors, those that masks stand for among them."""
    found = list(index.tensors)
    for dim, mask in index.masks:
        found.extend((dim + d, place) for d, place in enumerate(nonzero_places(mask, "indexing")))
    return sorted(found, key=lambda pair: pair[0])


def _beside(x: Tensor, item: Tensor) -> Tensor:
    """Indices on the device of what they index: those on the CPU go along."""
    return item.to(x.device) if item.device.type == "cpu" != x.device.type else item


def _after_selects(x: Tensor, index: Index) -> tuple[Tensor, list[tuple[int, Tensor]]]:
    tensors = _masks_as_tensors(index)
    for dim, item in reversed(index.selects):
        x = LIFTED["index_at"](x, (dim,), item)
        tensors = [(d - (d > dim), other) for d, other in tensors]
    return x, tensors


@locating("getitem")
def getitem(x: Tensor, given: Any) -> Tensor:
    """``x[given]``: a view for integers, slices, None and ``...``, otherwise a copy."""
    kind = type(given)
    if kind is int or given is None or given is ...:
        return LIFTED["basic_index"](x, given)  # type: ignore[no-any-return]
    index = normal(x, given)
    view: Tensor = LIFTED["basic_index"](x, *_short(index.basic, given))
    if index.is_basic:
        return view
    view, tensors = _after_selects(view, index)
    if not tensors:
        return view
    dims, items = zip(*tensors, strict=True)
    return LIFTED["index_at"](view, dims, *items)  # type: ignore[no-any-return]


def _short(basic: list[Any], given: Any) -> list[Any]:
    """One slice stays one item, as the user wrote it."""
    return basic[:1] if isinstance(given, slice) else basic


@locating("setitem")
def setitem(x: Tensor, given: Any, value: Any) -> None:
    """``x[given] = value``, written into the memory of ``x``."""
    _check_value(x, value)
    index = normal(x, given)
    view: Tensor = LIFTED["basic_index"](x, *_short(index.basic, given))
    if index.is_basic:
        if isinstance(value, Tensor):
            assign(view, LIFTED["copy"](view, _spread(value, view)), "copy_")
        else:
            assign(view, LIFTED["overwritten"](view, value), "fill_")
        return
    if all(item == FULL for item in index.basic):
        view = x
    if not isinstance(value, Tensor):
        value = full((), value, dtype=view.dtype, device=view.device)
    if not value.ndim:
        value = _beside(view, value)
    if _masked_whole(index, value, view):
        ((dim, mask),) = index.masks
        assign(view, LIFTED["put_where"](view, mask.bool(), dim, value), "index_put_")
        return
    tensors = sorted([*_masks_as_tensors(index), *index.selects], key=lambda pair: pair[0])
    dims, items = zip(*tensors, strict=True)
    assign(view, LIFTED["put_at"](view, dims, value, False, *items), "index_put_")


def _spread(value: Tensor, view: Tensor) -> Tensor:
    """The value in the shape of the view, without leading extents of one that the view has not."""
    shape = tuple(value.shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    value = value if shape == value.shape else value.reshape(shape)
    return value if shape == view.shape else value.expand(view.shape)


def _masked_whole(index: Index, value: Tensor, view: Tensor) -> bool:
    """Whether the write is that of one mask and needs to know no more than the mask."""
    if len(index.masks) != 1 or index.tensors or index.selects:
        return False
    ((dim, mask),) = index.masks
    if prod(value.shape) == 1:
        if mask.dtype is not bool_:
            raise GraphcRuntimeError(
                "masked_fill_ only supports boolean masks, but got mask with dtype "
                f"{c_type(mask.dtype)}"
            )
        return True
    after = view.ndim - dim - mask.ndim
    fits = value.ndim <= after and _fits(value, view, after)
    return fits and value.dtype is view.dtype


def _fits(value: Tensor, view: Tensor, after: int) -> bool:
    pairs = zip(reversed(value.shape), reversed(view.shape[view.ndim - after :]), strict=False)
    return all(m in (1, n) for m, n in pairs)


def _check_value(x: Tensor, value: Any) -> None:
    if not isinstance(value, Tensor | bool | int | float | complex | np.integer):
        raise GraphcTypeError(f"can't assign a {_type_name(value)} to a {typename(x)}")


def _type_name(value: Any) -> str:
    kind = type(value)
    return f"numpy.{kind.__name__}" if kind.__module__ == "numpy" else kind.__name__


def index_put(
    self: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy with ``values`` written, or added, at index tensors for the leading dimensions."""
    index = normal(self, tuple(FULL if item is None else item for item in indices))
    if not index.masks and not index.tensors and not index.selects:
        raise GraphcIndexError("at least one index tensor is needed")
    tensors = sorted([*_masks_as_tensors(index), *index.selects], key=lambda pair: pair[0])
    dims, items = zip(*tensors, strict=True)
    values = values if values.ndim else _beside(self, values)
    return LIFTED["put_at"](self, dims, values, accumulate, *items)  # type: ignore[no-any-return]


def index_put_(
    self: Tensor, indices: Sequence[Any], values: Tensor, accumulate: bool = False
) -> Tensor:
    """``values`` written, or added, in place at index tensors for the leading dimensions."""
    return assign(self, index_put(self, indices, values, accumulate), "index_put_")
