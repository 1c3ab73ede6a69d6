"""How a matrix product is cut: register tiles, panels, blocks; and which cut costs least.

A tile is a few rows times a few vectors of columns of the result. Its sums stay in registers while
the kernel goes along the depth: it takes a few vectors of a row of B, and for each row of the tile
an element of A, by which it multiplies them. B is cut into *panels* as wide as a tile, whose rows
lie close together if the panel is packed: copied so. A task computes a *block* of tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil

from graphc.backends.native.products import Product
from graphc.backends.native.targets import Target

WORTH = 64 * 1024
"""Multiply-adds below which a task is not worth its hand-over."""
PER_THREAD = 4
"""Tasks for each thread: who is disturbed takes fewer of them."""
STACK = 64 * 1024
"""Bytes of a buffer on a task's stack."""
DEPTH = 1024
"""The most terms of a sum between two visits of the result."""
BLOCK = 32 * 1024
"""Bytes of a block that is finished from a buffer: what the first cache holds."""
NEAR = 512 * 1024
"""Bytes of A that stay in the second cache, beside a panel."""
MANY = 16
"""The most rows of a tile."""
FAR = 1024 * 1024
"""Bytes of B above which the second cache is not likely to have the next panel."""


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
    is_ahead: bool = False
    """Whether a tile asks for its share of the next packed panel."""
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
    itemsize = max(4, x.dtype.itemsize)
    lanes = target.lanes(itemsize)
    for rows, across in _shapes(x, target, lanes):
        for pack_b in _packings(x, rows):
            for pack_a in _packings_of_a(x):
                tile = Tile(rows, across, lanes, x.depth, 1, 1, 1, pack_a, pack_b)
                tile = replace(tile, is_ahead=_is_ahead(x, tile, target))
                for depth in _depths(x, tile, itemsize):
                    yield from _blocks(x, replace(tile, depth=depth), threads)
    if x.a_along == x.b_along == "depth" and x.dtype.itemsize >= 4:
        for rows, across in _dot_shapes(x, target):
            tile = Tile(rows, across, lanes, x.depth, 1, 1, 1, is_dots=True)
            yield from _blocks(x, tile, threads)


def _shapes(x: Product, target: Target, lanes: int) -> Iterator[tuple[int, int]]:
    """Rows and vectors of tiles that fit the registers."""
    # Without fused multiply-add a product takes a register of its own.
    free = target.registers - 1 - (target.name == "portable")
    for across in (1, 2, 3, 4, 6, 8, 12):
        rows = max((r for r in range(1, MANY) if r * across + min(r, across) <= free), default=0)
        is_needed = across == 1 or (across - 1) * lanes < x.columns
        if across == 1 and x.columns > lanes and x.rows > 1:
            continue
        if rows and is_needed and (across <= 4 or rows >= x.rows):
            yield split(x.rows, rows).sizes[0], across


def _is_ahead(x: Product, tile: Tile, target: Target) -> bool:
    """Whether panels of B lie one after the other in memory that is far away."""
    far = x.columns * x.depth * max(4, x.dtype.itemsize) >= FAR
    return target.ahead > 0 and far and tile.pack_b == "before" and x.columns > tile.width


def _dot_shapes(x: Product, target: Target) -> Iterator[tuple[int, int]]:
    free = target.registers - 1
    for rows in range(1, min(4, x.rows) + 1):
        across = min(x.columns, 8, max(c for c in range(1, 16) if rows * c + rows <= free))
        yield split(x.rows, rows).sizes[0], split(x.columns, across).sizes[0]


def _packings(x: Product, rows: int) -> list[str]:
    if x.dtype.itemsize < 4:
        return ["within", "before"] if x.depth else ["within"]
    is_direct = x.b_along == "columns"
    if x.depth == 0 or (is_direct and rows == x.rows):
        return [""]
    return ["", "within", "before"] if is_direct else ["within", "before"]


def _packings_of_a(x: Product) -> list[bool]:
    """Two-byte floats are widened while they are packed."""
    if x.dtype.itemsize < 4:
        return [True]
    return [False, True] if min(x.rows, x.columns) >= 32 and x.depth else [False]


def _depths(x: Product, tile: Tile, itemsize: int) -> list[int]:
    """How many terms of a sum to take at a time: all, or as many as caches hold."""
    most = STACK // (tile.width * itemsize) if tile.pack_b == "within" else DEPTH
    pieces = {max(1, ceil(x.depth / n)) for n in (most, most / 2, most / 4) if n >= 64}
    return [x.depth if n == 1 else ceil(x.depth / n / 16) * 16 for n in sorted(pieces)]


