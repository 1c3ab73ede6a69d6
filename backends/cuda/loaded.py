"""The operands of products: where their elements are found, and how tiles of them lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import stored
from graphc.backends.cuda.indices import split
from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand

PIECE = 16
"""Bytes that are copied at once where they lie side by side."""
SMALLEST = 4
"""Bytes of the smallest asynchronous copy."""


@dataclass(frozen=True)
class Side:
    """A dimension of a product, and the axes that it is made of."""

    flat: str
    """The name of its index: i, j or k."""
    names: tuple[str, ...]
    """Those of the axes' indices."""
    extents: Shape

    def indices(self, kind: str) -> list[str]:
        """The declarations of the axes' indices."""
        return split(self.flat, self.extents, self.names, kind)


@dataclass(frozen=True)
class Found:
    """How the elements of an operand are found."""

    lines: tuple[str, ...]
    """Statements that know the product's indices and end by declaring ``place``; and ``inside``
    where an element may lie outside, where it is zero."""
    along: str
    """The index of neighbours in memory."""
    width: int
    """How many elements along it may be read at once."""
    inside: bool = False


def index_type(*operands: Operand) -> str:
    """The C type of indices into all of them: 64 bits only where something is that far away."""
    far = [sum(abs(s) * n for n, s in zip(x.shape, x.strides, strict=True)) for x in operands]
    return "int" if max(far) < 2**31 else "long"


def affine(
    kind: str, base: str, apart: Sequence[int], size: int, *sides: tuple[Side, Shape]
) -> Found:
    """An operand whose place is affine in the axes of two sides.

    ``base`` is the expression for where it begins; ``apart`` are all distances, in elements of so
    many bytes, from an aligned address to where it may begin.
    """
    lines: list[str] = []
    sum_: list[str] = [] if base == "0" else [base]
    for side, strides in sides:
        step = _single(side.extents, strides)
        if step is None:
            lines += side.indices(kind)
            sum_.append(terms(strides, side.names))
        elif step:
            sum_.append(terms([step], [side.flat]))
    lines.append(f"const {kind} place = {' + '.join(x for x in sum_ if x != '0') or '0'};")
    best = ("", 0, 0)
    for (side, strides), (_, others) in (sides, sides[::-1]):
        near = min((abs(s) for s in _wide(side.extents, strides)), default=0) or 2**62
        width = width_of(size, side.extents, strides, (*apart, *others))
        if not best[0] or (-width, near) < best[1:]:
            best = (side.flat, -width, near)
    return Found(tuple(lines), best[0], -best[1])


def _wide(extents: Shape, strides: Shape) -> list[int]:
    return [s for n, s in zip(extents, strides, strict=True) if n != 1]


def _single(extents: Shape, strides: Shape) -> int | None:
    """The stride of the flat index, if there is one."""
    step, reach = 0, 0
    for n, stride in zip(reversed(extents), reversed(strides), strict=True):
        if n == 1:
            continue
        if not reach:
            step, reach = stride, stride * n
        elif stride != reach:
            return None
        else:
            reach *= n
    return step


def width_of(size: int, extents: Shape, strides: Shape, others: Sequence[int]) -> int:
    """How many elements along a side can be read at once."""
    axes = [(n, s) for n, s in zip(extents, strides, strict=True) if n != 1]
    run = 1
    while axes and axes[-1][1] == run:
        run *= axes.pop()[0]
    if run == 1:
        return 1
    far = [*others, *(s for _, s in axes), *([run] if axes else [])]
    width = max(1, PIECE // size)
    while width > 1 and any(s % width for s in far):
        width //= 2
    return width


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

    def place(self, row: str, k: str) -> str:
        """The same of an element by its row or column and its place in the inner dimension."""
        return self.at(row, k) if self.is_deep else self.at(k, row)
