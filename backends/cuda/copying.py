"""Copies between layouts on a device, such as a transposed view into memory without gaps."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.backends.cuda.arrays import DeviceArray, Layout
from graphc.backends.cuda.made import THREADS
from graphc.kernels_templates import render

if TYPE_CHECKING:
    from graphc.backends.cuda.driver import Device

RANK = 8
TYPES = ((8, "unsigned char"), (16, "unsigned short"), (32, "unsigned int"), (64, "unsigned long"))
"""What stands for elements of so many bits."""
MOST, HALF = 8, np.dtype(np.uint64)
"""Elements of more bytes, which complex numbers are, are copied as two of this type."""


def source() -> str:
    """The text of the kernels, one for each size of element."""
    return render("strided_copy.cu.j2", rank=RANK, threads=THREADS, types=TYPES)


def copy(device: Device, x: DeviceArray, y: DeviceArray) -> None:
    """Copy ``x`` into ``y``, which has its shape and element type."""
    if x.itemsize > MOST:
        x, y = (a.seen(0, (*a.shape, 2), (*a.strides, MOST), HALF) for a in (x, y))
    shape, strides = merged(y.shape, (x.strides, y.strides))
    if len(shape) > RANK:
        for i in range(y.shape[0]):
            copy(device, *(_part(a, i) for a in (x, y)))
        return
    bits = 8 * x.itemsize
    function = device.copiers[f"strided_copy_{bits}"]
    layout = np.ones((3, RANK), np.int64)
    for row, numbers in zip(layout, (shape, *strides), strict=True):
        row[: len(numbers)] = numbers
    layout[1:] //= x.itemsize
    layout[1:, len(shape) :] = 0
    count = prod(shape)
    pointers = np.array([x.address, y.address], np.uint64).tobytes()
    arguments = pointers + layout.tobytes() + np.int64(count).tobytes()
    grid = (-(-count // THREADS), 1, 1)
    function._launch_kernel(grid, (THREADS, 1, 1), arguments, 0, device.stream)


def _part(x: DeviceArray, i: int) -> DeviceArray:
    """The array at a place along the first dimension."""
    return x.seen(i * x.strides[0], x.shape[1:], x.strides[1:], x.dtype)


def merged(
    shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...]
) -> tuple[list[int], list[list[int]]]:
    """The same layouts in as few dimensions as can be, without those of extent one."""
    extents: list[int] = []
    steps: list[list[int]] = [[] for _ in strides]
    for n, *apart in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if extents and all(s[-1] == n * a for s, a in zip(steps, apart, strict=True)):
            extents[-1] *= n
            for s, a in zip(steps, apart, strict=True):
                s[-1] = a
            continue
        extents.append(n)
        for s, a in zip(steps, apart, strict=True):
            s.append(a)
    return extents or [1], [s or [0] for s in steps]


def fill(device: Device, target: DeviceArray, values: Any) -> None:
    """Write an array of the CPU or of the device, of the target's type, into the target."""
    if not target.nbytes:
        return
    if not isinstance(values, DeviceArray):
        device.staging.upload(target.address, values)
        return
    if values.shape != target.shape:
        apart = np.lib.stride_tricks.as_strided(np.empty(1, np.int8), values.shape, values.strides)
        strides = np.broadcast_to(apart, target.shape).strides
        layout = Layout(target.shape, values.dtype, strides)
        values = DeviceArray(device, values.owner, values.address, layout)
    if values.dtype != target.dtype:
        raise TypeError(f"numbers of {values.dtype} cannot be written to {target.dtype}")
    if values.flags.c_contiguous and target.flags.c_contiguous:
        to, begin = target.address, values.address
        device.driver.memcpy_dtod_async(to, begin, target.nbytes, device.stream)
    else:
        copy(device, values, target)
