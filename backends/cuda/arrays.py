"""Arrays in a device's memory."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphc.ir.types import Shape, contiguous

if TYPE_CHECKING:
    from graphc.backends.cuda.driver import Device


class Flags(NamedTuple):
    """What numpy's arrays tell of their layout under this name."""

    c_contiguous: bool


class Layout:
    """How an array lies in memory, which all results of one program's output share."""

    __slots__ = ("dtype", "flags", "itemsize", "nbytes", "shape", "strides")

    def __init__(self, shape: Shape, dtype: np.dtype[Any], strides: Shape | None = None) -> None:
        self.shape, self.dtype, self.itemsize = shape, dtype, dtype.itemsize
        self.nbytes = prod(shape) * dtype.itemsize
        dense = tuple(dtype.itemsize * n for n in contiguous(shape))
        self.strides = dense if strides is None else strides
        pairs = zip(shape, self.strides, dense, strict=True)
        self.flags = Flags(0 in shape or all(n == 1 or a == b for n, a, b in pairs))


class DeviceArray:
    """Numbers on a device, laid out as numpy would lay them out; ``owner`` keeps them alive."""

    __slots__ = ("__weakref__", "address", "base", "layout", "on", "owner")

    def __init__(
        self, on: Device, owner: Any, address: int, layout: Layout, base: Any = None
    ) -> None:
        self.on, self.owner, self.address, self.layout = on, owner, address, layout
        self.base = base
        """Whoever else may write to the memory; None where graphc alone does."""

    @property
    def device(self) -> str:
        return self.on.place

    @property
    def shape(self) -> Shape:
        return self.layout.shape

    @property
    def strides(self) -> Shape:
        return self.layout.strides

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.layout.dtype

    @property
    def itemsize(self) -> int:
        return self.layout.itemsize

    @property
    def nbytes(self) -> int:
        return self.layout.nbytes

    @property
    def flags(self) -> Flags:
        return self.layout.flags

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def seen(self, offset: int, shape: Shape, strides: Shape, dtype: np.dtype[Any]) -> DeviceArray:
        """The same memory from ``offset`` on in another layout, in bytes, and as another type."""
        layout = Layout(shape, dtype, strides)
        return DeviceArray(self.on, self.owner, self.address + offset, layout, self.base)

    def copy(self) -> DeviceArray:
        """The numbers in memory of their own, in order and without gaps."""
        made = self.on.array(self.shape, self.dtype)
        made[...] = self
        return made

    def numpy(self) -> Any:
        """The numbers, copied to the CPU once they are there."""
        source = self if self.flags.c_contiguous else self.copy()
        made = np.empty(self.shape, self.dtype)
        self.on.download(source.address, made)
        return made

    def __setitem__(self, place: Any, values: Any) -> None:
        if place is not Ellipsis:
            raise TypeError("a device's array is written to as a whole")
        if isinstance(values, DeviceArray) and values.on is not self.on:
            values = values.numpy()
        if not isinstance(values, DeviceArray):
            numbers = np.ascontiguousarray(np.broadcast_to(values, self.shape), self.dtype)
            values = self.on.uploaded(numbers) if not self.flags.c_contiguous else numbers
        self.on.fill(self, values)

    def __dlpack__(self, **_: Any) -> Any:
        """The memory as a DLPack capsule."""
        from graphc.backends.cuda.dlpack import capsule

        return capsule(self)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The memory, for CuPy, Numba, PyTorch and others (version 3 of that interface)."""
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address, False),
            "strides": None if self.flags.c_contiguous else self.strides,
            "stream": self.on.stream.handle,
            "version": 3,
        }
