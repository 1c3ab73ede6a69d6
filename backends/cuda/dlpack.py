"""Memory on a device handed to other libraries, and taken from them, by DLPack.

Source: `dlpack.h`, version 0.8, whose structures every library takes (https://dmlc.github.io/dlpack).
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from graphc.errors import GraphcBufferError

if TYPE_CHECKING:
    from graphc.backends.cuda.arrays import DeviceArray

CUDA = 2
"""kDLCUDA."""
NAME, USED = b"dltensor", b"used_dltensor"
KINDS = {"i": 0, "u": 1, "f": 2, "b": 6}
"""DLDataTypeCode by numpy's kinds; bfloat16 is one of its own."""
BFLOAT = 4


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("id", ctypes.c_int32))


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("dtype", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = (
    ("tensor", _Tensor),
    ("context", ctypes.c_void_p),
    ("deleter", _Deleter),
)
_given: dict[int, tuple[Any, ...]] = {}
"""What must live until a library that was handed memory has done with it, by the structure."""


@_Deleter  # type: ignore[untyped-decorator]
def _done(managed: Any) -> None:
    _given.pop(ctypes.addressof(managed.contents), None)


def _python(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(ctypes.pythonapi, name)
    function.restype, function.argtypes = result, arguments
    return function


_new = _python("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_is_valid = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
_rename = _python("PyCapsule_SetName", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # type: ignore[untyped-decorator]
def _dropped(capsule: int) -> None:
    """A capsule that nobody took."""
    if _is_valid(capsule, NAME):
        _given.pop(_pointer(capsule, NAME), None)


def capsule(array: DeviceArray) -> Any:
    """The memory of an array as a capsule, once what was begun on it is done."""
    array.on.synchronize()
    rank = array.ndim
    extents = ctypes.c_int64 * max(1, rank)
    shape = extents(*array.shape)
    strides = extents(*(n // array.itemsize for n in array.strides))
    code = BFLOAT if array.dtype == ml_dtypes.bfloat16 else KINDS[array.dtype.kind]
    managed = _Managed()
    managed.tensor = _Tensor(
        array.address,
        _Device(CUDA, array.on.index),
        rank,
        _Type(code, 8 * array.itemsize, 1),
        shape,
        strides,
        0,
    )
    managed.deleter = _done
    _given[ctypes.addressof(managed)] = (managed, shape, strides, array)
    return _new(ctypes.addressof(managed), NAME, ctypes.cast(_dropped, ctypes.c_void_p))


class Taken:
    """Memory that another library has handed over; it is told when nobody needs it any more."""

    def __init__(self, given: Any) -> None:
        capsule = id(given)
        if not _is_valid(capsule, NAME):
            raise GraphcBufferError("a DLPack capsule can be taken only once")
        self.managed = ctypes.cast(_pointer(capsule, NAME), ctypes.POINTER(_Managed))
        _rename(capsule, USED)
        tensor = self.managed.contents.tensor
        if tensor.dtype.lanes != 1:
            raise GraphcBufferError("a DLPack tensor of vectors cannot be a tensor")
        self.index = int(tensor.device.id)
        self.dtype = _dtype(tensor.dtype)
        self.shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        self.address = int(tensor.data or 0) + int(tensor.byte_offset)
        self.strides = None
        if tensor.strides:
            self.strides = tuple(
                tensor.strides[i] * self.dtype.itemsize for i in range(tensor.ndim)
            )

    def __del__(self) -> None:
        managed = getattr(self, "managed", None)
        if managed and managed.contents.deleter:
            managed.contents.deleter(managed)


def _dtype(given: _Type) -> np.dtype[Any]:
    names: dict[int, str] = {code: kind for kind, code in KINDS.items()}
    if given.code != BFLOAT and given.code not in names:
        raise GraphcBufferError(f"no tensor has elements of the DLPack type {given.code}")
    kind = names.get(given.code, "")
    name = {"": ml_dtypes.bfloat16, "b": "bool"}.get(kind, f"{kind}{given.bits // 8}")
    found: np.dtype[Any] = np.dtype(name)
    return found
