"""Tensors made from Python data, and over memory that others hold too."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from operator import index as integer
from typing import Any

import numpy as np

from graphc.device import usable
from graphc.device_memory import accelerator
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.functions.operands import C_NAMES, dtype_given
from graphc.ir.dtype import DTYPES, DType, get_default_dtype
from graphc.memory import on_device
from graphc.python_data import array_of, check_strides, numpy_dtype
from graphc.recording import session
from graphc.size import Size
from graphc.storage import Array, Storage
from graphc.tensor import Tensor, from_storage, wrap
from graphc.typename import short_typename

Shape = tuple[int, ...]
CUDA = 2
"""What DLPack calls CUDA devices."""


def held(array: Array, device: Any = None, *, requires_grad: bool = False) -> Tensor:
    """A tensor that holds ``array``. While a function is captured, one that reads it: what the
    function writes to it must not be there when it is called again."""
    storage, trace = Storage(array, device=usable(device)), session.trace
    made = wrap(trace.leaf(storage, None, ""), trace) if trace.capturing else from_storage(storage)
    return as_leaf(made, requires_grad)


def as_leaf(made: Tensor, requires_grad: bool) -> Tensor:
    """A new tensor, whose gradient is wanted if ``requires_grad``."""
    if not requires_grad:
        return made
    if not made.dtype.is_inexact:
        raise GraphcRuntimeError(
            "Only Tensors of floating point and complex dtype can require gradients"
        )
    return made.requires_grad_()


def extents(name: str, given: Sequence[Any]) -> Shape:
    """A shape given extent by extent or as one sequence."""
    if len(given) == 1 and isinstance(given[0], Sequence) and not isinstance(given[0], str):
        given = given[0]
    shape = []
    for n in given:
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise GraphcTypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, "
                f"not {short_typename(n)}"
            )
        shape.append(integer(n))
    for n in shape:
        if n < 0:
            raise GraphcRuntimeError(
                "zeros: Dimension size must be non-negative."
                if name == "zeros"
                else f"Trying to create tensor with negative dimension {n}: {shape}"
            )
    return tuple(shape)


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with a copy of ``data``: a number, nested sequences, a numpy array, a tensor."""
    found = None if dtype is None else dtype_given(dtype)
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than "
            "torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
        copy: Tensor = data.detach().clone()
        return as_leaf(copy if found is None else copy.to(found), requires_grad)
    return held(array_of(data, found), device, requires_grad=requires_grad)


class TypedTensor(type):
    """The classes of old that make tensors of one type and tell them apart, as ``LongTensor``."""

    dtype: DType

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        return from_storage(legacy(data, device, cls.dtype))


def typed(dtype: DType) -> TypedTensor:
    """The class of old for tensors of ``dtype``."""
    members = {
        "__doc__": f"A tensor of {dtype}: of the data given, or zeros of the shape given.",
        "__module__": "torch",
        "dtype": dtype,
    }
    return TypedTensor(f"{C_NAMES[dtype.name]}Tensor", (), members)


def legacy(data: tuple[Any, ...], device: Any, dtype: DType | None = None) -> Storage:
    """What ``Tensor(...)`` holds: zeros in the shape given, or the data given."""
    place = usable(device)
    dtype = dtype or get_default_dtype()
    if len(data) != 1 or isinstance(data[0], Size) or _is_extent(data[0]):
        if not all(isinstance(n, Size) or _is_extent(n) for n in data):
            got = ", ".join(short_typename(x) for x in data)
            raise GraphcTypeError(
                f"new() received an invalid combination of arguments - got ({got})"
            )
        shape = extents("new", data) if data else (0,)
        return Storage(np.zeros(shape, dtype.numpy), device=place)
    (given,) = data
    if isinstance(given, Tensor):
        if given.dtype is not dtype:
            raise GraphcTypeError(f"expected a tensor of {dtype} (got {given.dtype})")
        return Storage(given._value().copy(), device=place)
    if not isinstance(given, Sequence | np.ndarray):
        raise GraphcTypeError(f"new(): data must be a sequence (got {short_typename(given)})")
    return Storage(array_of(given, dtype), device=place)


