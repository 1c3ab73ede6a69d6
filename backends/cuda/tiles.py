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
SPLITS = (1, 2, 4, 8, 16, 32)
"""Into how many parts the inner dimension may be split."""


@dataclass(frozen=True)
class Variant:
    """One way to cut a product: the tile of a block, and the part of it that a worker has.

    A worker is a warp of tensor cores, or else a thread.
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
    on_tensor_cores: bool

    @property
    def workers(self) -> int:
        """How many there are in a block."""
        return self.rows * self.columns // (self.part[0] * self.part[1])

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.workers * (32 if self.on_tensor_cores else 1)


def _on_tensor_cores(*lines: tuple[int, int, int, tuple[int, int], int, int]) -> list[Variant]:
    return [Variant(*line, on_tensor_cores=True) for line in lines]


def _by_threads(*lines: tuple[int, int, int, tuple[int, int], int, int]) -> list[Variant]:
    return [Variant(*line, on_tensor_cores=False) for line in lines]


VARIANTS: dict[str, list[Variant]] = {
    "half": _on_tensor_cores(
        (128, 128, 32, (64, 64), 3, 2),
        (128, 64, 32, (64, 32), 4, 2),
        (64, 128, 32, (32, 64), 4, 2),
        (64, 64, 32, (32, 32), 4, 3),
        (32, 64, 64, (16, 32), 4, 4),
        (16, 64, 64, (16, 16), 4, 4),
        (64, 16, 64, (16, 16), 4, 4),
    ),
    "tf32": _on_tensor_cores(
        (128, 128, 16, (64, 64), 3, 2),
        (128, 64, 16, (64, 32), 4, 2),
        (64, 128, 16, (32, 64), 4, 2),
        (64, 64, 16, (32, 32), 4, 3),
        (32, 64, 32, (16, 32), 4, 4),
        (16, 64, 32, (16, 16), 4, 4),
        (64, 16, 32, (16, 16), 4, 4),
    ),
    "single": _by_threads(
        (128, 128, 16, (8, 8), 2, 2),
        (128, 64, 16, (8, 8), 3, 4),
        (64, 64, 16, (4, 4), 3, 3),
        (32, 32, 32, (4, 4), 3, 6),
    ),
    "double": _by_threads(
        (64, 64, 8, (4, 4), 3, 2),
        (32, 32, 16, (4, 4), 3, 4),
    ),
}
"""The variants for each kind of elements, the largest first. Depths are 64 or 128 bytes wide."""
RATES = {"half": 1024, "tf32": 512, "single": 128, "double": 64}
"""Multiplications with additions of a multiprocessor in a cycle."""


@dataclass(frozen=True)
class Cut:
    """How a product is computed."""

    variant: Variant
    splits: int
    """Parts of the inner dimension."""
    reason: str = ""
    """Why it was chosen, where it was measured."""


def chosen(kind: str, size: int, batch: int, m: int, n: int, k: int) -> Cut:
    """The cut that should take least, for elements of a kind and of so many bytes."""
    return ranked(kind, size, batch, m, n, k)[0]


def ranked(kind: str, size: int, batch: int, m: int, n: int, k: int) -> list[Cut]:
    """All cuts, those first that should take least."""
    cuts = [
        Cut(variant, splits)
        for variant in VARIANTS[kind]
        for splits in SPLITS
        if splits == 1 or splits * 2 * variant.depth <= k
    ]
    return sorted(cuts, key=lambda cut: _cycles(kind, size, cut, (batch, m, n, k)))


def _cycles(kind: str, size: int, cut: Cut, extents: tuple[int, int, int, int]) -> float:
    batch, m, n, k = extents
    x, splits = cut.variant, cut.splits
    tiles = batch * blocks(m, x.rows) * blocks(n, x.columns) * splits
    steps = blocks(blocks(k, x.depth), splits)
    each = max(1, blocks(tiles, PROCESSORS))
    waves = blocks(each, x.resident)
    busy = each * (steps * _step(kind, size, x) + 4 * x.rows * x.columns / STORED)
    waits = waves * LATENCY * (1 + steps / (x.stages - 1))
    cycles = max(busy, waits) + LATENCY
    if splits > 1:
        moved = 4 * batch * m * n * (splits + 1)
        cycles += LAUNCH + moved / (STORED * PROCESSORS)
    return cycles


def _step(kind: str, size: int, x: Variant) -> float:
    """Cycles in which a multiprocessor does one step of a block."""
    work = x.rows * x.columns * x.depth / RATES[kind]
    # Threads of a warp share what they read: it has the part of four by eight of them.
    rows, columns = x.part if x.on_tensor_cores else (4 * x.part[0], 8 * x.part[1])
    read = x.rows * x.columns * x.depth * size * (1 / rows + 1 / columns) / SHARED
    brought = (x.rows + x.columns) * x.depth * size / CACHED
    return max(work, read, brought)
