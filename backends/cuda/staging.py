"""Copies from the CPU that need not be waited for: through page-locked memory, in turns."""

from __future__ import annotations

from typing import Any

import numpy as np

HALF = 4 << 20
"""Bytes of each half; what is larger is copied from where it lies, and waited for."""
STEP = 256


class Staging:
    """Two halves of page-locked memory: while the device still reads one, the other is filled."""

    def __init__(self, driver: Any, stream: Any) -> None:
        self.driver, self.stream = driver, stream
        self.halves: list[Any] = []
        self.events: list[Any] = []
        self.half = self.used = 0

    def upload(self, address: int, array: Any) -> None:
        """Copy a contiguous array of the CPU to the device; the array may change afterwards."""
        if not array.nbytes:
            return
        if array.nbytes > HALF:
            self.driver.memcpy_htod_async(address, array, self.stream)
            self.stream.synchronize()
            return
        part = self._part(array.nbytes)
        part[:] = array.reshape(-1).view(np.uint8)
        self.driver.memcpy_htod_async(address, part, self.stream)

    def _part(self, nbytes: int) -> Any:
        """Bytes that nothing reads any more."""
        if not self.halves:
            for _ in range(2):
                self.halves.append(self.driver.pagelocked_empty(HALF, np.uint8))
                self.events.append(self.driver.Event(self.driver.event_flags.DISABLE_TIMING))
        if self.used + nbytes > HALF:
            self.events[self.half].record(self.stream)
            self.half, self.used = 1 - self.half, 0
            self.events[self.half].synchronize()
        begin = self.used
        self.used += -(-nbytes // STEP) * STEP
        return self.halves[self.half][begin : begin + nbytes]
