"""The C functions that a matrix product's blocks are made of: tiles, dot products, packing."""

from __future__ import annotations

from collections.abc import Callable

from graphc.backends.c_language.types import computed, is_low, load, stored
from graphc.backends.native.tiles import offsets
from graphc.ir.dtype import DType
from graphc.kernels_templates import render

LANE = 16
"""Bytes within which every processor interleaves two vectors by one instruction."""


class Inner:
    """The inner functions of a kernel, each rendered when it is first asked for."""

    def __init__(self, name: str, dtype: DType, lanes: int, depth: int) -> None:
        self.name, self.dtype, self.lanes, self.depth = name, dtype, lanes, depth
        self.kind = computed(dtype)
        self.functions: dict[str, str] = {}
        self.types: dict[int, str] = {}
        self.helpers: set[str] = set()

    def vector(self, lanes: int) -> str:
        """The type of a vector of so many elements, wherever it lies."""
        name, bytes_ = f"{self.name}_v{lanes}", lanes * max(4, self.dtype.itemsize)
        align = f"aligned({bytes_ // lanes}), may_alias"
        size = f"vector_size({bytes_}), " if lanes > 1 else ""
        self.types[lanes] = f"typedef {self.kind} {name} __attribute__(({size}{align}));"
        return name

    def _add(self, wish: str, template: str, **facts: object) -> str:
        function = f"{self.name}_{wish}"
        if function not in self.functions:
            self.functions[function] = render(template, function=function, kind=self.kind, **facts)
        return function

    def tile(
        self,
        rows: int,
        width: int,
        a: tuple[int, int],
        b_step: int,
        c_row: int,
        *,
        is_piece: bool,
        ahead: int = 0,
    ) -> str:
        """The function of a tile; ``a``: the strides of A along a column and along a row."""
        lanes, columns = offsets(width, self.lanes)
        return self._add(
            f"tile{rows}x{width}",
            "_tile.c.j2",
            vector=self.vector(lanes),
            rows=rows,
            columns=columns,
            width=width,
            a_row=a[0],
            a_step=a[1],
            b_step=b_step,
            c_row=c_row,
            is_piece=is_piece,
            ahead=ahead,
        )

    def dots(self, rows: int, width: int, a_row: int, b_column: int, c: tuple[int, int]) -> str:
        """The function of a tile of dot products; ``c``: the strides of the result."""
        return self._add(
            f"dots{rows}x{width}",
            "_tile_dots.c.j2",
            vector=self.vector(self.lanes),
            lanes=self.lanes,
            total=self._total(),
            rows=rows,
            width=width,
            a_row=a_row,
            b_column=b_column,
            c_row=c[0],
            c_column=c[1],
            has_rest=self.depth % self.lanes != 0,
        )

    def _total(self) -> str:
        self.helpers.add("shuffled")
        halves, half = [], self.lanes // 2
        while half:
            halves.append(", ".join(str(i ^ half) for i in range(self.lanes)))
            half //= 2
        vector = self.vector(self.lanes)
        return self._add("total", "_tile_total.c.j2", vector=vector, halves=halves)

    def pack(self, wish: str, width: int, step: int, along: int) -> str:
        """The function that packs a panel; ``step`` goes along its columns, ``along`` its rows."""
        lanes, columns = offsets(width, self.lanes)
        how = "elements"
        if not is_low(self.dtype):
            how = "rows" if along == 1 or width == 1 else "squares" if step == 1 else how
        if how == "squares" and lanes == 1:
            how = "elements"
        if is_low(self.dtype):
            self.helpers.add(f"widen_{self.dtype.name}")
        return self._add(
            f"{wish}{width}",
            "_tile_pack.c.j2",
            source=stored(self.dtype),
            what="rows of A" if wish == "pack_a" else "columns of B",
            width=width,
            step=step,
            along=along,
            vector=self.vector(lanes) if how == "rows" else "",
            lanes=lanes,
            columns=columns,
            how=how,
            has_rest=self.depth % lanes != 0,
            square=self._square(lanes) if how == "squares" else "",
            load=load(self.dtype, "from[at]"),
        )

    def _square(self, lanes: int) -> str:
        self.helpers.add("shuffled")
        moves, stores = transposition(lanes, max(1, LANE // self.dtype.itemsize))
        return self._add(
            f"transpose{lanes}",
            "_tile_square.c.j2",
            vector=self.vector(lanes),
            lanes=lanes,
            moves=moves,
            stores=stores,
        )


Move = tuple[str, str, str, str]
Take = Callable[[str, str, list[int]], str]


def transposition(side: int, unit: int) -> tuple[list[Move], list[str]]:
    """The shuffles that transpose a square held in ``r0``, ``r1``..., and its columns.

    Elements are interleaved within ``unit`` of them first, where one instruction does it; then
    units are exchanged.
    """
    unit = min(side, unit)
    found = {f"r{i}": [(i, k) for k in range(side)] for i in range(side)}
    moves: list[Move] = []

    def take(first: str, second: str, elements: list[int]) -> str:
        name = f"t{len(moves)}"
        moves.append((name, first, second, ", ".join(map(str, elements))))
        both = found[first] + found[second]
        found[name] = [both[i] for i in elements]
        return name

    current = list(found)
    size = 1
    while size < unit:
        current = _interleaved(current, side, unit, size, take)
        size *= 2
    distance = unit
    while distance < side:
        current = _exchanged(current, side, distance, take)
        distance *= 2
    order = {found[name][0][1]: name for name in current}
    assert all(found[order[k]] == [(i, k) for i in range(side)] for k in range(side))
    return moves, [order[k] for k in range(side)]


def _interleaved(current: list[str], side: int, unit: int, size: int, take: Take) -> list[str]:
    """Pairs of vectors, of which groups of ``size`` elements within a unit alternate."""
    after = list(current)
    for i in range(side):
        if i & size:
            continue
        low, high = [], []
        for start in range(0, side, unit):
            for group in range(start, start + unit // 2, size):
                low += [*range(group, group + size), *range(side + group, side + group + size)]
                upper = group + unit // 2
                high += [*range(upper, upper + size), *range(side + upper, side + upper + size)]
        first, second = current[i], current[i | size]
        after[i], after[i | size] = take(first, second, low), take(first, second, high)
    return after


def _exchanged(current: list[str], side: int, distance: int, take: Take) -> list[str]:
    """Pairs of vectors that exchange their units, so many elements apart."""
    after = list(current)
    for i in range(side):
        if i & distance:
            continue
        first, second = current[i], current[i | distance]
        low = [x if not x & distance else side + x - distance for x in range(side)]
        high = [x + distance if not x & distance else side + x for x in range(side)]
        after[i], after[i | distance] = take(first, second, low), take(first, second, high)
    return after
