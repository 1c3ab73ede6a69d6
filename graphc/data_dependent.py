"""Functions whose result has a size that depends on values.

They read numbers, for which what is pending is computed, and return tensors. What they take from a
tensor is recorded, so that gradients flow.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.arguments import checked
from graphc.errors import GraphcIndexError, GraphcRuntimeError, GraphcTypeError
from graphc.from_data import held
from graphc.functions.operands import not_implemented
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import Scalar, bool_, int32, int64
from graphc.ir.types import broadcast_shapes
from graphc.reading import nonzero_places, numbers_of
from graphc.storage import Array
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Where the elements are that are not zero: a row of indices for each, or a vector by dim."""
    if as_tuple:
        x = input if input.ndim else input.reshape(1)
        return tuple(nonzero_places(x, "nonzero"))
    return held(np.argwhere(numbers_of(input, "nonzero")), input.device)


def argwhere(input: Tensor) -> Tensor:
    """Where the elements are that are not zero: a row of indices for each."""
    return held(np.argwhere(numbers_of(input, "argwhere")), input.device)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where the condition holds, else ``other``; without these, where it holds."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise GraphcTypeError("where() received an invalid combination of arguments")
    return LIFTED["where"](condition, input, other)


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in one dimension."""
    if mask.dtype is not bool_:
        raise GraphcRuntimeError("masked_select: expected BoolTensor for mask")
    shape = broadcast_shapes(tuple(mask.shape), tuple(input.shape))
    holds = np.broadcast_to(numbers_of(mask, "masked_select"), shape)
    place = held(np.flatnonzero(holds), input.device)
    return LIFTED["selected"](input, shape, place)  # type: ignore[no-any-return]


# -- equal elements ----------------------------------------------------------------------------


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements in order, or slices along ``dim``.

    With ``return_inverse`` also where each element is among them, with ``return_counts`` also how
    often each one stands.
    """
    rows, axis = _rows(input, dim, "unique")
    order = np.lexsort(rows.T[::-1]) if len(rows) else np.arange(0)
    places, inverse, counts = _runs(rows[order])
    back = np.empty_like(inverse)
    back[order] = inverse
    step = ("Unique2Backward0", "_unique2") if dim is None else ("UniqueDimBackward0", "unique_dim")
    values = _kept(input, order[places], axis, *step)
    return _asked(input, values, (return_inverse, back), (return_counts, counts), dim)


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The first of each run of equal elements, or slices along ``dim``.

    With ``return_inverse`` also which run each element is in, with ``return_counts`` also how long
    each one is.
    """
    rows, axis = _rows(input, dim, "unique_consecutive")
    places, inverse, counts = _runs(rows)
    step = ("UniqueConsecutiveBackward0", "unique_consecutive")
    values = _kept(input, places, axis, *step)
    return _asked(input, values, (return_inverse, inverse), (return_counts, counts), dim)


def _rows(x: Tensor, dim: int | None, name: str) -> tuple[Array, int | None]:
    """What is compared: the elements or slices of ``x``, each a row of numbers; and their axis."""
    array = numbers_of(x, name)
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)  # whose order numpy knows
    if dim is None:
        return array.reshape(-1, 1), None
    axis = normal_dim(dim, x.ndim)
    if not x.ndim:
        raise GraphcIndexError(f"Dimension specified as {axis} but tensor has no dimensions")
    if 0 in (*x.shape[:axis], *x.shape[axis + 1 :]):
        raise GraphcRuntimeError(
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        )
    moved = np.moveaxis(array, axis, 0)
    return moved.reshape(len(moved), prod(moved.shape[1:])), axis


def _runs(rows: Array) -> tuple[Array, Array, Array]:
    """Where each run of equal rows begins, the run of each row, and how long each run is."""
    begins = np.ones(len(rows), bool)
    begins[1:] = (rows[1:] != rows[:-1]).any(1)
    places = np.flatnonzero(begins)
    return places, np.cumsum(begins) - 1, np.diff(np.append(places, len(rows)))


def _kept(x: Tensor, places: Array, axis: int | None, step: str, function: str) -> Tensor:
    """The elements or slices at ``places``, without a derivative."""
    array = x._value()
    kept = array.reshape(-1)[places] if axis is None else array.take(places, axis)
    values = held(kept, x.device)
    if not x.requires_grad:
        return values
    missing = f"the derivative for '{function}' is not implemented."
    return LIFTED["underived"](values, step, missing, x)  # type: ignore[no-any-return]


def _asked(
    x: Tensor,
    values: Tensor,
    inverse: tuple[bool, Array],
    counts: tuple[bool, Array],
    dim: int | None,
) -> Any:
    """The values, with the inverse and the counts if these are wanted."""
    found = [values]
    if inverse[0]:
        shape = tuple(x.shape) if dim is None else (-1,)
        found.append(held(inverse[1].reshape(shape), x.device))
    if counts[0]:
        found.append(held(counts[1], x.device))
    return tuple(found) if len(found) > 1 else values


# -- counts and repetitions --------------------------------------------------------------------


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number from 0 to the largest stands, or the sums of its weights."""
    if minlength < 0:
        raise GraphcRuntimeError("minlength should be >= 0")
    if input.dtype.category != 1:
        raise not_implemented("bincount_cpu", input.dtype)
    numbers = numbers_of(input, "bincount")
    if input.ndim != 1 or (numbers.size and numbers.min() < 0):
        raise GraphcRuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None or not numbers.size:
        return held(np.bincount(numbers, minlength=minlength).astype(np.int64), input.device)
    if weights.ndim != 1 or weights.shape != input.shape:
        raise GraphcRuntimeError("weights should be 1-d and have the same length as input")
    found = np.bincount(numbers, weights._value().astype(np.float64), minlength)
    kind = np.float32 if weights.dtype.name == "float32" else np.float64
    total = held(found.astype(kind), input.device)
    if not weights.requires_grad:
        return total
    missing = "derivative for aten::bincount is not implemented"
    return LIFTED["underived"](total, "NotImplemented", missing, weights)  # type: ignore[no-any-return]


