"""Where the tiles and blocks of a matrix product lie, as C expressions."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from graphc.backends.c_language.statements import terms
from graphc.backends.native.products import Matrix
from graphc.backends.native.tiles import Split, split
from graphc.ir.types import Shape
from graphc.kernels_templates import render


@dataclass(frozen=True)
class Part:
    """Rows or columns that are covered by tiles of one size."""

    size: int
    first: int
    last: int


class Side:
    """The rows or the columns of the result: tiles, and the blocks of tiles that tasks have."""

    def __init__(
        self, index: str, extent: int, most: int, per_block: int, *, is_even: bool
    ) -> None:
        self.index, self.extent = index, extent
        self.per_block = per_block
        self.tiles = ceil(extent / most)
        self.blocks = ceil(self.tiles / per_block)
        self.even: Split | None = split(extent, most) if is_even else None
        whole = self.even.whole if self.even else extent // most * most
        sizes = (self.even.size + 1, self.even.size) if self.even else (most, extent - whole)
        parts = (Part(sizes[0], 0, whole), Part(sizes[1], whole, extent))
        self.parts = [x for x in parts if x.last > x.first]
        self.most = most
        self.widest = min(extent, per_block * self.parts[0].size)
        """The most rows or columns of a block."""

    @property
    def is_mixed(self) -> bool:
        """Whether where a tile begins takes more than a multiplication to say."""
        return self.even is not None and self.even.larger > 0

    def start(self, name: str, tile: str) -> str:
        """The first row or column of a tile."""
        if self.is_mixed:
            return f"{name}_{'row' if self.index == 'i' else 'column'}({tile})"
        return f"{self.parts[0].size} * {tile}"

    def text(self, name: str) -> str:
        """The function that says where a tile begins."""
        assert self.even is not None
        size, larger = self.even.size, self.even.larger
        word = "row" if self.index == "i" else "column"
        return render("_tile_start.c.j2", name=name, word=word, size=size, larger=larger)

    def bounds(self, name: str, block: str) -> list[str]:
        """Declarations of the first row of a task's block and of that after its last."""
        i, per = self.index, self.per_block
        block = f"({block})" if " " in block else block
        if self.is_mixed:
            tile = f"{i}_tile"
            first, after = f"{per} * {block}", f"{tile} + {per}"
            if self.tiles % per:
                after = f"{after} < {self.tiles} ? {after} : {self.tiles}"
            return [
                f"const long {tile} = {first};",
                f"const long {i}0 = {self.start(name, tile)};",
                f"const long {i}1 = {self.start(name, after)};",
            ]
        reach = per * self.parts[0].size
        end = f"{i}0 + {reach}"
        if self.blocks * reach > self.extent:
            end = f"{end} < {self.extent} ? {end} : {self.extent}"
        return [f"const long {i}0 = {reach} * {block};", f"const long {i}1 = {end};"]

    @property
    def begin(self) -> str:
        """The first row of a block."""
        return f"{self.index}0" if self.blocks > 1 else "0"

    @property
    def end(self) -> str:
        """The row after the last of a block."""
        return f"{self.index}1" if self.blocks > 1 else str(self.extent)

    def loop(self, part: Part) -> tuple[str, str]:
        """The loop over a block's tiles of one size, if there are several, and its index."""
        i = self.index
        if self.blocks == 1:
            if part.last - part.first == part.size:
                return "", str(part.first)
            return f"for (long {i} = {part.first}; {i} < {part.last}; {i} += {part.size})", i
        first = f"{i}0"
        if part.first:
            first = f"{i}0 > {part.first} ? {i}0 : {part.first}"
        cut = "" if part.last == self.extent else f" && {i} < {part.last}"
        return f"for (long {i} = {first}; {i} < {i}1{cut}; {i} += {part.size})", i


def at(base: str, *parts: tuple[int, str]) -> str:
    """A pointer moved by strides along indices, some of which may be numbers."""
    fixed = sum(stride * int(name) for stride, name in parts if name.isdigit())
    moving = [(stride, name) for stride, name in parts if not name.isdigit()]
    moved = terms([s for s, _ in moving], [n for _, n in moving])
    found = base if moved == "0" else f"{base} + {moved}"
    return (f"{found} + {fixed}" if fixed else found).replace("+ -", "- ")


def through(batch: Shape, strides: Shape, number: str = "entry") -> list[tuple[int, str]]:
    """The strides through a batch, and the indices as they follow from the number of an entry."""
    found, inner = [], 1
    for axis in reversed(range(len(batch))):
        index = number if inner == 1 else f"({number} / {inner})"
        found.append((strides[axis], f"({index} % {batch[axis]})" if axis else index))
        inner *= batch[axis]
    return found[::-1]


def distinct(batch: Shape, matrix: Matrix) -> tuple[Shape, Shape, Shape]:
    """The batch without dimensions along which a matrix is repeated, the strides through it there,
    and the steps from a packed matrix to another through the whole batch."""
    pairs = [(n, s) for n, s in zip(batch, matrix.batch, strict=True) if s]
    steps, step = [], 1
    for extent, stride in zip(reversed(batch), reversed(matrix.batch), strict=True):
        steps.append(step if stride else 0)
        step *= extent if stride else 1
    return tuple(n for n, _ in pairs), tuple(s for _, s in pairs), tuple(reversed(steps))
