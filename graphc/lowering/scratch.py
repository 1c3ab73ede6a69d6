"""Rows of scratch memory that are never needed at once share one."""

from __future__ import annotations

from dataclasses import replace

from graphc.ir.dtype import DType
from graphc.lowering.kernel import Action, Keep, Kept, Kernel, Load, Sweep


def shared(kernel: Kernel) -> Kernel:
    """The kernel with as few rows as it needs: what its sweeps go over stays in a nearer cache.

    A row is free for a sweep after the last one that reads it.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, sweep in enumerate(kernel.sweeps):
        for x in sweep.body:
            if isinstance(x, Keep):
                first[x.scratch] = last[x.scratch] = number
            elif isinstance(x, Load) and isinstance(x.source, Kept):
                last[x.source.scratch] = number
    places: dict[int, int] = {}
    ends: list[int] = []
    dtypes: list[DType] = []
    for row in sorted(first, key=lambda row: first[row]):
        free = [p for p, end in enumerate(ends) if end < first[row]]
        place = next((p for p in free if dtypes[p] is kernel.scratch[row]), len(ends))
        if place == len(ends):
            ends.append(0)
            dtypes.append(kernel.scratch[row])
        places[row], ends[place] = place, last[row]
    sweeps = tuple(
        Sweep(sweep.row, tuple(_moved(x, places) for x in sweep.body)) for sweep in kernel.sweeps
    )
    return replace(kernel, sweeps=sweeps, scratch=tuple(dtypes))


def _moved(x: Action, places: dict[int, int]) -> Action:
    if isinstance(x, Keep):
        return replace(x, scratch=places[x.scratch])
    if isinstance(x, Load) and isinstance(x.source, Kept):
        return replace(x, source=Kept(places[x.source.scratch]))
    return x
