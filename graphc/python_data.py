"""Python data as arrays: numbers, nested sequences, numpy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.dtype import DType, dtype_of_numpy, dtype_of_scalar, int64, promote
from graphc.storage import Array
from graphc.tensor import Tensor


def array_of(data: Any, dtype: DType | None) -> Array:
    """A new array of ``data``, in ``dtype`` or the type that PyTorch would infer."""
    if isinstance(data, np.ndarray | np.generic):
        found = dtype or numpy_dtype(np.asarray(data))
        return np.array(data, found.numpy, order="C")
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        if hasattr(data, "__array__"):
            return array_of(np.asarray(data), dtype)
        return _converted(data, (), dtype or _scalar_dtype(data))
    shape = _shape(data)
    leaves = _leaves(data, len(shape))
    _check(data, shape, 0)
    found = dtype or _common_dtype(leaves)
    return _converted(_plain(data), shape, found)


def numpy_dtype(array: Array) -> DType:
    """The element type of a numpy array. Raises a TypeError where graphc has none."""
    found = dtype_of_numpy(array.dtype)
    if found is None:
        supported = "float64, float32, float16, int64, int32, int16, int8, uint8, and bool"
        if array.dtype == object:
            raise GraphcTypeError(
                "can't convert np.ndarray of type numpy.object_. The only supported types are: "
                f"{supported}."
            )
        raise GraphcTypeError(
            f"can't convert np.ndarray of type {array.dtype.type.__module__}."
            f"{array.dtype.type.__name__}. The only supported types are: {supported}."
        )
    return found


def _shape(data: Any) -> tuple[int, ...]:
    """The extents along the first elements."""
    shape: list[int] = []
    while True:
        if isinstance(data, np.ndarray | Tensor):
            return (*shape, *data.shape)
        if not isinstance(data, Sequence) or isinstance(data, str | bytes):
            return tuple(shape)
        shape.append(len(data))
        if not data:
            return tuple(shape)
        data = data[0]


def _check(data: Any, shape: tuple[int, ...], dim: int) -> None:
    """Raise where a sequence is not as long as its first neighbour."""
    if dim == len(shape):
        return
    if isinstance(data, np.ndarray | Tensor):
        if tuple(data.shape) != shape[dim:]:
            raise GraphcValueError(
                f"expected sequence of length {shape[dim]} at dim {dim} (got {data.shape[0]})"
                if data.ndim
                else "only one element tensors can be converted to Python scalars"
            )
        return
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        raise GraphcTypeError(f"not a sequence: {type(data).__name__} at dim {dim}")
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
        level = [
            item
            for x in level
            for item in (x if isinstance(x, Sequence) and not isinstance(x, str | bytes) else [x])
        ]
    return level


def _scalar_dtype(value: Any) -> DType:
    if isinstance(value, Tensor):
        return value.dtype
    if isinstance(value, np.ndarray | np.generic):
        return numpy_dtype(np.asarray(value))
    if isinstance(value, bool | int | float):
        return dtype_of_scalar(value)
    if isinstance(value, str | bytes):
        raise GraphcTypeError(f"new(): invalid data type '{type(value).__name__}'")
    if isinstance(value, complex):
        raise GraphcTypeError("complex numbers are not supported")
    raise GraphcRuntimeError(f"Could not infer dtype of {type(value).__name__}")


def _common_dtype(leaves: list[Any]) -> DType:
    found: DType | None = None
    kinds: dict[Any, Any] = {}
    for x in leaves:  # one of each kind is enough, and lists are long
        kinds.setdefault(x.dtype if isinstance(x, Tensor | np.ndarray) else type(x), x)
    for x in kinds.values():
        dtype = _scalar_dtype(x)
        found = dtype if found is None else promote(found, dtype)
    return found or dtype_of_scalar(0.0)


def _plain(data: Any) -> Any:
    """``data`` with arrays and numbers where tensors are."""
    if isinstance(data, Tensor):
        return data._value()
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return [_plain(x) for x in data]
    return data


def _converted(data: Any, shape: tuple[int, ...], dtype: DType) -> Array:
    try:
        if dtype.category == 2:
            return np.array(data, np.float64).astype(dtype.numpy).reshape(shape)
        exact = np.array(data).reshape(shape)
    except (TypeError, ValueError):
        raise GraphcTypeError(f"new(): invalid data type '{_offender(data)}'") from None
    except OverflowError:
        raise GraphcRuntimeError("Overflow when unpacking long long") from None
    if exact.dtype == object:
        if any(isinstance(x, int) for x in exact.flat):
            raise GraphcRuntimeError("Overflow when unpacking long long")
        raise GraphcTypeError(f"new(): invalid data type '{_offender(data)}'")
    if exact.dtype.kind in "US":
        raise GraphcTypeError("new(): invalid data type 'str'")
    if dtype.category == 1 and exact.size and exact.dtype.kind in "iu":
        _check_range(exact, dtype)
    return exact.astype(dtype.numpy)


def _check_range(exact: Array, dtype: DType) -> None:
    limits = np.iinfo(dtype.numpy)
    if exact.min() < limits.min or exact.max() > limits.max:
        if dtype is int64:
            raise GraphcRuntimeError("Overflow when unpacking long long")
        raise GraphcRuntimeError(f"value cannot be converted to type {dtype.name} without overflow")


def _offender(data: Any) -> str:
    depth = len(_shape(data))
    for x in _leaves(data, depth):
        if not isinstance(x, bool | int | float | np.generic | np.ndarray):
            return type(x).__name__
    return type(data).__name__
