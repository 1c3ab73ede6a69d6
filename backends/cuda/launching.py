"""What is given to a device's stream, made once: calls without arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from graphc.backends.cuda import cublas
from graphc.backends.cuda.made import Launch
from graphc.backends.cuda.multiplication import Multiplication
from graphc.errors import GraphcRuntimeError

Issue = Callable[[], None]
"""Gives one launch or copy to the stream."""


def launch(
    device: Any,
    functions: Mapping[str, Any],
    given: Launch | Multiplication,
    addresses: Sequence[int],
    mapped: Sequence[int] = (),
) -> Issue:
    """A launch of one of the functions or the library, over arguments at these addresses.

    ``mapped`` are the addresses of what its tensor maps are of.
    """
    if isinstance(given, Multiplication):
        return _multiplication(device, given, addresses)
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


def _multiplication(device: Any, given: Multiplication, addresses: Sequence[int]) -> Issue:
    found = cublas.library()
    if found is None:
        raise GraphcRuntimeError(
            f"{given.function} needs cuBLASLt, which was there when it was tuned"
        )
    names = ["left", "right", "result"]
    names += ["bias"] * given.problem.bias + ["workspace"] * bool(given.workspace)
    named = dict(zip(names, addresses, strict=True))
    if given.workspace:
        named["workspace"] = -(-named["workspace"] // cublas.ALIGNED) * cublas.ALIGNED
    algorithm = cublas.Algorithm.from_buffer_copy(given.algorithm)
    plan = cublas.Plan(found, device, given.problem)
    return partial(plan.run, algorithm, named, given.workspace)


def copy(device: Any, target: int, source: int, nbytes: int) -> Issue:
    """A copy within the device's memory."""
    return partial(device.driver.memcpy_dtod_async, target, source, nbytes, device.stream)


def _nothing() -> None:
    """A launch of no blocks, which the driver does not take."""
