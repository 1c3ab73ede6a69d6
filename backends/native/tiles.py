"""How a matrix product is cut: register tiles, panels, blocks; and which cut costs least.

A tile is a few rows times a few vectors of columns of the result. Its sums stay in registers while
the kernel goes along the depth: it takes a few vectors of a row of B, and for each row of the tile
an element of A, by which it multiplies them. B is cut into *panels* as wide as a tile, whose rows
lie close together if the panel is packed: copied so. A task computes a *block* of tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from graphc.backends.native.products import Product
from graphc.backends.native.targets import Target

WORTH = 64 * 1024
"""Multiply-adds below which a task is not worth its hand-over."""
PER_THREAD = 4
"""Tasks for each thread: who is disturbed takes fewer of them."""
STACK = 64 * 1024
"""Bytes of a buffer on a task's stack."""
BLOCK = 32 * 1024
"""Bytes of a block that is finished from a buffer: what the first cache holds."""
NEAR = 512 * 1024
"""Bytes of A that stay in the second cache, beside a panel."""
MANY = 16
"""The most rows of a tile."""


@dataclass(frozen=True)
class Tile:
    """How a product is cut, and what is packed."""

    rows: int
    """The most rows of a tile."""
    vectors: int
    """Vectors in a row of a tile; columns, if sums are dot products."""
    lanes: int
    """Elements of a vector."""
    depth: int
    """Terms of the sums before they are stored, and taken up again."""
    row_tiles: int
    """Tiles below each other in a block."""
    panels: int
    """Tiles side by side in a block."""
    entries: int = 1
    """Entries of the batch for each task."""
    pack_a: bool = False
    """Whether A is packed, before everything else."""
    pack_b: str = ""
    """When panels of B are packed: "before" everything else, "within" a task, "" not at all."""
    is_dots: bool = False
    """Whether sums are dot products, of which a vector holds several terms."""
    reason: str = ""

    @property
    def width(self) -> int:
        """Columns of a tile."""
        return self.vectors if self.is_dots else self.vectors * self.lanes


@dataclass(frozen=True)
class Split:
    """So many things in parts that are as even as can be: the first ``larger`` have one more."""

    total: int
    parts: int

    @property
    def size(self) -> int:
        """What the smaller parts have."""
        return self.total // self.parts

    @property
    def larger(self) -> int:
        """How many parts have one more."""
        return self.total % self.parts

    @property
    def sizes(self) -> list[int]:
        """The sizes that there are, the larger one first."""
        return [*([self.size + 1] if self.larger else []), self.size]

    @property
    def whole(self) -> int:
        """The things in the larger parts."""
        return self.larger * (self.size + 1)


def split(total: int, most: int) -> Split:
    """So many in even parts of at most ``most``."""
    return Split(total, ceil(total / most))


def offsets(width: int, lanes: int) -> tuple[int, list[int]]:
    """The lanes and the first columns of the vectors that cover so many columns.

    The last vector overlaps the one before it rather than to reach beyond: no masks are needed,
    and what is computed twice comes out the same.
    """
    while lanes > width:
        lanes //= 2
    return lanes, [*range(0, width - lanes, lanes), width - lanes]


def vectors(width: int, lanes: int) -> int:
    """How many vectors cover so many columns."""
    return len(offsets(width, lanes)[1])


# -- candidates ------------------------------------------------------------------------------------


def candidates(x: Product, target: Target, threads: int) -> Iterator[Tile]:
    """Every cut that may be good."""
    lanes = target.lanes(max(4, x.dtype.itemsize))
    for rows, across in _shapes(x, target, lanes):
        for pack_b in _packings(x):
            for pack_a in _packings_of_a(x):
                yield from _blocks(
                    x, Tile(rows, across, lanes, x.depth, 1, 1, 1, pack_a, pack_b), threads
                )
    if x.a_along == x.b_along == "depth" and x.dtype.itemsize >= 4:
        for rows, across in _dot_shapes(x, target):
            yield from _blocks(
                x, Tile(rows, across, lanes, x.depth, 1, 1, 1, is_dots=True), threads
            )


