"""The C text of a matrix product in tiles."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.loops import Lines, terms
from graphc.backends.native.made import Made, Stage, tasks
from graphc.backends.native.products import Matrix, Product
from graphc.backends.native.tile_text import Inner
from graphc.backends.native.tiles import Split, Tile, split
from graphc.backends.native.types import computed, is_low, store, stored
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
        return f"{self.parts[0].size} * ({tile})"

    def text(self, name: str) -> str:
        """The function that says where a tile begins."""
        assert self.even is not None
        size, larger = self.even.size, self.even.larger
        word = "row" if self.index == "i" else "column"
        return render("_tile_start.c.j2", name=name, word=word, size=size, larger=larger)

    def bounds(self, name: str, block: str) -> list[str]:
        """Declarations of the first row of a task's block and of that after its last."""
        i, per = self.index, self.per_block
        lines = [f"const long {i}0 = {self.start(name, f'{per} * ({block})')};"]
        after = f"{per} * ({block}) + {per}"
        if self.is_mixed and self.tiles % per:
            lines.append(f"const long {i}_tile = {after} < {self.tiles} ? {after} : {self.tiles};")
            lines.append(f"const long {i}1 = {self.start(name, f'{i}_tile')};")
        elif self.is_mixed:
            lines.append(f"const long {i}1 = {self.start(name, after)};")
        else:
            reach = per * self.parts[0].size
            end = f"{i}0 + {reach}"
            if self.blocks * reach > self.extent:
                end = f"{end} < {self.extent} ? {end} : {self.extent}"
            lines.append(f"const long {i}1 = {end};")
        return lines

    @property
    def begin(self) -> str:
        """The first row of a block."""
        return f"{self.index}0" if self.blocks > 1 else "0"

    @property
    def end(self) -> str:
        """The row after the last of a block."""
        return f"{self.index}1" if self.blocks > 1 else str(self.extent)

    def loop(self, part: Part) -> str:
        """The loop over a block's tiles of one size."""
        i = self.index
        if self.blocks == 1:
            return f"for (long {i} = {part.first}; {i} < {part.last}; {i} += {part.size})"
        first = f"{i}0"
        if part.first:
            first = f"{i}0 > {part.first} ? {i}0 : {part.first}"
        cut = "" if part.last == self.extent else f" && {i} < {part.last}"
        return f"for (long {i} = {first}; {i} < {i}1{cut}; {i} += {part.size})"


def at(base: str, *parts: tuple[int, str]) -> str:
    """A pointer moved by strides along indices."""
    moved = terms([s for s, _ in parts], [n for _, n in parts])
    return base if moved == "0" else f"{base} + {moved}".replace("+ -", "- ")


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


