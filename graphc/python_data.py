"""Python data as arrays: numbers, nested sequences, numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.functions.selection import fits
from graphc.ir.dtype import DType, dtype_of_numpy, dtype_of_scalar, int64, promote
from graphc.storage import Array
from graphc.tensor import Tensor

SUPPORTED = "float64, float32, float16, int64, int32, int16, int8, uint8, and bool"


def array_of(data: Any, dtype: DType | None) -> Array:
    """A new array of ``data``, in ``dtype`` or the type that PyTorch would infer."""
    if isinstance(data, np.ndarray | np.generic):
        array = np.asarray(data)
        found = dtype or numpy_dtype(array)
        check_strides(array)
        return np.array(array, found.numpy, order="C")
    if not _is_sequence(data):
        if hasattr(data, "__array__"):
            return array_of(np.asarray(data), dtype)
        return _converted(data, (), dtype or _scalar_dtype(data))
    shape = _shape(data)
    leaves = _leaves(data, len(shape))
    found = dtype or _common_dtype(leaves)
    _check(data, shape, 0)
    return _converted(_plain(data), shape, found)


def check_strides(array: Array) -> None:
    """Raise for the layouts of numpy that a tensor cannot have."""
    if any(step < 0 for step in array.strides):
        raise GraphcValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    if not array.dtype.isnative:
        raise GraphcValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )


def numpy_dtype(array: Array) -> DType:
    """The element type of a numpy array. Raises a TypeError where graphc has none."""
    found = dtype_of_numpy(array.dtype)
    if found is None:
        kind = array.dtype.type
        raise GraphcTypeError(
            f"can't convert np.ndarray of type {kind.__module__}.{kind.__name__}. The only "
            f"supported types are: {SUPPORTED}."
        )
    return found


def _is_sequence(x: Any) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str | bytes)


def _shape(data: Any) -> tuple[int, ...]:
    """The extents along the first elements."""
    shape: list[int] = []
    while True:
        if isinstance(data, np.ndarray):
            return (*shape, *data.shape)
        if not _is_sequence(data):
            return tuple(shape)
        shape.append(len(data))
        if not data:
            return tuple(shape)
        data = data[0]


def _check(data: Any, shape: tuple[int, ...], dim: int) -> None:
    """Raise where a sequence is not as long as its first neighbour."""
    if dim == len(shape):
        return
    if isinstance(data, np.ndarray):
        if data.shape != shape[dim:]:
            raise GraphcValueError(
                f"expected sequence of length {shape[dim]} at dim {dim} (got {len(data)})"
                if data.ndim
                else "only one element tensors can be converted to Python scalars"
            )
        return
    if not _is_sequence(data):
        raise GraphcTypeError("not a sequence")
    if len(data) != shape[dim]:
        raise GraphcValueError(
            f"expected sequence of length {shape[dim]} at dim {dim} (got {len(data)})"
        )
    for item in data:
        _check(item, shape, dim + 1)


def _leaves(data: Any, depth: int) -> list[Any]:
    """The numbers and arrays at the bottom."""
    level = [data]
    for _ in range(depth):
        level = [item for x in level for item in (x if _is_sequence(x) else [x])]
    return level


def _scalar_dtype(value: Any) -> DType:
    if isinstance(value, Tensor):
        return value.dtype
    if isinstance(value, np.ndarray | np.generic):
        return numpy_dtype(np.asarray(value))
    if isinstance(value, bool | int | float | complex):
        return dtype_of_scalar(value)
    if isinstance(value, str | bytes):
        raise GraphcTypeError(f"new(): invalid data type '{type(value).__name__}'")
    raise GraphcRuntimeError(f"Could not infer dtype of {type(value).__name__}")


def _common_dtype(leaves: list[Any]) -> DType:
    found: DType | None = None
    kinds: dict[Any, Any] = {}
    for x in leaves:  # one of each kind is enough, and lists are long
        kinds.setdefault(x.dtype if isinstance(x, Tensor | np.ndarray) else type(x), x)
    first = next(iter(leaves), None)
    for x in kinds.values():
        if isinstance(x, str) and isinstance(first, str):
            raise GraphcValueError("too many dimensions 'str'")
        if _is_sequence(x):  # deeper than the first element: told when numbers are read
            continue
        dtype = _scalar_dtype(x)
        found = dtype if found is None else promote(found, dtype)
    return found or dtype_of_scalar(0.0)


def _plain(data: Any) -> Any:
    """``data`` with arrays and numbers where tensors are."""
    if isinstance(data, Tensor):
        if data._type.size != 1:
            raise GraphcValueError("only one element tensors can be converted to Python scalars")
        return data.item()
    return [_plain(x) for x in data] if _is_sequence(data) else data


def _converted(data: Any, shape: tuple[int, ...], dtype: DType) -> Array:
    try:
        if dtype.is_complex:
            return np.array(data, np.complex128).astype(dtype.numpy).reshape(shape)
        if dtype.category == 2:
            return np.array(data, np.float64).astype(dtype.numpy).reshape(shape)
        exact = np.array(data).reshape(shape)
        if exact.dtype.kind == "c":
            raise TypeError
    except (TypeError, ValueError):
        raise _unreadable(data, shape, dtype) from None
    except OverflowError:
        raise GraphcValueError("Overflow when unpacking long long") from None
    if exact.dtype == object:
        raise _unreadable(data, shape, dtype)
    if exact.dtype.kind in "US":
        raise GraphcTypeError("new(): invalid data type 'str'")
    if dtype.category == 1 and exact.size:
        _check_range(exact, dtype)
    with np.errstate(invalid="ignore"):
        return exact.astype(dtype.numpy)


def _check_range(exact: Array, dtype: DType) -> None:
    for value in (exact.min().item(), exact.max().item()):
        if not fits(value, dtype):
            if dtype is int64 and isinstance(value, int):
                raise GraphcValueError("Overflow when unpacking long long")
            raise GraphcRuntimeError(
                f"value cannot be converted to type {dtype.name} without overflow"
            )


def _unreadable(data: Any, shape: tuple[int, ...], dtype: DType) -> Exception:
    """The error for the first of the data that is no number."""
    for x in _leaves(data, len(shape)):
        if _is_sequence(x):
            kind = type(x).__name__
            return GraphcTypeError(
                f"must be real number, not {kind}"
                if dtype.is_floating_point
                else f"'{kind}' object cannot be interpreted as an integer"
            )
        if isinstance(x, complex):
            return GraphcTypeError(
                "must be real number, not complex"
                if dtype.is_floating_point
                else "'complex' object cannot be interpreted as an integer"
            )
        if not isinstance(x, bool | int | float | np.generic | np.ndarray):
            return GraphcTypeError(f"new(): invalid data type '{type(x).__name__}'")
    return GraphcValueError("Overflow when unpacking long long")
