"""What is given to a device's stream, made once: calls without arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from graphc.backends.cuda import cublas, cudnn
from graphc.backends.cuda.by_library import ALIGNED, ByLibrary
from graphc.backends.cuda.correlation import Correlation
from graphc.backends.cuda.made import Launch
from graphc.backends.cuda.multiplication import Multiplication

Issue = Callable[[], None]
"""Gives one launch or copy to the stream."""


def launch(
    device: Any,
    functions: Mapping[str, Any],
    given: Launch | ByLibrary,
    addresses: Sequence[int],
    mapped: Sequence[int] = (),
) -> Issue:
    """A launch of one of the functions or the library, over arguments at these addresses.

    ``mapped`` are the addresses of what its tensor maps are of.
    """
    if isinstance(given, ByLibrary):
        return _by_library(device, given, addresses)
    if not prod(given.grid):
        return _nothing
    function = functions[given.function]
    if given.shared:
        most = device.driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
        function.set_attribute(most, given.shared)
    maps = [x.encoded(of) for (_, x), of in zip(given.maps, mapped, strict=True)]
    arguments = b"".join([*maps, np.array(addresses, np.uint64).tobytes()])
    return partial(
        function._launch_kernel, given.grid, given.block, arguments, given.shared, device.stream
    )


def _by_library(device: Any, given: ByLibrary, addresses: Sequence[int]) -> Issue:
    names = [*given.names, *["workspace"] * bool(given.workspace)]
    named = dict(zip(names, addresses, strict=True))
    if given.workspace:
        named["workspace"] = -(-named["workspace"] // ALIGNED) * ALIGNED
    if isinstance(given, Multiplication):
        return cublas.issue(device, given, named)
    assert isinstance(given, Correlation)
    return cudnn.issue(device, given, named)


def copy(device: Any, target: int, source: int, nbytes: int) -> Issue:
    """A copy within the device's memory."""
    return partial(device.driver.memcpy_dtod_async, target, source, nbytes, device.stream)


def _nothing() -> None:
    """A launch of no blocks, which the driver does not take."""