def _blocks(x: Product, tile: Tile, threads: int) -> Iterator[Tile]:
    """The ways to cut a product into blocks of such tiles."""
    across, down = ceil(x.columns / tile.width), ceil(x.rows / tile.rows)
    wanted = 1
    if threads > 1 and x.work >= 2 * WORTH:
        wanted = min(PER_THREAD * threads, x.work // WORTH)
    entries = max(1, x.entries // wanted)
    each = ceil(wanted / ceil(x.entries / entries))
    itemsize = max(4, x.dtype.itemsize)
    for parts in _PARTS:
        row_tiles = ceil(down / parts)
        if parts > down:
            break
        rows = min(x.rows, row_tiles * tile.rows)
        columns = max(1, across // ceil(each / ceil(down / row_tiles)))
        if not x.is_stored:
            if rows * tile.width * itemsize > BLOCK and row_tiles > 1:
                continue
            columns = min(columns, max(1, BLOCK // itemsize // rows // tile.width))
        for panels in {columns, ceil(columns / 2)}:
            yield replace(tile, row_tiles=row_tiles, panels=panels, entries=entries)
        if parts >= each and rows * tile.width * itemsize <= BLOCK:
            break


_PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, *(1 << n for n in range(7, 40)))


# -- costs -----------------------------------------------------------------------------------------

FIRST = 24 * 1024
"""Bytes of a panel that stay in the first cache."""
LATENCY = 4.0
"""Cycles before a sum can be added to again."""
STAGE = 2500.0
"""Cycles in which threads meet between two stages."""
ONCE = 0.2
"""What the memory of a packed operand is worth, where it need not be packed at each step, of what
the packing would cost."""
COPY, TRANSPOSE, GATHER = 0.08, 0.18, 1.0
"""Cycles to pack an element: whole vectors, squares that are transposed, one by one."""


def cost(x: Product, tile: Tile, target: Target, threads: int) -> float:
    """About how many cycles the product takes."""
    threads = max(1, min(threads, x.work // WORTH))
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
        block += rows * x.depth * tile.panels * itemsize / 48
    # Rows that lie as they were are fetched ahead; packed ones, once they are too many, less so.
    if tile.pack_a and x.a_along == "depth" and x.rows * x.depth * itemsize > NEAR:
        block += rows * x.depth * tile.panels * itemsize / 32
    # A block's sums are taken up again, and stored, for each further piece of the depth.
    again = 0 if tile.is_dots else max(0, ceil(x.depth / max(1, tile.depth)) - 1)
    block += again * rows * columns * itemsize / 12
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
        found += (60 + x.entries * x.rows * x.depth * each) * (ONCE if x.a.is_settled else 1)
    if tile.pack_b == "before":
        each = _packing(x.b_along == "columns", x.b_along == "depth", x) + 0.15
        found += (60 + x.entries * x.columns * x.depth * each) * (ONCE if x.b.is_settled else 1)
    return found


def _packing(is_copy: bool, is_transposed: bool, x: Product) -> float:
    if x.dtype.itemsize < 4:
        return 2 * GATHER
    scale = max(4, x.dtype.itemsize) / 4
    return scale * (COPY if is_copy else TRANSPOSE if is_transposed else GATHER)


def _sums(x: Product, tile: Tile, target: Target) -> float:
    """Cycles of the inner kernels for one entry of the batch."""
    pieces = max(1, ceil(x.depth / max(1, tile.depth)))
    found, itemsize, is_again = 0.0, max(4, x.dtype.itemsize), x.rows > tile.rows
    for rows, high in _numbers(split(x.rows, tile.rows)):
        for width, wide in _widths(x.columns, tile):
            steps, each, around = x.depth, 0.0, 0.0
            if tile.is_dots:
                each = _step(rows, width, target, tile, itemsize, is_again=is_again)
                steps = x.depth // tile.lanes
                around = 10 + rows * width * (4 + x.depth % tile.lanes)
            else:
                across = vectors(width, tile.lanes)
                each = _step(rows, across, target, tile, itemsize, is_again=is_again)
                each += _strain(x, tile, rows)
                around = 12 + rows * across * 1.5
            found += high * wide * (steps * each + pieces * around)
    return found


def _step(
    rows: int, across: int, target: Target, tile: Tile, itemsize: int, *, is_again: bool
) -> float:
    """Cycles for one step along the depth: multiply-adds, loads, or waiting for sums.

    ``is_again``: whether there are more tiles above each other, which read a panel again.
    """
    adds = rows * across * (1.0 if target.name == "portable" else 0.5)
    # Vectors of several rows at one place of their cache lines come from one bank.
    loads = (rows + across) * (1.1 if tile.is_dots else 0.5)
    # What the first cache does not hold comes from the second one for each tile.
    read = (rows + across) * tile.lanes if tile.is_dots else tile.width
    held = rows + across if tile.is_dots else tile.width
    is_again = is_again and tile.depth * held * itemsize > FIRST
    fetched = read * itemsize / 20 if is_again else 0.0
    return max(adds, loads, LATENCY, fetched) + 0.15


def _strain(x: Product, tile: Tile, rows: int) -> float:
    """Cycles that a step waits because of how the operands lie."""
    found, itemsize = 0.0, max(4, x.dtype.itemsize)
    if not tile.pack_b and x.rows > tile.rows:
        far = x.b.row * itemsize
        is_crowded = x.depth > 64 and far % 1024 == 0
        found += 1.0 if is_crowded else 0.4 if x.depth > 32 and far > 256 else 0.0
    elif not tile.pack_b and x.b.row > tile.width:
        # Each row of the panel is somewhere else, and read once.
        found += 2.0
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


@lru_cache(maxsize=1024)
def chosen(x: Product, target: Target, threads: int) -> Tile:
    """The cut that costs least; it is looked for once, for models repeat their layers."""
    found = list(candidates(x, target, threads))
    best = min(found, key=lambda tile: cost(x, tile, target, threads))
    return replace(best, reason=f"the least cost of {len(found)} ways")
