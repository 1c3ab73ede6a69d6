"""``x[index]`` and ``x[index] = value`` with everything that PyTorch takes as an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.errors import GraphcIndexError, GraphcTypeError, GraphcValueError
from graphc.factories import held, tensor
from graphc.functions.positions import whole
from graphc.ir.dtype import bool_, uint8
from graphc.recording import session
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor
from graphc.typename import typename

FULL = slice(None)


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
    items = [_item(i) for i in (given if isinstance(given, tuple) else (given,))]
    expanded: list[Any] = []
    for item in items:
        expanded.append(item)
        if isinstance(item, Tensor) and item.dtype in (bool_, uint8) and item.ndim > 1:
            expanded.extend([_COVERED] * (item.ndim - 1))
    index = Index()
    dim = axis = 0  # of the view, of x
    for item in whole(tuple(expanded), x.ndim):
        if item is None or isinstance(item, slice):
            index.basic.append(item)
        elif item is _COVERED:
            index.basic.append(FULL)
        elif isinstance(item, Tensor):
            index.basic.append(FULL)
            _take(index, dim, axis, item, x)
        else:
            index.basic.append(item)
            axis += 1
            continue
        dim += 1
        axis += item is not None
    return index


_COVERED = object()
"""Stands for the further dimensions of a mask."""


def _take(index: Index, dim: int, axis: int, item: Tensor, x: Tensor) -> None:
    if item.dtype in (bool_, uint8):
        for d, n in enumerate(item.shape):
            if n != x.shape[axis + d]:
                raise GraphcIndexError(
                    f"The shape of the mask {list(item.shape)} at index {d} does not match the "
                    f"shape of the indexed tensor {list(x.shape)} at index {axis + d}"
                )
        index.masks.append((dim, item))
    elif item.ndim:
        _check_bounds(item, axis, x.shape[axis])
        index.tensors.append((dim, item))
    else:
        _check_bounds(item, axis, x.shape[axis])
        index.selects.append((dim, item))


def _item(item: Any) -> Any:
    if item is None or item is ...:
        return item
    if isinstance(item, bool | np.bool_):
        if not item:
            raise GraphcIndexError("False is no index beside others: the result would be empty")
        return None
    if isinstance(item, slice):
        return _whole_numbers(item)
    if isinstance(item, Tensor):
        if item.dtype.is_floating_point:
            raise GraphcIndexError(
                "tensors used as indices must be long, int, byte or bool tensors"
            )
        return item
    if isinstance(item, np.ndarray | Sequence | range) and not isinstance(item, str):
        made = tensor(list(item) if isinstance(item, range) else item)
        if not made._type.size:
            return made.long()
        return _item(made)
    if isinstance(item, str):
        raise GraphcTypeError("new(): invalid data type 'str'")
    if hasattr(item, "__index__"):
        return item.__index__()
    raise GraphcIndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {type(item).__name__})"
    )


def _whole_numbers(item: slice) -> slice:
    ends = []
    for end in (item.start, item.stop, item.step):
        if end is not None and not hasattr(end, "__index__"):
            raise GraphcTypeError(
                "slice indices must be integers or None or have an __index__ method"
            )
        ends.append(None if end is None else end.__index__())
    if ends[2] is not None and ends[2] <= 0:
        raise GraphcValueError("step must be greater than zero")
    return slice(*ends)


def _check_bounds(item: Tensor, axis: int, extent: int) -> None:
    """Raise now for what is known to be out of bounds; the rest is checked when it runs."""
    if item._pending or item._storage is None or session.trace.capturing:
        return
    array = item._storage.array
    if array.size and not (-extent <= array.min() and array.max() < extent):
        wrong = array[(array < -extent) | (array >= extent)]
        raise GraphcIndexError(
            f"index {wrong.flat[0]} is out of bounds for dimension {axis} with size {extent}"
        )


def _masks_as_tensors(index: Index) -> list[tuple[int, Tensor]]:
    """The index tensors, those that masks stand for among them: these need the masks' numbers."""
    found = list(index.tensors)
    for dim, mask in index.masks:
        places = mask._value().nonzero()
        found.extend((dim + d, held(place)) for d, place in enumerate(places))
    return sorted(found, key=lambda pair: pair[0])