class MatmulText:
    """Writes the functions of a product, cut so."""

    def __init__(
        self, name: str, x: Product, tile: Tile, threads: int, epilogue: Epilogue | None
    ) -> None:
        self.name, self.x, self.tile, self.threads = name, x, tile, threads
        self.epilogue = epilogue
        self.kind, self.stored = computed(x.dtype), stored(x.dtype)
        self.rows = Side("i", x.rows, tile.rows, tile.row_tiles, is_even=True)
        self.columns = Side("j", x.columns, tile.width, tile.panels, is_even=tile.is_dots)
        self.groups = ceil(x.entries / tile.entries)
        self.pieces = max(1, ceil(x.depth / max(1, tile.depth)))
        self.inner = Inner(name, x.dtype, tile.lanes, x.depth)
        self.lines = Lines()
        self.packed: list[tuple[str, int]] = []
        self.parts: list[str] = []
        self.helpers: set[str] = set()

    def made(self) -> Made:
        """The kernel."""
        x, tile = self.x, self.tile
        pack, pack_tasks = self._packing()
        self._task()
        starts = [
            s.text(self.name) for s in (self.rows, self.columns) if s.is_mixed and s.blocks > 1
        ]
        if self.rows.is_mixed and tile.pack_a and not starts:
            starts = [self.rows.text(self.name)]
        text = render(
            "matmul.c.j2",
            name=self.name,
            types=list(self.inner.types.values()),
            parts=[*starts, *self.inner.functions.values(), *self.parts],
            parameters=self._parameters(),
            pack=pack,
            summary=self._summary(),
            lines=self.lines.text,
        )
        stage = Stage(self.name, self.groups * self.rows.blocks * self.columns.blocks)
        before = [Stage(f"{self.name}_pack", pack_tasks)] if pack else []
        itemsize = max(4, x.dtype.itemsize)
        work = tuple(max(64, count * itemsize) for _, count in self.packed)
        return Made(
            text, (*before, stage), work, helpers=frozenset(self.helpers | self.inner.helpers)
        )

    def _parameters(self) -> list[str]:
        found = [f"const {self.stored} *a", f"const {self.stored} *b"]
        if self.x.is_swapped:
            found.reverse()
        found += self.epilogue.parameters if self.epilogue else [f"{self.stored} *c"]
        return found + [f"{self.kind} *{name}" for name, _ in self.packed]

    def _summary(self) -> list[str]:
        x, tile = self.x, self.tile
        first = f"{x.rows} x {x.depth} times {x.depth} x {x.columns}"
        if x.entries > 1:
            first = f"{x.entries} products of {first}"
        if x.is_swapped:
            first += ", the operands' and the result's rows taken for columns"
        lines = [f"{first}."]
        size = f"{self.rows.parts[0].size} x {self.columns.parts[0].size}"
        what = f"Tiles of {size} dot products" if tile.is_dots else f"Tiles of {size} sums"
        blocks = self.rows.blocks * self.columns.blocks
        if blocks > 1:
            what += f" in {self.rows.blocks} x {self.columns.blocks} blocks"
        if self.pieces > 1:
            what += f", over {tile.depth} terms at a time"
        lines.append(f"{what}; {tile.reason}." if tile.reason else f"{what}.")
        return lines

    # -- packing before ------------------------------------------------------------------------

    def _packing(self) -> tuple[dict[str, object] | None, int]:
        """The function that packs before everything else, and its tasks."""
        x, tile = self.x, self.tile
        matrices = []
        if tile.pack_a:
            batch, strides, _ = distinct(x.batch, x.a)
            matrices.append(("a", self.rows, batch, strides, x.a.column, x.a.row, x.rows))
        if tile.pack_b == "before":
            batch, strides, _ = distinct(x.batch, x.b)
            matrices.append(("b", self.columns, batch, strides, x.b.row, x.b.column, x.columns))
        if not matrices:
            return None, 0
        lines, total = Lines(depth=0), 0
        for number, (letter, side, batch, strides, step, along, extent) in enumerate(matrices):
            count = side.tiles
            entries = 1
            for n in batch:
                entries *= n
            begin = total
            total += count * entries
            self.packed.append((f"packed_{letter}", entries * extent * x.depth))
            if len(matrices) > 1:
                lines.open(f"if (piece < {total})" if number == 0 else "else")
            of = f"(piece - {begin})" if begin else "piece"
            if entries > 1:
                lines.add(f"const long entry = {of} / {count}, tile = {of} % {count};")
            else:
                lines.add(f"const long tile = {of};")
            lines.add(f"const long {side.index} = {side.start(self.name, 'tile')};")
            source = at(letter, *through(batch, strides), (along, side.index))
            target = at(
                f"packed_{letter}",
                (extent * x.depth, "entry") if entries > 1 else (0, ""),
                (x.depth, side.index),
            )
            self._pack_parts(lines, letter, side, step, along, source, target)
            if len(matrices) > 1:
                lines.close()
        each = x.depth * max(tile.rows if tile.pack_a else 0, tile.width)
        parts = tasks(total, each, self.threads)
        opening = [f"const long first = 0, last = {total};"]
        if parts > 1:
            opening = [
                f"const long first = task * {total} / {parts};",
                f"const long last = (task + 1) * {total} / {parts};",
            ]
        names = " and ".join(
            f"the {'rows of A' if m[0] == 'a' else 'columns of B'}" for m in matrices
        )
        summary = f"Packs {names} for the tiles: what a step along the depth reads lies together."
        return {"summary": summary, "opening": opening, "lines": lines.text}, parts

    def _pack_parts(
        self, lines: Lines, letter: str, side: Side, step: int, along: int, source: str, target: str
    ) -> None:
        for number, part in enumerate(side.parts):
            function = self.inner.pack(f"pack_{letter}", part.size, step, along)
            call = f"{function}({self.x.depth}, {source}, {target});"
            if len(side.parts) == 1:
                lines.add(call)
            elif number == 0:
                lines.add(f"if ({side.index} < {part.last})", f"    {call}")
            else:
                lines.add("else", f"    {call}")

    # -- a task --------------------------------------------------------------------------------

    def _task(self) -> None:
        x, tile, lines = self.x, self.tile, self.lines
        rows, columns = self.rows, self.columns
        if rows.blocks > 1:
            lines.add(
                *rows.bounds(
                    self.name,
                    f"task % {rows.blocks}" if self.groups * columns.blocks > 1 else "task",
                )
            )
        if columns.blocks > 1:
            block = f"task / {rows.blocks}" if rows.blocks > 1 else "task"
            lines.add(
                *columns.bounds(
                    self.name, f"{block} % {columns.blocks}" if self.groups > 1 else block
                )
            )
        if x.entries > 1:
            self._entries()
        self._matrices()
        if not x.is_stored:
            size = max(1, rows.widest * columns.widest)
            lines.add(f"{self.kind} block[{size}] __attribute__((aligned(64)));")
        if tile.pack_b == "within":
            size = max(1, columns.parts[0].size * tile.depth)
            lines.add(f"{self.kind} panel[{size}] __attribute__((aligned(64)));")
        if self.pieces > 1:
            lines.open(f"for (long k = 0; k < {x.depth}; k += {tile.depth})")
            rest = x.depth % tile.depth
            if rest:
                lines.add(f"const long rest = {x.depth} - k;")
                lines.add(f"const long depth = rest < {tile.depth} ? rest : {tile.depth};")
        for part in columns.parts:
            self._panels(part)
        if self.pieces > 1:
            lines.close()
        self._finish()
        if x.entries > 1:
            lines.close()

    def _entries(self) -> None:
        x, tile, lines = self.x, self.tile, self.lines
        blocks = self.rows.blocks * self.columns.blocks
        group = f"task / {blocks}" if blocks > 1 else "task"
        if self.groups == 1:
            lines.open(f"for (long entry = 0; entry < {x.entries}; entry++)")
        elif tile.entries == 1:
            lines.open("")
            lines.text[-1] = lines.text[-1].strip() and "    {"
            lines.add(f"const long entry = {group};")
        else:
            lines.add(f"const long first = {group} * {tile.entries};")
            last = f"first + {tile.entries}"
            if x.entries % tile.entries:
                last = f"({last} < {x.entries} ? {last} : {x.entries})"
            lines.open(f"for (long entry = first; entry < {last}; entry++)")

    def _matrices(self) -> None:
        x, tile = self.x, self.tile
        self.a, self.b, self.c = "a", "b", "c"
        if not x.batch:
            self.a = "packed_a" if tile.pack_a else "a"
            self.b = "packed_b" if tile.pack_b == "before" else "b"
            return
        for letter, matrix, is_packed, size in (
            ("a", x.a, tile.pack_a, x.rows * x.depth),
            ("b", x.b, tile.pack_b == "before", x.columns * x.depth),
            ("c", x.c, False, 0),
        ):
            if letter == "c" and self.epilogue:
                continue
            base = f"packed_{letter}" if is_packed else letter
            strides = matrix.batch
            if is_packed:
                strides = tuple(size * s for s in distinct(x.batch, matrix)[2])
            place = at(base, *through(x.batch, strides))
            if place == base:
                setattr(self, letter, base)
                continue
            kind = self.kind if is_packed else self.stored
            const = "" if letter == "c" else "const "
            self.lines.add(f"{const}{kind} *entry_{letter} = {place};")
            setattr(self, letter, f"entry_{letter}")

    @property
    def depth(self) -> str:
        """How many terms a tile adds up."""
        if self.pieces == 1:
            return str(self.x.depth)
        return "depth" if self.x.depth % self.tile.depth else str(self.tile.depth)

    @property
    def k(self) -> str:
        """The first of these terms."""
        return "k" if self.pieces > 1 else "0"

    def _along_depth(self, stride: int) -> tuple[int, str]:
        return (stride, "k") if self.pieces > 1 else (0, "k")

    def _panels(self, part: Part) -> None:
        """The loop over panels of one width."""
        x, tile, lines = self.x, self.tile, self.lines
        lines.open(self.columns.loop(part))
        step = part.size
        if tile.pack_b == "within":
            function = self.inner.pack("pack_b", part.size, x.b.row, x.b.column)
            source = at(self.b, (x.b.column, "j"), self._along_depth(x.b.row))
            lines.add(f"{function}({self.depth}, {source}, panel);")
            panel = "panel"
        elif tile.pack_b:
            panel = at(self.b, (x.depth, "j"), self._along_depth(part.size))
        else:
            panel, step = at(self.b, (x.b.column, "j"), self._along_depth(x.b.row)), x.b.row
        for rows in self.rows.parts:
            lines.add(self.rows.loop(rows))
            lines.depth += 1
            lines.add(self._tile(rows.size, part.size, step, panel))
            lines.depth -= 1
        lines.close()

    def _tile(self, rows: int, width: int, step: int, panel: str) -> str:
        """The call for a tile."""
        x, tile = self.x, self.tile
        if x.is_stored:
            strides = (x.c.row, x.c.column)
            to = at(self.c, (x.c.row, "i"), (x.c.column, "j"))
        else:
            strides = (self.columns.widest, 1)
            to = at(
                "block",
                *(
                    (strides[n], i if s.blocks == 1 else f"({i} - {i}0)")
                    for n, (i, s) in enumerate((("i", self.rows), ("j", self.columns)))
                ),
            )
        if tile.is_dots:
            function = self.inner.dots(rows, width, x.a.row, x.b.column, strides)
            return f"{function}({self.depth}, {at(self.a, (x.a.row, 'i'))}, {panel}, {to});"
        if tile.pack_a:
            a, source = (1, rows), at(self.a, (x.depth, "i"), self._along_depth(rows))
        else:
            a = (x.a.row, x.a.column)
            source = at(self.a, (x.a.row, "i"), self._along_depth(x.a.column))
        function = self.inner.tile(rows, width, a, step, strides[0], is_piece=self.pieces > 1)
        more = ", k > 0" if self.pieces > 1 else ""
        return f"{function}({self.depth}, {source}, {panel}, {to}{more});"

    # -- finishing -----------------------------------------------------------------------------

    def _finish(self) -> None:
        x = self.x
        if x.is_stored:
            return
        i0, i1, j0, j1 = self.rows.begin, self.rows.end, self.columns.begin, self.columns.end
        ld = str(self.columns.widest)
        if self.epilogue is None:
            self._store_function()
            self.lines.add(f"{self.name}_store({i0}, {i1}, {j0}, {j1}, block, {ld}, {self.c});")
            return
        self.parts.append(self.epilogue.text)
        entry = "entry" if x.entries > 1 else "0"
        call, rest = f"{self.name}_finish", "".join(f", {a}" for a in self.epilogue.arguments)
        low, high, index, step = (j0, j1, "j", "1") if x.is_swapped else (i0, i1, "i", ld)
        across = f"0, 1, {{}}, 1{rest}" if x.is_swapped else f"{j0}, {j1}, {{}}, {ld}{rest}"
        extent = x.columns if x.is_swapped else x.rows
        if extent == x.folded:
            self.lines.add(f"{call}({entry}, {low}, {high}, {across.format('block')});")
            return
        many = x.folded
        entry = f"{extent // many} * entry + " if x.entries > 1 else ""
        lines = self.lines
        lines.open(f"for (long {index} = {low}, end; {index} < {high}; {index} = end)")
        lines.add(f"const long b = {index} / {many}, first = {many} * b;")
        lines.add(f"end = {high} < first + {many} ? {high} : first + {many};")
        place = f"block + ({index} - {low})" + ("" if step == "1" else f" * {step}")
        lines.add(f"{call}({entry}b, {index} - first, end - first, {across.format(place)});")
        lines.close()

    def _store_function(self) -> None:
        x = self.x
        if is_low(x.dtype):
            self.helpers.add(f"narrow_{x.dtype.name}")
        place = terms([x.c.row, x.c.column], ["i", "j"])
        self.parts.append(
            render(
                "matmul_store.c.j2",
                name=self.name,
                kind=self.kind,
                stored=self.stored,
                store=store(x.dtype, f"c[{place}]", "values[j - j0]"),
            )
        )
