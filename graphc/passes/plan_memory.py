"""Where each intermediate value lives: one arena, in which values that never meet share bytes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector of today's CPUs."""
EXACT_LIMIT = 4000
"""Intervals above which only the quick strategy is tried."""


@dataclass(frozen=True)
class Interval:
    """A value's need: so many bytes from one step of the schedule to another, both included."""

    key: Hashable
    nbytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """The arena: each value's offset, the size of the whole, and the least it could be."""

    offsets: dict[Hashable, int]
    arena_bytes: int
    live_peak: int
    """The largest sum of the values that are alive at one step: no plan needs less."""


def padded(nbytes: int) -> int:
    """``nbytes`` rounded up to whole cache lines."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def plan_memory(intervals: Sequence[Interval]) -> Plan:
    """Offsets for all ``intervals``, by whichever strategy needs the smaller arena."""
    live = [x for x in intervals if x.nbytes]
    plans = [_in_order(live)]
    peak = live_peak(live)
    if len(live) <= EXACT_LIMIT and plans[0][1] > peak:
        plans.append(_pack(sorted(live, key=lambda x: (-x.nbytes, x.first))))
        span = sorted(live, key=lambda x: (-(x.last - x.first) * x.nbytes, x.first))
        plans.append(_pack(span))
    offsets, size = min(plans, key=lambda plan: plan[1])
    offsets.update({x.key: 0 for x in intervals if not x.nbytes})
    return Plan(offsets, size, peak)


def live_peak(intervals: Sequence[Interval]) -> int:
    """The largest sum of bytes alive at one step."""
    change: dict[int, int] = {}
    for x in intervals:
        change[x.first] = change.get(x.first, 0) + padded(x.nbytes)
        change[x.last + 1] = change.get(x.last + 1, 0) - padded(x.nbytes)
    peak = now = 0
    for step in sorted(change):
        now += change[step]
        peak = max(peak, now)
    return peak


def _in_order(intervals: Sequence[Interval]) -> tuple[dict[Hashable, int], int]:
    """Each interval, as its turn comes, in the tightest gap that those alive leave it."""
    offsets: dict[Hashable, int] = {}
    ends: list[tuple[int, int, int]] = []
    gaps = _Gaps()
    for x in sorted(intervals, key=lambda x: (x.first, -x.nbytes)):
        while ends and ends[0][0] < x.first:
            _, low, high = heappop(ends)
            gaps.free(low, high)
        offset = offsets[x.key] = gaps.take(padded(x.nbytes))
        heappush(ends, (x.last, offset, offset + padded(x.nbytes)))
    return offsets, gaps.size


class _Gaps:
    """The free ranges of bytes below the end of what is taken."""

    def __init__(self) -> None:
        self.size = 0
        """The greatest end that there ever was."""
        self.end = 0
        self.by_length: list[tuple[int, int]] = []
        self.high_of: dict[int, int] = {}
        self.low_of: dict[int, int] = {}

    def take(self, nbytes: int) -> int:
        """The start of the tightest range of so many bytes, which is free no longer."""
        place = bisect_left(self.by_length, (nbytes, 0))
        if place == len(self.by_length):
            low, self.end = self.end, self.end + nbytes
            self.size = max(self.size, self.end)
            return low
        length, low = self.by_length[place]
        self._remove(low)
        if length > nbytes:
            self._add(low + nbytes, low + length)
        return low

    def free(self, low: int, high: int) -> None:
        """Give a range back, which joins its neighbours."""
        if low in self.low_of:
            low = self._remove(self.low_of[low])[0]
        if high in self.high_of:
            high = self._remove(high)[1]
        if high == self.end:
            self.end = low
        else:
            self._add(low, high)

    def _add(self, low: int, high: int) -> None:
        self.high_of[low], self.low_of[high] = high, low
        insort(self.by_length, (high - low, low))

    def _remove(self, low: int) -> tuple[int, int]:
        high = self.high_of.pop(low)
        del self.low_of[high]
        del self.by_length[bisect_left(self.by_length, (high - low, low))]
        return low, high


def _pack(order: Sequence[Interval]) -> tuple[dict[Hashable, int], int]:
    """Each interval, in ``order``, in the tightest gap that those placed before leave it."""
    first, last, low, high = (np.zeros(len(order), np.int64) for _ in range(4))
    offsets: dict[Hashable, int] = {}
    for count, x in enumerate(order):
        nbytes = padded(x.nbytes)
        meets = np.flatnonzero((first[:count] <= x.last) & (last[:count] >= x.first))
        meets = meets[np.argsort(low[meets])]
        ends = np.maximum.accumulate(high[meets])
        starts = np.concatenate(([0], ends[:-1]))
        gaps = low[meets] - starts
        fitting = np.flatnonzero(gaps >= nbytes)
        if len(fitting):
            offset = int(starts[fitting[np.argmin(gaps[fitting])]])
        else:
            offset = int(ends[-1]) if len(ends) else 0
        first[count], last[count], low[count], high[count] = (
            x.first,
            x.last,
            offset,
            offset + nbytes,
        )
        offsets[x.key] = offset
    return offsets, int(high.max(initial=0))
