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
    """Lines that are put in order: by a block, or where they are long by merges of its tiles."""

    def __init__(self, cells: Cells, **facts: Any) -> None:
        """Facts of the template; a workspace is added where tiles are merged."""
        size, lines, bits = facts["size"], facts["lines"], facts["bits"]
        tile = 2
        while tile < min(size, TILE):
            tile *= 2
        beside = max(1, TOGETHER // tile) if size <= tile else 1
        self.cells, self.tiles = cells, blocks(size, tile)
        self.passes = (self.tiles - 1).bit_length()
        self.facts = {
            **facts,
            "name": cells.name,
            "tile": tile,
            "beside": beside,
            "threads": max(32, min(MOST, tile * beside // 2)),
            "tiles": self.tiles,
            "each": EACH,
            "passes": self.passes,
            "merging": THREADS,
        }
        for number in range(2 if self.passes else 0):
            cells.space(f"keys{number}", f"uint{bits}_t", bits // 8 * lines * size)
            cells.space(f"places{number}", "int", 4 * lines * size)

    def add(self) -> None:
        """The functions."""
        facts = self.facts
        self._function("tile", blocks(facts["lines"] * self.tiles, facts["beside"]), "_tiles")
        if not self.passes:
            return
        parts = facts["lines"] * blocks(facts["size"], EACH)
        self.cells.texts.append(render_block("sort.cu.j2", "merge", **facts))
        for number in range(self.passes):
            self._function("pass", blocks(parts), f"_merge{number}", number)
        self._function("store", blocks(facts["lines"] * facts["kept"]), "_store")

    def _function(self, block: str, grid: int, suffix: str, number: int = 0) -> None:
        text = render_block("sort.cu.j2", block, **self.facts, number=number)
        threads = self.facts["threads"] if block == "tile" else THREADS
        self.cells.function(text, (grid, 1, 1), (threads, 1, 1), suffix=suffix)


ORDERING: dict[str, Maker] = {Sort.name: ordered, TopK.name: ordered}
"""By the op's name."""
