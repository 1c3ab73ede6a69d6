"""How products are cut into tiles: the variants that there are, and which of them is chosen.

The estimate counts cycles of a multiprocessor. A step of a block takes as long as the slowest of
its multiplications, what they read of shared memory, and what comes from the cache of the device;
with little to do it takes as long as memory lets it wait. A launch takes as many such blocks, one
after the other, as fall to a multiprocessor. Where there are too few, the inner dimension is split:
each part writes its sums, and a second launch adds them up, always in the same order.

Nothing here was measured: the table and the numbers below are all that a measurement has to amend.
On a device the tuner measures those that should take least (``tuning.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.cuda.made import blocks

PROCESSORS = 132
"""Multiprocessors of the device that choices are made for; the text does not depend on any."""
SHARED = 128
"""Bytes that a multiprocessor reads of its shared memory in a cycle."""
CACHED = 40
"""Bytes that come to it from the device's cache in a cycle, where all of them read."""
STORED = 16
"""Bytes that each moves to or from memory in a cycle."""
LATENCY = 800
"""Cycles until what memory is asked for is there."""
LAUNCH = 6000
"""Cycles that a second launch costs."""
THREAD, WARP, WARPGROUP = 1, 32, 128
"""Threads that multiply together."""
SPLITS = (1, 2, 4, 8, 16, 32)
"""Into how many parts the inner dimension may be split."""


@dataclass(frozen=True)
class Variant:
    """One way to cut a product: the tile of a block, and the part of it that a worker has.

    A worker is a warp or a warpgroup of tensor cores, or else a thread.
    """

    rows: int
    columns: int
    depth: int
    part: tuple[int, int]
    """Rows and columns of a worker's part."""
    stages: int
    """Tiles of the operands that are in shared memory at once."""
    resident: int
    """Blocks that a multiprocessor has at once, which bounds the registers of a thread."""
    worker: int
    """Threads of a worker."""

    @property
    def workers(self) -> int:
        """How many there are in a block."""
        return self.rows * self.columns // (self.part[0] * self.part[1])

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.workers * self.worker

    @property
    def ahead(self) -> int:
        """Tiles that are on their way: a warpgroup still multiplies the one before its own."""
        return self.stages - (2 if self.worker == WARPGROUP else 1)


def _by(worker: int, *lines: tuple[int, int, int, tuple[int, int], int, int]) -> list[Variant]:
    return [Variant(*line, worker) for line in lines]


VARIANTS: dict[str, list[Variant]] = {
    "half": _by(
        WARP,
        (128, 128, 32, (64, 64), 3, 2),
        (128, 64, 32, (64, 32), 4, 2),
        (64, 128, 32, (32, 64), 4, 2),
        (64, 64, 32, (32, 32), 4, 3),
        (32, 64, 64, (16, 32), 4, 4),
        (16, 64, 64, (16, 16), 4, 4),
        (64, 16, 64, (16, 16), 4, 4),
    ),
    "tf32": _by(
        WARP,
        (128, 128, 16, (64, 64), 3, 2),
        (128, 64, 16, (64, 32), 4, 2),
        (64, 128, 16, (32, 64), 4, 2),
        (64, 64, 16, (32, 32), 4, 3),
        (32, 64, 32, (16, 32), 4, 4),
        (16, 64, 32, (16, 16), 4, 4),
        (64, 16, 32, (16, 16), 4, 4),
    ),
    "single": _by(
        THREAD,
        (128, 128, 16, (8, 8), 2, 2),
        (128, 64, 16, (8, 8), 3, 4),
        (64, 64, 16, (4, 4), 3, 3),
        (32, 32, 32, (4, 4), 3, 6),
    ),
    "double": _by(
        THREAD,
        (64, 64, 8, (4, 4), 3, 2),
        (32, 32, 16, (4, 4), 3, 4),
    ),
}
"""The variants for each kind of elements, the largest first. Depths are 64 or 128 bytes wide."""
WARPGROUPS: dict[str, list[Variant]] = {
    kind: _by(
        WARPGROUP,
        (128, 256, depth, (64, 256), 4, 1),
        (128, 192, depth, (64, 192), 5, 1),
        (128, 128, depth, (64, 128), 3, 2),
        (128, 64, depth, (64, 64), 4, 2),
        (64, 128, depth, (64, 128), 4, 2),
        (64, 64, depth, (64, 64), 4, 3),
    )
    for kind, depth in (("half", 64), ("tf32", 32))
}
"""Those for tensor cores that read both operands of shared memory; depths are 128 bytes wide."""
RATES = {"half": 1024, "tf32": 512, "single": 128, "double": 64}
"""Multiplications with additions of a multiprocessor in a cycle; warpgroups do twice as many."""


@dataclass(frozen=True)
class Cut:
    """How a product is computed."""

    variant: Variant
    splits: int
    """Parts of the inner dimension."""
    reason: str = ""
    """Why it was chosen, where it was measured."""


def ranked(kind: str, size: int, extents: tuple[int, int, int, int], *, grouped: bool) -> list[Cut]:
    """All cuts for elements of a kind and of so many bytes, those first that should take least.

    ``extents`` are batch, m, n and k; ``grouped`` says whether warpgroups can work on them.
    """
    k = extents[-1]
    cuts = [
        Cut(variant, splits)
        for variant in (*(WARPGROUPS[kind] if grouped else ()), *VARIANTS[kind])
        for splits in SPLITS
        if splits == 1 or splits * 2 * variant.depth <= k
    ]
    return sorted(cuts, key=lambda cut: _cycles(kind, size, cut, extents))


def _cycles(kind: str, size: int, cut: Cut, extents: tuple[int, int, int, int]) -> float:
    batch, m, n, k = extents
    x, splits = cut.variant, cut.splits
    tiles = batch * blocks(m, x.rows) * blocks(n, x.columns) * splits
    steps = blocks(blocks(k, x.depth), splits)
    each = max(1, blocks(tiles, PROCESSORS))
    waves = blocks(each, x.resident)
    busy = each * (steps * _step(kind, size, x) + 4 * x.rows * x.columns / STORED)
    waits = waves * LATENCY * (1 + steps / x.ahead)
    cycles = max(busy, waits) + LATENCY
    if splits > 1:
        moved = 4 * batch * m * n * (splits + 1)
        cycles += LAUNCH + moved / (STORED * PROCESSORS)
    return cycles


def _step(kind: str, size: int, x: Variant) -> float:
    """Cycles in which a multiprocessor does one step of a block."""
    work = x.rows * x.columns * x.depth / RATES[kind]
    # Threads of a warp that read the same element take it to registers of their own, each of them.
    rows, columns = x.part
    if x.worker == WARPGROUP:
        work /= 2
    read = x.rows * x.columns * x.depth * size * (1 / rows + 1 / columns) / SHARED
    brought = (x.rows + x.columns) * x.depth * size / CACHED
    return max(work, read, brought)