def repeat_interleave(
    input: Tensor | None = None,
    repeats: Tensor | Scalar | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element, or slice along ``dim``, several times in a row.

    With one argument, each place as often as the number that stands there says.
    """
    if repeats is None or input is None:
        return _places(_only_tensor(input, repeats), output_size)
    x, axis = (input.reshape(-1), 0) if dim is None else (input, normal_dim(dim, input.ndim))
    if isinstance(repeats, Tensor):
        return _repeated(x, axis, repeats, output_size)
    if isinstance(repeats, float):
        raise GraphcTypeError("repeat_interleave() received an invalid combination of arguments")
    if repeats < 0:
        raise GraphcRuntimeError("Repeats must be non-negative")
    expected = int(repeats) * (x.shape[axis] if x.ndim else 1)
    if output_size not in (None, expected):
        raise GraphcRuntimeError(
            f"repeat_interleave: Invalid output_size, expected {expected} but got {output_size}"
        )
    spread = x.unsqueeze(normal_dim(axis + 1, x.ndim + 1 if x.ndim else 1))
    shape = (*x.shape[: axis + 1], int(repeats), *x.shape[axis + 1 :])
    merged = (*x.shape[:axis], expected, *x.shape[axis + 1 :])
    return spread.expand(shape).clone().view(merged)  # type: ignore[no-any-return]


def _repeat_interleave(
    self: Tensor,
    repeats: Tensor | Scalar,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element, or slice along ``dim``, several times in a row."""
    return repeat_interleave(self, repeats, dim, output_size=output_size)


def _only_tensor(*given: Any) -> Tensor:
    """The one tensor that was given."""
    for x in given:
        if isinstance(x, Tensor):
            return x
    raise GraphcTypeError("repeat_interleave() received an invalid combination of arguments")


def _repeated(x: Tensor, axis: int, repeats: Tensor, output_size: int | None) -> Tensor:
    extent = x.shape[axis] if x.ndim else 1
    if repeats.ndim > 1:
        raise GraphcRuntimeError("repeats must be 0-dim or 1-dim tensor")
    if repeats.numel() == 1:
        repeats = repeats.reshape(1).expand(extent)
    elif repeats.shape[0] != extent:
        raise GraphcRuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats.shape[0]} and input.size({axis}) = {extent}"
        )
    return LIFTED["index_select"](x, axis, _places(repeats, output_size))  # type: ignore[no-any-return]


def _places(repeats: Tensor, output_size: int | None) -> Tensor:
    """Each place of a vector as often as the number there says."""
    if repeats.ndim != 1:
        raise GraphcRuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.dtype not in (int32, int64):
        raise not_implemented("repeat_interleave_cpu", repeats.dtype)
    counts = numbers_of(repeats, "repeat_interleave")
    if (counts < 0).any():
        raise GraphcRuntimeError("repeats can not be negative")
    if output_size not in (None, counts.sum()):
        raise GraphcRuntimeError("allocated size does not match required size")
    places = np.repeat(np.arange(len(counts)), counts).astype(repeats.dtype.numpy)
    return held(places, repeats.device)


_SHARED = (nonzero, argwhere, masked_select, unique, unique_consecutive, bincount)
NAMESPACE: dict[str, Any] = {f.__name__: checked(f) for f in (*_SHARED, where, repeat_interleave)}
"""What the package offers by name."""
METHODS: dict[str, Any] = {
    f.__name__.strip("_"): checked(f, method=True) for f in (*_SHARED, _repeat_interleave)
}
"""What tensors offer."""
