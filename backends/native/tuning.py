"""Choosing by measuring: how a product is cut, per shape and machine."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from graphc.backends import tuned
from graphc.backends.native.build import Build
from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import FLAGS
from graphc.backends.native.library import prelude
from graphc.backends.native.made import Made
from graphc.backends.native.matmul_text import MatmulText
from graphc.backends.native.products import Product
from graphc.backends.native.targets import Target, processor
from graphc.backends.native.tiles import Tile, candidates, chosen, cost

SECONDS = 60.0
"""How long the measuring for one program may take; what is left then is chosen by its cost."""
COUNT = 10
"""Candidates of each product: those that should cost least."""
ROUNDS = 5
"""How often each candidate is timed, in turn with the others; its best time counts."""
SLICE = 2e-3
"""Seconds of each timing at least."""
BYTE = 0x3F
"""What operands are filled with: floats of every kind below one. Memory that was never written to
would be one page of zeros for all, which the first cache holds."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass
class Tuner:
    """What one program's products were measured to be best cut into."""

    target: Target
    threads: int
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def tile(self, x: Product) -> Tile:
        """The best cut: known from before, or measured now while there is time."""
        known = tuned.known()
        key = f"{processor()}; {self.target.name}; {self.threads} threads; {_described(x)}"
        if key in known:
            return Tile(**known[key])
        if time.monotonic() > self.deadline or _is_reversed(x):
            return chosen(x, self.target, self.threads)
        found = self._measured(x)
        tuned.remember(key, asdict(found))
        return found

    def _measured(self, x: Product) -> Tile:
        ordered = sorted(
            candidates(x, self.target, self.threads),
            key=lambda tile: cost(x, tile, self.target, self.threads),
        )
        x = replace(x, is_finished=False)
        tiles = list(dict.fromkeys(ordered))[:COUNT]
        made = [
            MatmulText(f"candidate_{i}", x, tile, self.threads, None).made()
            for i, tile in enumerate(tiles)
        ]
        times = _times(made, x, self.target)
        best = min(range(len(tiles)), key=times.__getitem__)
        reason = f"measured: {times[best] * 1e6:.1f} us, the best of {len(tiles)} cuts"
        return replace(tiles[best], reason=reason)


def _is_reversed(x: Product) -> bool:
    """Whether an operand lies before its first element."""
    strides = (s for m in (x.a, x.b, x.c) for s in (*m.batch, m.row, m.column))
    return any(s < 0 for s in strides)


def _described(x: Product) -> str:
    """A product's shape, strides and type, as a key."""
    parts = (x.batch, x.rows, x.columns, x.depth, x.a, x.b, x.c, x.dtype.name)
    return "; ".join(map(str, parts))


def _times(made: Sequence[Made], x: Product, target: Target) -> list[float]:
    """Seconds that each candidate takes, on one thread."""
    library = _compiled(made, target)
    # A function takes the operands as the node has them.
    sides = ("b", "a", "c") if x.is_swapped else ("a", "b", "c")
    sizes = [_reach(x, side) * x.dtype.itemsize for side in sides]
    arrays = [np.full(n + 64, BYTE, np.uint8) for n in sizes]
    calls: list[Callable[[], None]] = []
    for i, one in enumerate(made):
        work = [np.full(n + 64, BYTE, np.uint8) for n in one.workspace]
        addresses = [-(-array.ctypes.data // 64) * 64 for array in (*arrays, *work)]
        calls.append(_Call(library, f"run_{i}", addresses, [*arrays, *work]))
    best = [float("inf")] * len(calls)
    for call in calls:
        call()
    for _ in range(ROUNDS):
        for i, call in enumerate(calls):
            best[i] = min(best[i], _seconds(call))
    return best


class _Call:
    """A candidate over memory of its own."""

    def __init__(
        self, library: ctypes.CDLL, name: str, addresses: list[int], held: list[Array]
    ) -> None:
        self.function = getattr(library, name)
        self.pointers = (ctypes.c_void_p * len(addresses))(*addresses)
        self.held = held

    def __call__(self) -> None:
        self.function(self.pointers)


def _seconds(call: Callable[[], None]) -> float:
    count, begin = 0, time.perf_counter()
    while True:
        call()
        count += 1
        spent = time.perf_counter() - begin
        if spent > SLICE:
            return spent / count


def _reach(x: Product, side: str) -> int:
    """Elements from the first to the last of an operand."""
    matrix = getattr(x, side)
    extents = {"a": (x.rows, x.depth), "b": (x.depth, x.columns), "c": (x.rows, x.columns)}[side]
    reach = (extents[0] - 1) * abs(matrix.row) + (extents[1] - 1) * abs(matrix.column)
    reach += sum((n - 1) * abs(s) for n, s in zip(x.batch, matrix.batch, strict=True))
    return int(reach) + 1


def _compiled(made: Sequence[Made], target: Target) -> ctypes.CDLL:
    """All candidates, and for each a function that runs it."""
    parts = [prelude({name for one in made for name in one.helpers})]
    for i, one in enumerate(made):
        pointers = ", ".join(f"(void *)p[{j}]" for j in range(3 + len(one.workspace)))
        calls = [
            f"    for (long i = 0; i < {stage.tasks}; i++) {stage.function}(i, {pointers});"
            for stage in one.stages
        ]
        parts += [one.text, f"void run_{i}(void **p) {{", *calls, "}"]
    build = Build(["\n".join(parts)], (*FLAGS, *target.flags), compiler())
    return ctypes.CDLL(str(build.path()))
