"""The driver's own functions, where PyCUDA has none for them.

Source: the CUDA driver API's reference manual.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from graphc.errors import GraphcRuntimeError

DEVICE_ORDINAL = 9
"""CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL."""


@cache
def library() -> Any:
    """The driver's library."""
    return ctypes.CDLL("libcuda.so.1")


def major_version() -> int | None:
    """The CUDA that the driver is for, such as 13; None where there is no driver."""
    found = ctypes.c_int()
    try:
        failed = library().cuDriverGetVersion(ctypes.byref(found))
    except (OSError, AttributeError):
        return None
    return None if failed else found.value // 1000


def check(result: int) -> None:
    """Raise what a function returns that is no success."""
    if result:
        text = ctypes.c_char_p()
        library().cuGetErrorString(result, ctypes.byref(text))
        raise GraphcRuntimeError(f"CUDA error: {(text.value or b'').decode()}")


def device_at(address: int) -> int:
    """The number of the device whose memory is at an address."""
    number = ctypes.c_int()
    given = ctypes.c_uint64(address)
    check(library().cuPointerGetAttribute(ctypes.byref(number), DEVICE_ORDINAL, given))
    return number.value


def wait_for(stream: int) -> None:
    """Wait until what a stream was given is done; 1 and 2 are CUDA's default streams."""
    check(library().cuStreamSynchronize(ctypes.c_void_p(stream)))