def _shapes(x: Product, target: Target, lanes: int) -> Iterator[tuple[int, int]]:
    """Rows and vectors of tiles that fit the registers."""
    # Without fused multiply-add a product takes a register of its own.
    free = target.registers - 1 - (target.name == "portable")
    for across in range(1, 13):
        if (across - 1) * lanes >= max(lanes, x.columns):
            break
        rows = max((r for r in range(1, MANY) if r * across + min(r, across) <= free), default=0)
        rows = min(rows, x.rows)
        if rows:
            yield split(x.rows, rows).sizes[0], across


def _dot_shapes(x: Product, target: Target) -> Iterator[tuple[int, int]]:
    free = target.registers - 1
    for rows in range(1, min(4, x.rows) + 1):
        across = min(x.columns, 8, max(c for c in range(1, 16) if rows * c + rows <= free))
        yield split(x.rows, rows).sizes[0], split(x.columns, across).sizes[0]


def _packings(x: Product) -> list[str]:
    if x.dtype.itemsize < 4:
        return ["within", "before"] if x.depth else ["within"]
    if x.depth == 0:
        return [""]
    is_direct = x.b_along == "columns"
    return ["", "within", "before"] if is_direct else ["within", "before"]


def _packings_of_a(x: Product) -> list[bool]:
    """Two-byte floats are widened while they are packed."""
    if x.dtype.itemsize < 4:
        return [True]
    return [False, True] if x.depth else [False]


