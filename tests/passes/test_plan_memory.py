"""The arena: values that are alive together never overlap, and little is wasted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.passes.plan_memory import Interval, live_peak, padded, plan_memory


@st.composite
def needs(draw: st.DrawFn) -> list[Interval]:
    count = draw(st.integers(1, 40))
    found = []
    for key in range(count):
        first = draw(st.integers(0, 30))
        last = first + draw(st.integers(0, 10))
        found.append(Interval(key, draw(st.integers(0, 5000)), first, last))
    return found


@settings(max_examples=200, deadline=None)
@given(needs())
def test_live_values_never_overlap(intervals: list[Interval]) -> None:
    plan = plan_memory(intervals)
    for i, a in enumerate(intervals):
        assert plan.offsets[a.key] + padded(a.nbytes) <= max(plan.arena_bytes, 0) or not a.nbytes
        for b in intervals[i + 1 :]:
            together = a.first <= b.last and b.first <= a.last
            low, high = plan.offsets[a.key], plan.offsets[a.key] + a.nbytes
            other = plan.offsets[b.key], plan.offsets[b.key] + b.nbytes
            if together and a.nbytes and b.nbytes:
                assert high <= other[0] or other[1] <= low
    assert plan.arena_bytes >= plan.live_peak == live_peak(intervals)


def test_a_chain_needs_two_buffers() -> None:
    chain = [Interval(i, 1 << 20, i, i + 1) for i in range(100)]
    assert plan_memory(chain).arena_bytes == 2 << 20


def test_a_stack_unwinds_without_waste() -> None:
    forward = [Interval(("f", i), 4096, i, 200 - i) for i in range(100)]
    backward = [Interval(("b", i), 4096, 100 + i, 101 + i) for i in range(100)]
    plan = plan_memory([*forward, *backward])
    assert plan.arena_bytes <= 1.05 * plan.live_peak
