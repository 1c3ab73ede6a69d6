"""Which kernels may run at once: barriers follow from what each reads and writes."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.lowering.schedule import Schedule
from graphc.lowering.views import Result

LIMIT = 64
"""Kernels of one phase, so that what it hands out stays one that can be read."""


def phases(made: Schedule) -> dict[Node, int]:
    """The number of the phase of each kernel, ascending in the schedule's order.

    The kernels of a phase touch nothing that another of them writes, so that nothing need wait
    until the phase ends.
    """
    roots: dict[Result, Result] = {}
    found: dict[Node, int] = {}
    number = count = 0
    read: set[Result] = set()
    written: set[Result] = set()
    for kernel in made.order:
        reads = {_home(made, roots, x) for x in made.reads(kernel)}
        writes = {_home(made, roots, (kernel, i)) for i in range(len(kernel.types))}
        if count == LIMIT or writes & (read | written) or reads & written:
            number, count, read, written = number + 1, 0, set(), set()
        found[kernel] = number
        count += 1
        read |= reads
        written |= writes
    return found


def _home(made: Schedule, roots: dict[Result, Result], result: Result) -> Result:
    """The result whose memory this one has."""
    if result in roots:
        return roots[result]
    target = made.in_state.get(result)
    if target is not None:
        home = (target, 0)
    elif result in made.shared:
        home = _home(made, roots, made.shared[result])
    else:
        home = result
    roots[result] = home
    return home
