"""Asking for memory ahead of the loops that go through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from graphc.lowering.kernel import Access, Action, Kernel, Load, Store

LARGE = 1024 * 1024
"""Bytes of an array below which the second cache is likely to hold it."""
LONG = 256
"""Elements of an inner loop below which its steps are not worth a loop of their own."""
STEP = 64
"""Elements of a step, at the beginning of which the cache lines of a later one are asked for."""
LINE = 64
"""Bytes of a cache line."""


class Streams:
    """The arrays that a kernel goes through, each asked for where it is met first.

    A processor's own prefetching follows loads, not instructions that it has yet to see: where a
    step takes long, few of them are in flight, and it waits for memory at each one.
    """

    def __init__(self, kernel: Kernel, ahead: int) -> None:
        self.kernel, self.ahead = kernel, ahead
        self.seen: set[Access] = set()

    def of(self, body: Sequence[Action], inner: int) -> list[Access]:
        """The arrays that a loop along the axis ``inner`` begins to go through."""
        if not self.ahead or self.kernel.axes[inner].extent < LONG:
            return []
        found = [x for x in dict.fromkeys(_accesses(body)) if self._is_streamed(x, inner)]
        found = [x for x in found if x not in self.seen]
        self.seen.update(found)
        return found

    def _is_streamed(self, x: Access, inner: int) -> bool:
        extents = (n for n, s in zip(self.kernel.space, x.strides, strict=True) if s)
        return x.strides[inner] == 1 and prod(extents) * x.dtype.itemsize >= LARGE

    def statements(self, x: Access, place: str, step: int) -> list[str]:
        """Ask for the lines of a later step of an array, whose element ``place`` begins this."""
        far, unit = self.ahead // x.dtype.itemsize, LINE // x.dtype.itemsize
        return [
            f"__builtin_prefetch({place} + {far + at}{', 1' if self._is_result(x) else ''});"
            for at in range(0, step, unit)
        ]

    def _is_result(self, x: Access) -> bool:
        stores = (y for sweep in self.kernel.sweeps for y in (*sweep.row, *sweep.body))
        return any(isinstance(y, Store) and y.target == x for y in stores)


def _accesses(body: Sequence[Action]) -> Iterator[Access]:
    for x in body:
        if isinstance(x, Load) and isinstance(x.source, Access):
            yield x.source
        elif isinstance(x, Store):
            yield x.target
