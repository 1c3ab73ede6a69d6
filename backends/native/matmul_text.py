"""The C text of a matrix product in tiles."""

from __future__ import annotations

from math import ceil

from graphc.backends.c_language.statements import Lines, terms
from graphc.backends.c_language.types import computed, is_low, store, stored
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Stage, tasks
from graphc.backends.native.matmul_blocks import Part, Side, at, distinct, through
from graphc.backends.native.products import Product
from graphc.backends.native.tile_text import Inner
from graphc.backends.native.tiles import Tile
from graphc.kernels_templates import render


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
        before = [Stage(f"{self.name}_pack", pack_tasks, self.is_prepared)] if pack else []
        itemsize = max(4, x.dtype.itemsize)
        work = tuple(max(64, count * itemsize) for _, count in self.packed)
        return Made(
            text,
            (*before, stage),
            work,
            helpers=frozenset(self.helpers | self.inner.helpers),
            kept=tuple(range(len(work))) if self.is_prepared else (),
        )

    @property
    def is_prepared(self) -> bool:
        """Whether all that is packed before is settled."""
        x, tile = self.x, self.tile
        packed = [x.a.is_settled] * tile.pack_a + [x.b.is_settled] * (tile.pack_b == "before")
        return bool(packed) and all(packed)

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
        if not tile.is_dots:
            lines.append(f"{self._reading()}.")
        return lines

    def _reading(self) -> str:
        """Where tiles find the operands."""
        x, tile = self.x, self.tile
        a = "A is packed first" if tile.pack_a else "A is read where it lies"
        if not tile.pack_b:
            return f"{a}, B too" if not tile.pack_a else f"{a}, B is read where it lies"
        turned = "transposed and " if x.b_along == "depth" else ""
        if tile.pack_b == "before":
            blocks = self.rows.blocks
            used = f", as {blocks} blocks use it" if blocks > 1 else ""
            return f"{a}, B is {turned}packed first{used}"
        return f"{a}, a panel of B is {turned}packed just before it is used"

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
            reach, per = (self.reach_a, tile.depth) if letter == "a" else (x.depth, x.depth)
            self.packed.append((f"packed_{letter}", entries * extent * reach))
            if len(matrices) > 1:
                lines.open(f"if (piece < {total})" if number == 0 else "} else")
            of = f"piece - {begin}" if begin else "piece"
            of = f"({of})" if begin and entries > 1 else of
            if entries > 1:
                lines.add(f"const long entry = {of} / {count}, tile = {of} % {count};")
            else:
                lines.add(f"const long tile = {of};")
            lines.add(f"const long {side.index} = {side.start(self.name, 'tile')};")
            source = at(letter, *through(batch, strides), (along, side.index))
            target = at(
                f"packed_{letter}",
                (extent * reach, "entry") if entries > 1 else (0, ""),
                (per, side.index),
            )
            self._pack_parts(lines, letter, side, step, along, source, target)
            if len(matrices) > 1 and number == 0:
                lines.depth -= 1
            elif number:
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
        # The rows that a block reads for one piece of the depth lie together, else they would be so
        # far apart that a cache with few places for each address holds few of them.
        is_cut = letter == "a" and self.pieces > 1
        if is_cut:
            lines.open(f"for (long k = 0; k < {self.x.depth}; k += {self.tile.depth})")
            self._rest(lines)
            source, target = at(source, (step, "k")), at(target, (side.extent, "k"))
        for number, part in enumerate(side.parts):
            function = self.inner.pack(f"pack_{letter}", part.size, step, along)
            depth = self.depth if is_cut else self.x.depth
            call = f"{function}({depth}, {source}, {target});"
            if len(side.parts) == 1:
                lines.add(call)
            elif number == 0:
                lines.add(f"if ({side.index} < {part.last})", f"    {call}")
            else:
                lines.add("else", f"    {call}")
        if is_cut:
            lines.close()

    def _rest(self, lines: Lines) -> None:
        """The declaration of a piece's depth, if the last has less of it."""
        most = self.tile.depth
        if self.x.depth % most:
            lines.add(f"const long rest = {self.x.depth} - k;")
            lines.add(f"const long depth = rest < {most} ? rest : {most};")

    @property
    def reach_a(self) -> int:
        """Elements for each row of packed A: pieces of the depth, as if all had one length."""
        return self.pieces * self.tile.depth

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
            self._rest(lines)
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
            ("a", x.a, tile.pack_a, x.rows * self.reach_a),
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
        loop, j = self.columns.loop(part)
        if loop:
            lines.open(loop)
        step = part.size
        if tile.pack_b == "within":
            function = self.inner.pack("pack_b", part.size, x.b.row, x.b.column)
            source = at(self.b, (x.b.column, j), self._along_depth(x.b.row))
            lines.add(f"{function}({self.depth}, {source}, panel);")
            panel = "panel"
        elif tile.pack_b:
            panel = at(self.b, (x.depth, j), self._along_depth(part.size))
        else:
            panel = at(self.b, (x.b.column, j), self._along_depth(x.b.row))
            step = x.b.row
        for rows in self.rows.parts:
            header, i = self.rows.loop(rows)
            call = self._tile(rows.size, part.size, step, (i, j), panel)
            lines.add(*([header, f"    {call}"] if header else [call]))
        if loop:
            lines.close()

    def _tile(self, rows: int, width: int, step: int, place: tuple[str, str], panel: str) -> str:
        """The call for the tile at a place."""
        x, tile, (i, j) = self.x, self.tile, place
        strides = (x.c.row, x.c.column) if x.is_stored else (self.columns.widest, 1)
        if x.is_stored:
            to = at(self.c, (strides[0], i), (strides[1], j))
        else:
            row = i if self.rows.blocks == 1 else f"({i} - i0)"
            to = at("block", (strides[0], row), (1, j))
            to += " - j0" if self.columns.blocks > 1 else ""
        if tile.is_dots:
            function = self.inner.dots(rows, width, x.a.row, x.b.column, strides)
            return f"{function}({self.depth}, {at(self.a, (x.a.row, i))}, {panel}, {to});"
        if tile.pack_a:
            a, source = (1, rows), at(self.a, (tile.depth, i), self._along_depth(x.rows))
        else:
            a = (x.a.row, x.a.column)
            source = at(self.a, (x.a.row, i), self._along_depth(x.a.column))
        more = ", k > 0" if self.pieces > 1 else ""
        ahead = 0
        if tile.is_ahead:
            # The tiles above each other go through as much of the next panel as they are high.
            ahead = ceil(rows * width / self.rows.widest)
            share = width * tile.depth // self.rows.widest
            row = i if self.rows.blocks == 1 else f"({i} - i0)"
            more += f", {at(panel, (share, row))} + {x.depth * width}"
        function = self.inner.tile(
            rows, width, a, step, strides[0], is_piece=self.pieces > 1, ahead=ahead
        )
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
