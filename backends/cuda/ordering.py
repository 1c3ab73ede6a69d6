"""Sorting, and the first few in order; nan counts as the largest."""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.backends.c_language.keys import key
from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import stored
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.library import FUNCTIONS
from graphc.backends.cuda.made import THREADS, Made, Maker, Setting, blocks
from graphc.kernels_templates import render_block
from graphc.ops.sort import Sort, TopK

TILE = 2048
"""Elements that a block puts in order at most, of which each takes up to 12 bytes."""
TOGETHER = 256
"""Elements that it puts in order at least, of several lines."""
MOST = 1024
"""Threads of a block."""
FEWER = 4
"""A tile has so many times as many elements as are wanted, where it keeps no others."""
EACH = 8
"""Elements that a thread merges."""


def ordered(name: str, setting: Setting) -> Made:
    """Elements in order along a dimension, all of them or the first few."""
    op, x, (y, places) = setting.node.op, setting.operands[0], setting.results
    assert isinstance(op, Sort | TopK)
    cells, dim = Cells(name, setting), op.dim
    if 0 in y.shape:
        return cells.made()
    size, rest = x.shape[dim], (*x.shape[:dim], *x.shape[dim + 1 :])
    descending = op.descending if isinstance(op, Sort) else op.largest
    names, indices = coordinates(rest)
    source, target = ([*names[:dim], each, *names[dim:]] for each in ("{}", "i"))
    element = f"a0[{terms(x.strides, source)}]"
    stores = [
        f"out0[{terms(y.strides, target)}] = {element.format('place')};",
        f"out1[{terms(places.strides, target)}] = place;",
    ]
    cells.texts.append(key(name, x.dtype, descending=descending))
    cells.helpers |= {f"bits_of_{stored(x.dtype)}"} & FUNCTIONS.keys()
    Order(
        cells,
        summary=f"{spelled(x.shape)} elements in order along dimension {dim}",
        bits=8 * x.dtype.itemsize,
        lines=prod(rest),
        size=size,
        kept=y.shape[dim],
        indices=indices,
        key=f"{name}_key({element.format('k')})",
        stores=[x for i, x in enumerate(stores) if setting.is_read(i)],
    ).add()
    return cells.made()


class Order:
    """Lines that are put in order: by a block, or where they are long by merges of its tiles.

    Where only the first few of long lines are wanted, rounds of tiles keep those.
    """

    def __init__(self, cells: Cells, **facts: Any) -> None:
        """Facts of the template; a workspace is added where lines are long."""
        self.cells, self.facts = cells, {**facts, "name": cells.name, "each": EACH}
        size, kept = facts["size"], facts["kept"]
        self.sizes = [size]
        """Elements of a line in each round."""
        if size > TILE and FEWER * _power(kept) <= TILE:
            while self.sizes[-1] > TILE:
                self.sizes.append(blocks(self.sizes[-1], TILE) * kept)
        self.passes = (blocks(size, TILE) - 1).bit_length() if len(self.sizes) == 1 else 0
        for number, held in enumerate(self.sizes[1:3] or [size] * (2 if self.passes else 0)):
            bits, count = facts["bits"], facts["lines"] * held
            cells.space(f"keys{number}", f"uint{bits}_t", bits // 8 * count)
            cells.space(f"places{number}", "int", 4 * count)

    def add(self) -> None:
        """The functions."""
        facts = self.facts
        for number in range(len(self.sizes)):
            self._round(number)
        if not self.passes:
            return
        merging = {**facts, "tile": TILE, "passes": self.passes, "merging": THREADS}
        parts = facts["lines"] * blocks(facts["size"], EACH)
        self.cells.texts.append(render_block("sort.cu.j2", "merge", **merging))
        for number in range(self.passes):
            text = render_block("sort.cu.j2", "pass", **merging, number=number)
            self._function(text, blocks(parts), THREADS, f"_merge{number}")
        text = render_block("sort.cu.j2", "store", **merging)
        self._function(text, blocks(facts["lines"] * facts["kept"]), THREADS, "_store")

    def _round(self, number: int) -> None:
        """A function that puts tiles of each line in order, or the first few of each."""
        facts, size, is_last = self.facts, self.sizes[number], number == len(self.sizes) - 1
        tile = min(TILE, _power(size))
        tiles = blocks(size, tile)
        beside = max(1, TOGETHER // tile) if tiles == 1 else 1
        threads = max(32, min(MOST, tile * beside // 2))
        own = {
            "size": size,
            "tile": tile,
            "tiles": tiles,
            "beside": beside,
            "threads": threads,
            "run": tile if self.passes else min(tile, _power(facts["kept"])),
            "passes": self.passes,
            "number": number or "",
            "keeping": None if is_last else number % 2,
            "again": number > 0,
            "given": facts["indices"],
            "place": "(int)k",
        }
        if number:
            kept, element = 1 - number % 2, f"[at * {size} + k]"
            own |= {"given": [], "key": f"keys{kept}{element}", "place": f"places{kept}{element}"}
        text = render_block("sort.cu.j2", "tile", **{**facts, **own})
        grid = blocks(facts["lines"] * tiles, beside)
        self._function(text, grid, threads, f"_tiles{number or ''}")

    def _function(self, text: str, grid: int, threads: int, suffix: str) -> None:
        self.cells.function(text, (grid, 1, 1), (threads, 1, 1), suffix=suffix)


def _power(count: int) -> int:
    """The smallest power of two that is at least so many, and two."""
    return max(2, 1 << (count - 1).bit_length())


ORDERING: dict[str, Maker] = {Sort.name: ordered, TopK.name: ordered}
"""By the op's name."""
