"""The gradient of the weights of a convolution with a kernel of 3 x 3, by Winograd's method.

It is the adjoint of the convolution: tiles of the operand are transformed as there, tiles of the
gradient of the result by the adjoint of what gives a tile of the result; at each point there is a
matrix product over tiles, of channels times channels, and its sums become weights by the adjoint of
the weights' transformation. There are as many multiplications less, and errors are as large.
"""

from __future__ import annotations

from math import prod

from graphc.backends.native.convolution_geometry import Extents, values
from graphc.backends.native.convolution_pieces import helpers_of, store_weights, transposition
from graphc.backends.native.convolution_tiles import Split, Terms, Tile, split, tile_for, tiles
from graphc.backends.native.convolution_winograd import APART, PIECE
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Setting, Stage, tasks
from graphc.backends.native.winograd_forms import Form
from graphc.backends.native.winograd_pieces import Tiles, prepared, turn
from graphc.ir.dtype import float32
from graphc.kernels_templates import render

BLOCK = 32
"""Tiles of a block: the terms of a sum before it is stored, and taken up again."""
SOME = 16
"""Channels of x in a finished block."""
HELD = 1024 * 1024
"""Bytes of sums up to which there is more than one part for each thread."""


class WinogradWeightGrad:
    """One gradient of weights."""

    def __init__(
        self,
        name: str,
        setting: Setting,
        extents: Extents,
        epilogue: Epilogue | None,
        form: Form,
    ) -> None:
        self.name, self.setting, self.extents = name, setting, extents
        self.epilogue, self.form = epilogue, form
        self.x, self.dy = (values(x) for x in setting.operands)
        self.rows, self.columns = extents.inputs, extents.outputs
        self.tile: Tile = tile_for(setting.target, 4, self.columns)
        self.panels = -(-self.columns // self.tile.columns)
        self.cut: Split = split(self.rows, self.tile.rows)
        self.square = form.points**2
        self.grid = [-(-n // form.size) for n in extents.out[1:]]
        self.total = extents.batch * prod(self.grid)
        self.apart = self.rows * self.tile.columns + APART
        self.held = self.square * self.panels * self.apart
        self.parts = self._parts()
        self.most = min(BLOCK, -(-self.total // self.parts))

    def _parts(self) -> int:
        """In how many sums over tiles the work is cut."""
        threads = self.setting.threads
        work = self.total * self.square * self.rows * self.panels * self.tile.columns
        wanted = threads * (4 if 4 * self.held <= HELD else 1) if threads > 1 else 1
        return max(1, min(wanted, work // PIECE, self.total))

    def _row(self, channels: int) -> int:
        return -(-channels // self.tile.lanes) * self.tile.lanes + APART

    def _places(self, channels: int, reads: int, begin: tuple[int, int]) -> Tiles:
        row = self._row(channels)
        return Tiles(self.form.size, reads, begin, self.grid, row, self.most * row + APART)

    def made(self) -> Made:
        """The kernel."""
        tile, form = self.tile, self.form
        _, *lines = self.extents.forward()
        begin = (-lines[0].before, -lines[1].before)
        x = self._places(self.rows, form.points, begin)
        dy = self._places(self.columns, form.size, (0, 0))
        blocks = -(-self.rows // SOME)
        each = 9 * SOME * tile.columns * (1 + self.parts)
        combines = tasks(self.panels * blocks, each, self.setting.threads)
        finish = ("dw",) if self.epilogue is None else self.epilogue.arguments
        text = render(
            "winograd_weight_grad.c.j2",
            name=self.name,
            summary=self._summary(),
            vector=tile.lanes * 4,
            lanes=tile.lanes,
            pieces=self._pieces(x, dy),
            parameters="".join(f", {x}" for x in self._parameters()),
            points=form.points,
            total=self.total,
            most=self.most,
            parts=self.parts,
            x=(x.tile, x.point),
            dy=(dy.tile, dy.point),
            rows=self.rows,
            columns=self.columns,
            width=tile.columns,
            panels=self.panels,
            apart=self.apart,
            cut=self.cut,
            sizes=sorted(self.cut.sizes, reverse=True),
            some=SOME,
            blocks=blocks,
            combines=combines,
            finish="".join(f", {x}" for x in finish),
        )
        stages = Stage(self.name, self.parts), Stage(f"{self.name}_combine", combines)
        points = (self.square * x.point, self.square * dy.point, self.held)
        workspace = tuple(4 * self.parts * n for n in points)
        return Made(text, stages, workspace, helpers=helpers_of(float32))

    def _parameters(self) -> list[str]:
        found = ["const float *x", "const float *dy"]
        found += ["float *dw"] if self.epilogue is None else self.epilogue.parameters
        return [*found, "float *turned_x", "float *turned_dy", "float *sums"]

    def _summary(self) -> str:
        e, size = self.extents, self.form.size
        sizes = " x ".join(map(str, e.sizes[1:]))
        return (
            f"The gradient of the weights of a convolution of {e.inputs} channels of {sizes} to "
            f"{e.outputs},\n * kernel 3 x 3, by Winograd's method in tiles of {size} x {size}."
        )

    def _pieces(self, x: Tiles, dy: Tiles) -> list[str]:
        name, form, lanes = self.name, self.form, self.tile.lanes
        terms = Terms(
            [],
            "0",
            "count",
            x.tile,
            dy.tile,
            begin="*({name}_vector *)(y + {row} * ld + {lane})",
            parameters=", long count",
        )
        found = [
            prepared(name, "operand", "x", self.x, x, form.operand, lanes),
            prepared(name, "spread", "dy", self.dy, dy, form.spread, lanes),
            turn(name, "gathered", "Sums, to weights", form.points, form.gathered),
            tiles(name, "float", self.tile, self.cut.sizes, terms),
            transposition(name, float32, lanes),
        ]
        if self.epilogue is None:
            return [*found, store_weights(name, "float", values(self.setting.results[0]))]
        return [*found, self.epilogue.text]