def _blocks(x: Product, tile: Tile, threads: int) -> Iterator[Tile]:
    """The ways to cut a product into blocks of such tiles."""
    itemsize = max(4, x.dtype.itemsize)
    depth = x.depth
    if not tile.is_dots:
        most = STACK // (tile.width * itemsize) if tile.pack_b == "within" else 1024
        depth = _even(x.depth, max(16, min(1024, most)))
    across, down = ceil(x.columns / tile.width), ceil(x.rows / tile.rows)
    wanted = 1
    if threads > 1 and x.work >= 2 * WORTH:
        wanted = min(PER_THREAD * threads, x.work // WORTH)
    entries = max(1, x.entries // wanted)
    each = ceil(wanted * entries / x.entries)
    for rows in _counts(down):
        for columns in _counts(across):
            tasks = ceil(down / rows) * ceil(across / columns)
            area = min(rows * tile.rows, x.rows) * columns * tile.width * itemsize
            if not x.is_stored and area > BLOCK and (rows, columns) != (1, 1):
                continue
            if tasks >= each or rows == columns == 1:
                yield _with(tile, depth, rows, columns, entries)


def _with(tile: Tile, depth: int, row_tiles: int, panels: int, entries: int) -> Tile:
    return Tile(
        tile.rows,
        tile.vectors,
        tile.lanes,
        depth,
        row_tiles,
        panels,
        entries,
        tile.pack_a,
        tile.pack_b,
        tile.is_dots,
    )


def _even(total: int, most: int) -> int:
    """The size of even pieces, of which only the last may be smaller."""
    pieces = max(1, ceil(total / most))
    return total if pieces == 1 else ceil(total / pieces / 16) * 16


def _counts(total: int) -> list[int]:
    """Sizes of even pieces of a number of tiles."""
    pieces = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024]
    return sorted({ceil(total / n) for n in pieces if n <= total} | {1})


# -- costs -----------------------------------------------------------------------------------------

LATENCY = 4.0
"""Cycles before a sum can be added to again."""
STAGE = 2500.0
"""Cycles in which threads meet between two stages."""
COPY, TRANSPOSE, GATHER = 0.08, 0.28, 1.0
"""Cycles to pack an element: whole vectors, squares that are transposed, one by one."""


def cost(x: Product, tile: Tile, target: Target, threads: int) -> float:
    """About how many cycles the product takes."""
    itemsize = max(4, x.dtype.itemsize)
    down, across = ceil(x.rows / tile.rows), ceil(x.columns / tile.width)
    row_blocks, column_blocks = ceil(down / tile.row_tiles), ceil(across / tile.panels)
    entry_groups = ceil(x.entries / tile.entries)
    tasks = entry_groups * row_blocks * column_blocks
    sums = _sums(x, tile, target)
    block = sums / row_blocks / column_blocks
    rows, columns = x.rows / row_blocks, x.columns / column_blocks
    # What a block reads comes from the third cache once, and A again for each panel if it is large.
    block += (rows + columns) * x.depth * itemsize / 24
    if rows * tile.depth * itemsize > NEAR and not tile.is_dots:
        block += rows * x.depth * tile.panels * itemsize / 24
    if not x.is_stored:
        block += rows * columns * 0.15 + rows * 4
    if tile.pack_b == "within":
        block += columns * x.depth * _packing(x.b_along == "columns", x.b_along == "depth", x)
        block += 10 * tile.panels
    total = ceil(tasks / threads) * (tile.entries * block + 60)
    return total + _before(x, tile) / threads + (STAGE if threads > 1 and _is_before(tile) else 0)


def _is_before(tile: Tile) -> bool:
    return tile.pack_a or tile.pack_b == "before"


def _before(x: Product, tile: Tile) -> float:
    """Cycles to pack what is packed before."""
    found = 0.0
    if tile.pack_a:
        each = _packing(x.a_along == "rows", x.a_along == "depth", x) + 0.15
        found += 60 + x.entries * x.rows * x.depth * each
    if tile.pack_b == "before":
        each = _packing(x.b_along == "columns", x.b_along == "depth", x) + 0.15
        found += 60 + x.entries * x.columns * x.depth * each
    return found


def _packing(is_copy: bool, is_transposed: bool, x: Product) -> float:
    if x.dtype.itemsize < 4:
        return 2 * GATHER
    scale = max(4, x.dtype.itemsize) / 4
    return scale * (COPY if is_copy else TRANSPOSE if is_transposed else GATHER)


def _sums(x: Product, tile: Tile, target: Target) -> float:
    """Cycles of the inner kernels for one entry of the batch."""
    pieces = max(1, ceil(x.depth / max(1, tile.depth)))
    found = 0.0
    for rows, high in _numbers(split(x.rows, tile.rows)):
        for width, wide in _widths(x.columns, tile):
            steps, each, around = x.depth, 0.0, 0.0
            if tile.is_dots:
                each = _step(rows, width, target, min(rows, width))
                steps = x.depth // tile.lanes
                around = 10 + rows * width * (4 + x.depth % tile.lanes)
            else:
                across = vectors(width, tile.lanes)
                each = _step(rows, across, target, 1) + _strain(x, tile, rows, target)
                around = 12 + rows * across * 1.5
            found += high * wide * (steps * each + pieces * around)
    return found


def _step(rows: int, across: int, target: Target, reads: int) -> float:
    """Cycles for one step along the depth: multiply-adds, loads, or waiting for sums."""
    adds = rows * across * (1.0 if target.name == "portable" else 0.5)
    loads = (rows + across) / 2
    return max(adds, loads, LATENCY) + 0.15


def _strain(x: Product, tile: Tile, rows: int, target: Target) -> float:
    """Cycles that a step waits because of how the operands lie."""
    found, itemsize = 0.0, max(4, x.dtype.itemsize)
    if not tile.pack_b:
        far = x.b.row * itemsize
        found += (
            1.0 if x.depth > 64 and far % 1024 == 0 else 0.4 if x.depth > 32 and far > 256 else 0
        )
    if not tile.pack_a and x.a_along != "depth":
        far = x.a.column * itemsize
        found += 0.3 if x.a_along == "rows" else 0.3 * rows
        if far >= 2048 and x.depth * 64 > 16 * 1024:
            found += 0.5 if far % 1024 else 1.0
    if not tile.pack_a and x.a_along == "depth" and x.a.row * itemsize % 4096 == 0:
        found += 0.05 * rows if x.depth > 256 else 0
    return found


def _numbers(parts: Split) -> list[tuple[int, int]]:
    counts = [parts.larger] * (parts.larger > 0) + [parts.parts - parts.larger]
    return list(zip(parts.sizes, counts, strict=False))


def _widths(columns: int, tile: Tile) -> list[tuple[int, int]]:
    """The widths of panels, and how many have each."""
    if tile.is_dots:
        return _numbers(split(columns, tile.width))
    whole, rest = divmod(columns, tile.width)
    return [(tile.width, whole)] * (whole > 0) + [(rest, 1)] * (rest > 0)


def chosen(x: Product, target: Target, threads: int) -> Tile:
    """The cut that costs least."""
    return min(candidates(x, target, threads), key=lambda tile: cost(x, tile, target, threads))
