"""What is given to a device's stream, made once: calls without arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from graphc.backends.cuda.made import Launch

Issue = Callable[[], None]
"""Gives one launch or copy to the stream."""


def launch(
    device: Any, functions: Mapping[str, Any], given: Launch, addresses: Sequence[int]
) -> Issue:
    """A launch of one of the functions, over arguments at these addresses."""
    if not prod(given.grid):
        return _nothing
    function = functions[given.function]
    if given.shared:
        most = device.driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
        function.set_attribute(most, given.shared)
    arguments = np.array(addresses, np.uint64).tobytes()
    return partial(
        function._launch_kernel, given.grid, given.block, arguments, given.shared, device.stream
    )


def copy(device: Any, target: int, source: int, nbytes: int) -> Issue:
    """A copy within the device's memory."""
    return partial(device.driver.memcpy_dtod_async, target, source, nbytes, device.stream)


def _nothing() -> None:
    """A launch of no blocks, which the driver does not take."""
