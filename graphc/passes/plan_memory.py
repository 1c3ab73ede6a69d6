"""Where each intermediate value lives: one arena, in which values that never meet share bytes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

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
    plans = [_pack(live, sorted(live, key=lambda x: (x.first, -x.nbytes)))]
    peak = live_peak(live)
    if len(live) <= EXACT_LIMIT and plans[0][1] > peak:
        plans.append(_pack(live, sorted(live, key=lambda x: (-x.nbytes, x.first))))
        span = sorted(live, key=lambda x: (-(x.last - x.first) * x.nbytes, x.first))
        plans.append(_pack(live, span))
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


def _pack(
    intervals: Sequence[Interval], order: Sequence[Interval]
) -> tuple[dict[Hashable, int], int]:
    """Each interval, in ``order``, in the tightest gap that those placed before leave it."""
    offsets: dict[Hashable, int] = {}
    placed = _Timeline(intervals)
    size = 0
    for x in order:
        nbytes = padded(x.nbytes)
        best, best_gap, end = -1, 0, 0
        for low, high in placed.during(x):
            gap = low - end
            if gap >= nbytes and (best < 0 or gap < best_gap):
                best, best_gap = end, gap
            end = max(end, high)
        offset = end if best < 0 else best
        offsets[x.key] = offset
        placed.add(x, offset, offset + nbytes)
        size = max(size, offset + nbytes)
    return offsets, size


class _Timeline:
    """What is placed, found by the steps at which it is alive."""

    BUCKETS = 256

    def __init__(self, intervals: Sequence[Interval]) -> None:
        last = max((x.last for x in intervals), default=0)
        self.width = last // self.BUCKETS + 1
        self.buckets: list[list[tuple[int, int, Interval]]] = [[] for _ in range(self.BUCKETS)]

    def _range(self, x: Interval) -> range:
        return range(x.first // self.width, x.last // self.width + 1)

    def add(self, x: Interval, low: int, high: int) -> None:
        for bucket in self._range(x):
            self.buckets[bucket].append((low, high, x))

    def during(self, x: Interval) -> list[tuple[int, int]]:
        """The byte ranges taken while ``x`` is alive, ascending."""
        taken = {
            (low, high)
            for bucket in self._range(x)
            for low, high, other in self.buckets[bucket]
            if other.first <= x.last and x.first <= other.last
        }
        return sorted(taken)
