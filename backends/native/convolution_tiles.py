"""The register tiles of a convolution: their shape for a target, and their C functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphc.backends.native.targets import Target
from graphc.kernels_templates import render

UNROLLED = 12
"""Terms in a loop at most for which they are written out instead."""


CHANNELS = "*(const {name}_vector *)(x{row} + k + {lane})"
"""The elements of x of neighbouring columns."""


@dataclass(frozen=True)
class Tile:
    """The largest tile: rows times some vectors."""

    rows: int
    vectors: int
    lanes: int

    @property
    def columns(self) -> int:
        """Elements of a row."""
        return self.vectors * self.lanes


def tile_for(target: Target, itemsize: int, columns: int) -> Tile:
    """The tile for a product of so many columns."""
    lanes = target.lanes(itemsize)
    while lanes * itemsize > 16 and lanes // 2 >= columns:
        lanes //= 2
    wide, narrow = (-(-columns // n) * n for n in (2 * lanes, lanes))
    vectors = 2 if wide <= narrow * 1.1 else 1
    if target.registers < 32 and target.width == 16:
        # Without fused multiply-add a product takes a register of its own.
        return Tile(4 if vectors == 2 else 8, vectors, lanes)
    return Tile(min(12, (target.registers - vectors - 1) // vectors), vectors, lanes)


@dataclass(frozen=True)
class Split:
    """Rows cut into tiles: the first ``larger`` tiles have a row more than ``rows``."""

    total: int
    tiles: int
    rows: int
    larger: int

    @property
    def sizes(self) -> frozenset[int]:
        """How many rows a tile may have."""
        if not self.tiles:
            return frozenset()
        return frozenset({self.rows + 1 if self.larger else self.rows, self.rows})


def split(total: int, rows: int) -> Split:
    """So many rows in tiles of at most ``rows``, as even as can be."""
    tiles = -(-total // rows)
    return Split(total, tiles, total // max(1, tiles), total % max(1, tiles))


@dataclass(frozen=True)
class Terms:
    """The loops over the terms of a tile's sums."""

    loops: Sequence[tuple[str, str]]
    """Index and count of each outer loop."""
    start: str
    length: str
    step: int
    along: int
    begin: str = "{{}}"
    parameters: str = ""
    channels: bool = False
    """Whether each column has an element of x of its own, as when channels do not mix."""


def tiles(name: str, kind: str, tile: Tile, sizes: Iterable[int], terms: Terms) -> str:
    """The functions of tiles with these numbers of rows."""
    return "\n".join(
        render(
            "convolution_tile.c.j2",
            name=name,
            kind=kind,
            rows=rows,
            vectors=tile.vectors,
            lanes=tile.lanes,
            parameters=terms.parameters,
            loops=terms.loops,
            unroll=terms.length if terms.length.isdigit() and int(terms.length) <= UNROLLED else "",
            start=terms.start,
            length=terms.length,
            step=terms.step,
            along=terms.along,
            begin=terms.begin,
            factor=CHANNELS if terms.channels else "x{row}[k]",
        )
        for rows in sorted(sizes, reverse=True)
    )
