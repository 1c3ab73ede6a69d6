"""What graphc is offered of CUDA devices beside programs: their number, memory and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.backends.cuda import driver, libcuda
from graphc.backends.cuda.arrays import DeviceArray, Layout
from graphc.backends.cuda.dlpack import Taken
from graphc.errors import GraphcTypeError


class CudaAccelerator:
    """The devices of this machine."""

    def explanation(self) -> tuple[bool, str]:
        """Whether there are devices that can be used, and by what, or why not."""
        return driver.explanation()

    def device_count(self) -> int:
        """How many devices there are."""
        return driver.device_count()

    def device(self, index: int) -> driver.Device:
        """The device of a number. Raises where there is none."""
        return driver.device(index)

    def placed(self, array: Any, index: int) -> DeviceArray:
        """A copy of an array, the CPU's or another device's, on the device of a number."""
        return driver.device(index).uploaded(
            array.numpy() if isinstance(array, DeviceArray) else array
        )

    def taken(self, given: Any) -> DeviceArray:
        """An array over the memory of an object that has ``__dlpack__``."""
        on = driver.device(int(given.__dlpack_device__()[1]))
        found = Taken(given.__dlpack__(stream=on.stream.handle))
        layout = Layout(found.shape, found.dtype, found.strides)
        return DeviceArray(on, found, found.address, layout, base=found)

    def adopted(self, given: Any) -> DeviceArray:
        """An array over the memory of an object that has ``__cuda_array_interface__``."""
        found = given.__cuda_array_interface__
        address, read_only = found["data"]
        dtype = np.dtype(found["typestr"])
        if read_only or found.get("mask") is not None:
            raise GraphcTypeError("memory that is read-only or masked cannot be a tensor's")
        on = driver.device(_index_at(address))
        stream = found.get("stream")
        if stream is not None:
            on.wait_for(stream)
        layout = Layout(tuple(found["shape"]), dtype, found.get("strides"))
        return DeviceArray(on, given, address or 0, layout, base=given)


def _index_at(address: int) -> int:
    """The number of the device whose memory an address is in."""
    if not address:
        return 0
    with driver.device(0):
        return libcuda.device_at(address)
