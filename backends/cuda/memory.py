"""A device's memory: blocks that are kept when they are given back, for the next that fits.

Everything is done on one stream, in order, so a block may be used anew as soon as it is given back:
what was begun before on its memory is done before. So giving back needs no call of the driver, and
may happen in any thread.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections import deque
from typing import Any

from graphc.errors import GraphcRuntimeError

SMALL, LARGE = 512, 2 << 20
"""Sizes are multiples of the one, in bytes, and from the other on of that."""
WASTE = 1.25
"""By how much a block may be larger than what it is taken for, if it is not small."""


class OutOfMemory(GraphcRuntimeError):
    """A device has less free memory than is asked for."""


class Block:
    """A piece of a device's memory, given back when nobody holds it."""

    __slots__ = ("__weakref__", "address", "memory", "nbytes", "size")

    def __init__(self, memory: Memory, address: int, size: int, nbytes: int) -> None:
        self.memory, self.address, self.size, self.nbytes = memory, address, size, nbytes

    def __del__(self) -> None:
        self.memory.returned.append((self.size, self.address, self.nbytes))


class Memory:
    """The blocks of one device."""

    def __init__(self, driver: Any, name: str) -> None:
        self.driver, self.name = driver, name
        self.lock = threading.RLock()
        self.allocations: dict[int, Any] = {}
        """What the driver gave, by address."""
        self.free: list[tuple[int, int]] = []
        """Sizes and addresses of blocks that nobody holds, in order."""
        self.returned: deque[tuple[int, int, int]] = deque()
        """Blocks given back that are not among the free ones yet."""
        self.allocated = self.peak = 0
        """Bytes that are held now, and that were held at most."""
        self.reserved = self.reserved_peak = 0
        """Bytes that the driver gave."""

    def take(self, nbytes: int, what: str) -> Block:
        """A block of at least so many bytes, in whose context the caller is."""
        wanted = rounded(nbytes)
        with self.lock:
            size, address = self._latest(wanted) or self._found(wanted) or self._fresh(nbytes, what)
            self.allocated += nbytes
            self.peak = max(self.peak, self.allocated)
            return Block(self, address, size, nbytes)

    def _latest(self, wanted: int) -> tuple[int, int] | None:
        """The block given back last, if it has that size, as results of step after step have."""
        if not self.returned:
            return None
        size, address, nbytes = last = self.returned.pop()
        if size == wanted:
            self.allocated -= nbytes
            return size, address
        self.returned.append(last)
        self.settle()
        return None

    def settle(self) -> None:
        """Count what has been given back."""
        with self.lock:
            while self.returned:
                size, address, nbytes = self.returned.popleft()
                insort(self.free, (size, address))
                self.allocated -= nbytes

    def _found(self, size: int) -> tuple[int, int] | None:
        place = bisect_left(self.free, (size, 0))
        limit = max(size, LARGE) if size < LARGE else size * WASTE
        if place < len(self.free) and self.free[place][0] <= limit:
            return self.free.pop(place)
        return None

    def _fresh(self, nbytes: int, what: str) -> tuple[int, int]:
        size = rounded(nbytes)
        for attempt in (0, 1):
            try:
                given = self.driver.mem_alloc(size)
                break
            except self.driver.MemoryError:
                if attempt:
                    raise self._exhausted(nbytes, what) from None
                self.empty()
        address = int(given)
        self.allocations[address] = given, size
        self.reserved += size
        self.reserved_peak = max(self.reserved_peak, self.reserved)
        return size, address

    def _exhausted(self, nbytes: int, what: str) -> OutOfMemory:
        free, total = self.driver.mem_get_info()
        return OutOfMemory(
            f"CUDA out of memory: {what} needs {nbytes:,} bytes on {self.name}, of whose "
            f"{total:,} bytes {free:,} are free; graphc holds {self.allocated:,}"
        )

    def reset_peaks(self) -> None:
        """Let the most that was held be what is held now."""
        with self.lock:
            self.settle()
            self.peak, self.reserved_peak = self.allocated, self.reserved

    def empty(self) -> None:
        """Give back to the driver what nobody holds."""
        with self.lock:
            self.settle()
            for size, address in self.free:
                given, _ = self.allocations.pop(address)
                given.free()
                self.reserved -= size
            self.free.clear()


def rounded(nbytes: int) -> int:
    """The size of the block for so many bytes."""
    step = SMALL if nbytes <= LARGE else LARGE
    return -(-nbytes // step) * step or step
