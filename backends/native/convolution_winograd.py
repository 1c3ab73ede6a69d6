"""Convolution with a kernel of 3 x 3 by Winograd's method, and its data gradient.

The operand's tiles and the weights are transformed; at each point of a transformation there is a
matrix product of tiles times channels and channels times columns, whose sums are tiles of the
result, transformed. A tile of 4 x 4 elements takes 36 products where the direct form takes 144, one
of 2 x 2 takes 16 where that takes 36. The largest error of a result is at most three times that of
the direct form, and with small tiles no larger; but it goes by the terms of all elements of a tile,
so that one with few terms may be off by more than its own. What is not a number or infinite makes
numbers that are none of all elements of the tiles that meet it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.native.convolution_geometry import Extents, Line, Values, phases, values
from graphc.backends.native.convolution_pieces import Panels, helpers_of, packing, store_block
from graphc.backends.native.convolution_tiles import Split, Terms, Tile, split, tile_for, tiles
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Setting, Stage, is_settled, tasks
from graphc.backends.native.winograd_forms import Form
from graphc.backends.native.winograd_pieces import Tiles, prepared, turn
from graphc.ir.dtype import float32
from graphc.kernels_templates import render

PIECE = 250_000
"""Multiplications and additions of a task at least."""
SUMS = 64 * 1024
"""Bytes of the sums of a block of tiles, for one panel."""
APART = 16
"""Elements between what is transformed for one point and for the next: were they a power of two
apart, they would share few places of the first cache."""
TURNED = 768 * 1024
"""Bytes of a block of transformed tiles, which stay in the second cache for all panels."""


class Cut:
    """How the work is cut: tiles of the result, their blocks, and pieces of blocks and panels."""

    def __init__(
        self, form: Form, setting: Setting, inner: Sequence[int], sizes: Sequence[int]
    ) -> None:
        batch, self.depth, self.columns = sizes
        self.square = form.points**2
        self.tile: Tile = tile_for(setting.target, 4, self.columns)
        self.grid = [-(-n // form.size) for n in inner[1:]]
        self.panels = -(-self.columns // self.tile.columns)
        total = batch * prod(self.grid)
        work = total * self.square * self.depth * self.panels * self.tile.columns
        threads = setting.threads
        wanted = 1 if threads == 1 else max(1, min(4 * threads, work // PIECE))
        lanes = self.tile.lanes
        self.row = -(-self.depth // lanes) * lanes + APART
        self.apart = self.depth * self.tile.columns + APART
        most = SUMS // (self.square * self.tile.columns * 4)
        within = split(total, self._within(total, most))
        self.is_within = within.tiles >= wanted
        """Whether each task transforms the tiles of the operand that it needs."""
        self.blocks: Split = within if self.is_within else split(total, most)
        chunks = 1 if self.is_within else -(-wanted // self.blocks.tiles)
        self.chunk = -(-self.panels // chunks)
        self.items = self.blocks.tiles * -(-self.panels // self.chunk)
        self.count = min(self.items, wanted)
        self.turns = 0 if self.is_within else tasks(total, self.square * self.depth, threads)
        each = self.tile.columns * self.depth * self.square
        self.packs = tasks(self.panels, each, threads)
        self.total = total

    def _within(self, total: int, most: int) -> int:
        """Tiles of a block where a task transforms its own: those of which least is read again."""
        held, weights = self.square * self.row, self.panels * self.square * self.apart
        near = max(self.tile.rows, TURNED // (4 * held))
        if near >= most:
            return most
        again = (
            -(-total // near) * weights,
            -(-total // most) * weights + self.panels * total * held,
        )
        return near if again[0] <= again[1] else most

    @property
    def most(self) -> int:
        """The most tiles of a block."""
        return max(self.blocks.sizes)

    @property
    def sizes(self) -> list[int]:
        """The numbers of tiles that register tiles have."""
        found: set[int] = set()
        for count in self.blocks.sizes:
            found |= split(count, self.tile.rows).sizes
        return sorted(found, reverse=True)

    def workspace(self) -> tuple[int, int]:
        """Bytes of the transformed operand and weights."""
        held = self.count * self.most if self.is_within else self.total
        return held * self.square * self.row * 4, self.panels * self.square * self.apart * 4


class Winograd:
    """One convolution or data gradient."""

    def __init__(
        self,
        name: str,
        setting: Setting,
        extents: Extents,
        lines: Sequence[Line],
        epilogue: Epilogue | None,
        form: Form,
        *,
        gradient: bool,
    ) -> None:
        self.name, self.setting, self.extents, self.lines = name, setting, extents, lines
        self.epilogue, self.gradient, self.form = epilogue, gradient, form
        self.given, self.weights = (values(x) for x in setting.operands)
        self.result: Values = values(setting.results[0])
        inputs, outputs = extents.inputs, extents.outputs
        self.columns, self.depth = (inputs, outputs) if gradient else (outputs, inputs)
        sizes = extents.batch, self.depth, self.columns
        self.cut = Cut(form, setting, self.result.inner, sizes)
        self.prepared = is_settled(setting, 1)

    def made(self) -> Made:
        """The kernel."""
        cut, form = self.cut, self.form
        lanes = cut.tile.lanes
        finish = self.epilogue.arguments if self.epilogue is not None else (self._names()[2],)
        text = render(
            "winograd.c.j2",
            name=self.name,
            summary=self._summary(),
            vector=lanes * 4,
            lanes=lanes,
            pieces=self._pieces(),
            parameters="".join(f", {x}" for x in self._parameters()),
            given=self._names(),
            size=form.size,
            points=form.points,
            depth=self.depth,
            row=cut.row,
            apart=cut.apart,
            columns=cut.tile.columns,
            panels=cut.panels,
            total=self.columns,
            batch=self.extents.batch,
            grid=cut.grid,
            inner=self.result.inner[1:],
            packs=cut.packs,
            prepared=self.prepared,
            turns=cut.turns,
            blocks=self._blocks(),
            chunk=cut.chunk,
            items=(cut.items, cut.count),
            rows=cut.tile.rows,
            sizes=cut.sizes,
            finish="".join(f", {x}" for x in finish),
        )
        return Made(
            text,
            self._stages(),
            cut.workspace(),
            helpers=helpers_of(float32),
            kept=(1,) if self.prepared else (),
        )

    def _stages(self) -> tuple[Stage, ...]:
        cut = self.cut
        last = Stage(self.name, cut.count)
        if not self.prepared:
            return Stage(f"{self.name}_turn", cut.turns + cut.packs), last
        first = Stage(f"{self.name}_turn_weights", cut.packs, prepares=True)
        return (first, *([Stage(f"{self.name}_turn", cut.turns)] if cut.turns else []), last)

    def _blocks(self) -> dict[str, int]:
        blocks = self.cut.blocks
        return dict(parts=blocks.tiles, size=blocks.rows, larger=blocks.larger, most=self.cut.most)

    def _names(self) -> tuple[str, str, str]:
        return ("dy", "w", "dx") if self.gradient else ("x", "w", "y")

    def _parameters(self) -> list[str]:
        x, w, y = self._names()
        given = [f"const float *{x}", f"const float *{w}"]
        result = [f"float *{y}"] if self.epilogue is None else [*self.epilogue.parameters]
        return [*given, *result, "float *turned", "float *packed"]

    def _summary(self) -> str:
        e, size = self.extents, self.form.size
        sizes = (" x ".join(map(str, x[1:])) for x in (e.sizes, e.out))
        what = "The gradient of the input of a convolution" if self.gradient else "Convolution"
        return (
            f"{what} of {e.inputs} channels of {next(sizes)} to {e.outputs} of {next(sizes)}, "
            f"kernel 3 x 3, by\n * Winograd's method in tiles of {size} x {size} pixels."
        )

    def _pieces(self) -> list[str]:
        cut, form, name = self.cut, self.form, self.name
        (phase,) = phases(self.lines)
        begins = [x.base - line.before for x, line in zip(phase.taps, self.lines, strict=True)]
        places = Tiles(
            form.size,
            form.points,
            (begins[1], begins[2]),
            cut.grid,
            cut.square * cut.row,
            cut.row,
        )
        lanes = cut.tile.lanes
        found = [
            turn(name, "weights", "Weights", 3, form.weights),
            turn(name, "result", "Sums, to elements of the result", form.points, form.result),
            prepared(name, "operand", "the operand", self.given, places, form.operand, lanes),
        ]
        terms = Terms([], "0", str(self.depth), 1, cut.tile.columns)
        found.append(self._packing())
        found.append(tiles(name, "float", cut.tile, cut.sizes, terms))
        if self.epilogue is not None:
            return [*found, self.epilogue.text]
        return [*found, store_block(name, "float", self.result)]

    def _packing(self) -> str:
        cut, found = self.cut, phases(self.lines)
        panels = Panels(
            self.gradient,
            self.gradient,
            self.extents.outputs,
            cut.tile,
            self.columns,
            self.depth,
            found,
            [(0, cut.square * cut.apart)],
            cut.apart,
        )
        return packing(self.name, self.weights, panels)