def _is_extent(x: Any) -> bool:
    return isinstance(x, int | np.integer) and not isinstance(x, bool)


def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """``Tensor(...)`` in the type of this tensor."""
    return from_storage(legacy(data, device or self.device, self.dtype))


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor: itself, or over a numpy array's own memory, where that is possible."""
    found = None if dtype is None else dtype_given(dtype)
    if isinstance(data, Tensor):
        made = data if device is None else on_device(data, usable(device))
        return made if found is None else made.to(found)
    if isinstance(data, np.ndarray) and found in (None, numpy_dtype(data)):
        return on_device(from_numpy(data), usable(device))
    if hasattr(data, "__cuda_array_interface__"):
        made = adopted(data)
        return as_tensor(made, dtype, made.device if device is None else device)
    return tensor(data, dtype=found, device=device)


def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``obj`` as a tensor that shares its memory where it can, unless a copy is asked for."""
    made = as_tensor(obj, dtype, device)
    if copy and (made is obj or isinstance(obj, np.ndarray)):
        made = made.detach().clone()
    return as_leaf(made, requires_grad)


def from_numpy(array: Array) -> Tensor:
    """A tensor over the memory of a numpy array: what is written to one is seen in the other."""
    if not isinstance(array, np.ndarray):
        raise GraphcTypeError(f"expected np.ndarray (got {short_typename(array)})")
    numpy_dtype(array)
    check_strides(array)
    storage = Storage(array)
    storage.shared = True
    return from_storage(storage)


def adopted(given: Any) -> Tensor:
    """A tensor over the memory of an object with ``__cuda_array_interface__``."""
    storage = Storage(accelerator("cuda").adopted(given))
    storage.shared = True
    return from_storage(storage)


def frombuffer(
    buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A tensor over the memory of an object that offers it as a buffer."""
    try:
        memory = memoryview(buffer).cast("B")
    except TypeError as error:
        raise GraphcValueError("object does not implement Python buffer protocol.") from error
    size, width = len(memory), dtype.itemsize
    if not size or not count:
        raise GraphcValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise GraphcValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({size} bytes) minus 1"
        )
    if count > 0 and count * width > size - offset:
        raise GraphcValueError(
            f"requested buffer length ({count} * {width} bytes) after offset ({offset} bytes) must "
            f"not be greater than actual buffer length ({size} bytes)"
        )
    if count < 0 and (size - offset) % width:
        raise GraphcValueError(
            f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a "
            f"multiple of element size ({width})"
        )
    array = np.frombuffer(memory, dtype.numpy, count, offset)
    if not array.flags.writeable:
        array = array.copy()
    return as_leaf(from_numpy(array), requires_grad)


def from_dlpack(external: Any) -> Tensor:
    """A tensor over the memory of an object that has ``__dlpack__``."""
    if isinstance(external, Tensor):
        external.__dlpack__()  # raises where the memory cannot be given away
        shared: Tensor = external.detach()
        return shared
    if external.__dlpack_device__()[0] == CUDA:
        storage = Storage(accelerator("cuda").taken(external))
        storage.shared = True
        return from_storage(storage)
    array = np.from_dlpack(external)
    return from_numpy(array if array.flags.writeable else array.copy())


def scalar_tensor(
    s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of no dimensions."""
    kind = dtype or get_default_dtype()
    return tensor(s, dtype=kind, device=device, requires_grad=requires_grad)


NAMESPACE: dict[str, Any] = {
    **{
        f.__name__: f
        for f in (tensor, as_tensor, asarray, from_numpy, frombuffer, from_dlpack, scalar_tensor)
    },
    **{kind.__name__: kind for kind in map(typed, DTYPES)},
}
"""What the package offers by name."""
METHODS: dict[str, Any] = {"new": new}
