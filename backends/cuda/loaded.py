"""The operands of products: how tiles of them come to shared memory, and how they lie there."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.c_language.types import stored
from graphc.backends.cuda.sides import PIECE, Found, Side
from graphc.ir.dtype import DType

SMALLEST = 4
"""Bytes of the smallest asynchronous copy."""


@dataclass(frozen=True)
class Loaded:
    """An operand, and its tile in shared memory: lines of neighbours, each of whole pieces."""

    name: str
    parameter: str
    dtype: DType
    found: Found
    side: Side
    """That of the product's rows or columns; the other one is the inner dimension."""
    reach: int
    """Its extent."""
    inner: int
    """The extent of the inner dimension."""
    begin: str
    """The expression for the first row or column of the tile."""
    tile: int
    depth: int
    threads: int
    turns: bool
    """Whether tensor cores read elements of the tile's lines one by one, as they do tf32."""
    start: str = "from"
    """The expression for where the tile begins in the inner dimension, or "" where it is whole."""

    @property
    def is_deep(self) -> bool:
        """Whether neighbours are along the inner dimension."""
        return self.found.along == "k"

    @property
    def type(self) -> str:
        """The C type of an element."""
        return stored(self.dtype)

    @property
    def elements(self) -> int:
        """Those of a tile."""
        return self.tile * self.depth

    @property
    def line(self) -> int:
        """Elements of a line."""
        return self.depth if self.is_deep else self.tile

    @property
    def width(self) -> int:
        """Elements that are copied at once: one, or as many as an asynchronous copy can have."""
        width = min(self.found.width, self.line)
        return width if width * self.dtype.itemsize >= SMALLEST else 1

    @property
    def per_line(self) -> int:
        """Copies of a line."""
        return self.line // self.width

    @property
    def count(self) -> int:
        """Copies of a tile."""
        return self.elements // self.width

    @property
    def pieces(self) -> int:
        """Copies of a thread."""
        return -(-self.count // self.threads)

    @property
    def written(self) -> int:
        """Copies of a thread that may be written out, each of which takes registers.

        Where a thread waits for what it reads, many at once are faster; asynchronous ones are not,
        of which there are the more, the smaller they are.
        """
        most = 4 if self.copied_bytes == SMALLEST else 8
        return min(self.pieces, most) if self.copied_bytes else self.pieces

    @property
    def indices(self) -> str:
        """The declarations of the indices of what is copied."""
        line, column = ("line", "column") if self.is_deep else ("column", "line")
        inner = f"{self.start} + {column}" if self.start else column
        return f"{self.side.flat} = {self.begin} + {line}, k = {inner}"

    @property
    def lines(self) -> tuple[str, ...]:
        """The statements that find it."""
        return self.found.lines

    @property
    def copied_bytes(self) -> int:
        """Bytes of an asynchronous copy; 0 where elements are too small for one."""
        nbytes = self.width * self.dtype.itemsize
        return nbytes if nbytes >= SMALLEST else 0

    @property
    def guard(self) -> str:
        """Whether the first element of a copy is within the operand, or "" where it always is."""
        parts = []
        if self.reach % self.tile:
            parts.append(f"{self.side.flat} < {self.reach}")
        if self.inner % self.depth:
            parts.append(f"k < {self.inner}")
        if self.found.inside:
            parts.append("inside")
        return " && ".join(parts)

    @property
    def there(self) -> str:
        """The bytes of a copy that are within the operand."""
        extent = self.inner if self.is_deep else self.reach
        whole: object = self.copied_bytes
        if extent % self.width:
            flat = self.found.along
            whole = f"(int)min({extent} - {flat}, {self.width}) * {self.dtype.itemsize}"
        return f"{self.guard} ? {whole} : 0" if self.guard else str(whole)

    @property
    def swizzle(self) -> tuple[int, int, int, int]:
        """The arguments of ``swizzled``, as it says."""
        piece = max(1, PIECE // self.dtype.itemsize)
        pieces = max(1, self.line // piece)
        if self.turns and not self.is_deep:
            # A warp reads 8 neighbours of each of 4 lines.
            return self.line, 1, max(1, min(4, pieces // 2)), 2 * piece
        return self.line, max(1, 8 // pieces), min(8, pieces), piece

    def at(self, line: str, column: str) -> str:
        """The place of an element in the tile."""
        return f"swizzled<{', '.join(map(str, self.swizzle))}>({line}, {column})"

    def place(self, row: str, k: str, step: int = 0, times: str = "") -> str:
        """The same of an element by its row or column and its place in the inner dimension.

        It is ``step * times`` rows further on. Where pieces lie there as they do in ``row``, that
        is added to the place, which compilers do not find out.
        """
        line, every, ways, piece = self.swizzle
        if step % (every * ways if self.is_deep else ways * piece):
            return self.place(f"{row} + {step} * {times}", k)
        place = self.at(row, k) if self.is_deep else self.at(k, row)
        return f"{place} + {step * line if self.is_deep else step} * {times}" if step else place