def _after_selects(x: Tensor, index: Index) -> tuple[Tensor, list[tuple[int, Tensor]]]:
    tensors = _masks_as_tensors(index)
    for dim, item in reversed(index.selects):
        x = LIFTED["index_at"](x, (dim,), item)
        tensors = [(d - (d > dim), other) for d, other in tensors]
    return x, tensors


def getitem(x: Tensor, given: Any) -> Tensor:
    """``x[given]``: a view for integers, slices, None and ``...``, otherwise a copy."""
    kind = type(given)
    if kind is int or given is None or given is ...:
        return LIFTED["basic_index"](x, given)  # type: ignore[no-any-return]
    if kind is bool:
        return _with_truth(x, given)
    index = normal(x, given)
    view: Tensor = LIFTED["basic_index"](x, *_short(index.basic, given))
    if index.is_basic:
        return view
    view, tensors = _after_selects(view, index)
    if not tensors:
        return view
    dims, items = zip(*tensors, strict=True)
    return LIFTED["index_at"](view, dims, *items)  # type: ignore[no-any-return]


def _with_truth(x: Tensor, given: bool) -> Tensor:
    row: Tensor = LIFTED["basic_index"](x, None)
    return LIFTED["basic_index"](row, slice(None) if given else slice(0, 0)).clone()  # type: ignore[no-any-return]


def _short(basic: list[Any], given: Any) -> list[Any]:
    """One slice stays one item, as the user wrote it."""
    return basic[:1] if isinstance(given, slice) else basic


def setitem(x: Tensor, given: Any, value: Any) -> None:
    """``x[given] = value``, written into the memory of ``x``."""
    _check_value(x, value)
    index = normal(x, given)
    selects = index.selects
    view: Tensor = LIFTED["basic_index"](x, *_short(index.basic, given))
    if index.is_basic:
        copy = LIFTED["copy" if isinstance(value, Tensor) else "fill"](view, _dropped(value, view))
        assign(view, copy, "copy_")
        return
    if not isinstance(value, Tensor):
        value = tensor(value, dtype=view.dtype)
    if _masked_whole(index, value, view):
        ((dim, mask),) = index.masks
        assign(view, LIFTED["put_where"](view, mask.bool(), dim, value), "index_put_")
        return
    tensors = _masks_as_tensors(index)
    tensors = sorted([*tensors, *selects], key=lambda pair: pair[0])
    dims, items = zip(*tensors, strict=True)
    assign(view, LIFTED["put_at"](view, dims, value, False, *items), "index_put_")


def _dropped(value: Any, view: Tensor) -> Any:
    """A value without leading extents of one that the view has not."""
    if not isinstance(value, Tensor):
        return value
    extra = value.ndim - view.ndim
    if extra > 0 and all(n == 1 for n in value.shape[:extra]):
        return value.reshape(value.shape[extra:])
    return value


def _masked_whole(index: Index, value: Tensor, view: Tensor) -> bool:
    """Whether the write is that of one mask and needs to know no more than the mask."""
    if len(index.masks) != 1 or index.tensors or index.selects:
        return False
    ((dim, mask),) = index.masks
    after = view.ndim - dim - mask.ndim
    return value.ndim <= after and (value.ndim == 0 or _fits(value, view, after))


def _fits(value: Tensor, view: Tensor, after: int) -> bool:
    pairs = zip(reversed(value.shape), reversed(view.shape[view.ndim - after :]), strict=False)
    return all(m in (1, n) for m, n in pairs)


def _check_value(x: Tensor, value: Any) -> None:
    if isinstance(value, Tensor | bool | int | float | np.number | np.bool_):
        return
    raise GraphcTypeError(f"can't assign a {_type_name(value)} to a {typename(x)}")


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
