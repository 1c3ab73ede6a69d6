"""Memory of devices other than the CPU: what a backend offers for it, found by the device's name.

A device's array looks to graphc as numpy's do: it has ``shape``, ``strides``, ``dtype``, ``flags``,
``itemsize``, ``nbytes`` and ``copy()``, and ``array[...] = values`` writes to it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

import numpy as np

from graphc.backend import Backend

Array = np.ndarray[Any, np.dtype[Any]]


class DeviceArray(Protocol):
    """What a device's array has beside what it shares with numpy's."""

    device: str
    """The device's name, such as ``cuda:0``."""
    address: int
    """Of the first element, in the device's memory."""

    def numpy(self) -> Array:
        """The numbers, copied to the CPU once they are there."""

    def seen(
        self, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any
    ) -> Any:
        """The same memory from ``offset`` on in another layout, in bytes, and as another type."""


class Accelerator(Protocol):
    """What a backend whose programs run on devices offers as ``accelerator``."""

    def explanation(self) -> tuple[bool, str]:
        """Whether there are devices that can be used, and by what, or why not."""

    def device_count(self) -> int:
        """How many devices there are."""

    def device(self, index: int) -> Any:
        """The device of a number. Raises where there is none."""

    def placed(self, array: Any, index: int) -> Any:
        """A copy of an array, the CPU's or another device's, on the device of a number."""

    def taken(self, given: Any) -> Any:
        """An array over the memory of an object that has ``__dlpack__``."""

    def adopted(self, given: Any) -> Any:
        """An array over the memory of an object that has ``__cuda_array_interface__``."""


def accelerator(kind: str) -> Accelerator:
    """What the backend for devices of ``kind``, such as ``cuda``, offers."""
    from graphc.backends import find

    found: Accelerator = find(kind).accelerator  # type: ignore[attr-defined]
    return found


@cache
def backend_of(device: str) -> Backend:
    """The backend for programs on ``device``, such as ``cuda:0``, whose outputs stay there."""
    from graphc.backends import find

    kind, _, index = device.partition(":")
    found: Backend = find(kind).on(int(index))  # type: ignore[attr-defined]
    return found


def placed(array: Any, device: str) -> Any:
    """``array`` on ``device``: itself if it is there, otherwise a copy."""
    if device_of(array) == device:
        return array
    if device == "cpu":
        return array.numpy()
    kind, _, index = device.partition(":")
    return accelerator(kind).placed(array, int(index))


def device_of(array: Any) -> str:
    """The name of the device that an array is on."""
    return "cpu" if isinstance(array, np.ndarray) else getattr(array, "device", "cpu")


def address_of(array: Any) -> int:
    """Where the first element lies, in the memory of the device that the array is on."""
    if device_of(array) == "cpu":
        return int(array.__array_interface__["data"][0])
    return int(array.address)


def on_host(array: Any) -> Array:
    """The numbers of an array as numpy's: itself if it is one, otherwise a copy."""
    return array if device_of(array) == "cpu" else array.numpy()  # type: ignore[no-any-return]
