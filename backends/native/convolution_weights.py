"""The gradient of a convolution's weights: tiles of sums over pixels that stay in registers.

A tile has channels of the output's gradient as columns, and as rows any places in the kernel with
a channel of the input each, so that few channels fill a tile together. Sums are added up in the
order of the tiles, and put in the order of the weights when they are finished.
"""

from __future__ import annotations

from math import prod

from graphc.backends.c_language.types import computed, is_low, stored
from graphc.backends.native.convolution_geometry import Extents, Source, source, values
from graphc.backends.native.convolution_pieces import (
    columns_of,
    helpers_of,
    padding,
    store_weights,
    transposition,
)
from graphc.backends.native.convolution_tiles import Split, Terms, Tile, split, tile_for, tiles
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Setting, Stage, tasks
from graphc.kernels_templates import render

PIECE = 250_000
"""Multiplications and additions of a task at least."""
BLOCK = 64
"""Columns of a finished block."""
NEAR = 128 * 1024
"""Elements of x that a chunk of pixels may meet, so that they stay in a near cache."""
LONG = 2048
"""Pixels of a chunk at most."""
TOGETHER = 256
"""Pixels whose columns are copied together."""
MANY = 16
"""Tiles of rows from which on it pays to copy columns so that they lie together."""


class WeightGrad:
    """One gradient of weights."""

    def __init__(
        self, name: str, setting: Setting, extents: Extents, epilogue: Epilogue | None
    ) -> None:
        self.name, self.setting, self.extents, self.epilogue = name, setting, extents, epilogue
        self.x, self.dy = (values(x) for x in setting.operands)
        self.result = values(setting.results[0])
        self.dtype = setting.results[0].dtype
        self.kind = computed(self.dtype)
        self.low = is_low(self.dtype)
        self.itemsize = 4 if self.low else self.dtype.itemsize
        self.columns, self.groups = extents.outputs, extents.groups
        self.depthwise = extents.is_depthwise
        if self.depthwise:
            # All channels are columns side by side, and each meets its own.
            self.columns, self.groups = self.groups, 1
        self.tile: Tile = tile_for(setting.target, self.itemsize, self.columns)
        self.ragged = self.columns % self.tile.columns != 0
        self.lines = extents.forward()
        beyond = self.ragged and self.depthwise
        self.source: Source = source(
            "x",
            self.x,
            self.lines,
            copied=self.low or beyond,
            beyond=self.tile.columns if beyond else 0,
        )
        self.taps = prod(extents.kernel)
        self.rows = self.taps * extents.inputs
        self.cut: Split = split(self.rows, self.tile.rows)
        self.each = -(-self.columns // self.tile.columns)
        self.panels = self.each * self.groups
        self.pixels = prod(extents.out)
        self.total = extents.batch * self.pixels
        self.packed = self._is_packed()

    def _is_packed(self) -> bool:
        """Whether columns are copied: they have to be read in order, and whole panels of them."""
        dy = self.dy
        step = dy.pixel() if self.pixels > 1 else dy.outer[1]
        together = dy.strides[1] == 1 and step is not None
        whole = self.extents.batch == 1 or dy.strides[0] == (step or 0) * self.pixels
        return self.low or self.ragged or not together or not whole or self.cut.tiles >= MANY

    # -- the cut into pieces -------------------------------------------------------------------

    def _tasks(self) -> tuple[int, int]:
        """In how many shares of the tiles, and parts of the pixels, the work is cut."""
        threads = self.setting.threads
        work = self.rows * self.columns * self.groups * self.total
        wanted = 1 if threads == 1 else max(1, min(4 * threads, work // PIECE))
        units = self.panels * self.cut.tiles
        shares = max(1, min(wanted, units // 4))
        return shares, -(-wanted // shares)

    def _chunks(self, parts: int) -> tuple[int, list[str], Terms]:
        """Chunks of whole images, or of rows of an image: how many, where one begins, its terms."""
        e, steps = self.extents, self.source.steps
        wide = e.inputs * e.groups * prod(s for s in e.stride)
        most = max(1, min(LONG, NEAR // wide, -(-self.total // parts)))
        strides = [s * line.stride for s, line in zip(steps[1:], self.lines, strict=True)]
        along = self.tile.columns if self.packed else (self.dy.pixel() or self.dy.outer[1])
        loops = list(zip("abc", e.out, strides, strict=True))
        if self.pixels <= most:
            images = max(1, min(most // self.pixels, -(-e.batch // parts)))
            lines = [
                f"const long image = chunk * {images}, pixel = image * {self.pixels};",
                f"const long begin = image * {steps[0]};",
                f"const long count = image + {images} < {e.batch} ? {images} : {e.batch} - image;",
            ]
            every = [("n", "count", steps[0]), *((a, str(n), s) for a, n, s in loops)]
            terms = _terms(every, along, channels=self.depthwise)
            return -(-e.batch // images), lines, terms
        height, width = e.out[1:]
        rows = max(1, min(height, most // width))
        some = -(-height // rows)
        lines = [
            f"const long row = chunk % {some} * {rows}, slice = chunk / {some};",
            f"const long image = slice / {e.out[0]}, depth = slice % {e.out[0]};",
            f"const long pixel = (slice * {height} + row) * {width};",
            f"const long begin = image * {steps[0]} + depth * {strides[0]} + row * {strides[1]};",
            f"const long count = row + {rows} < {height} ? {rows} : {height} - row;",
        ]
        inner = [("b", "count", strides[1]), ("c", str(width), strides[2])]
        terms = _terms(inner, along, channels=self.depthwise)
        return e.batch * e.out[0] * some, lines, terms

    # -- the text ------------------------------------------------------------------------------

    def made(self) -> Made:
        """The kernel."""
        shares, parts = self._tasks()
        chunks, lines, terms = self._chunks(parts)
        parts = max(1, min(parts, chunks))
        threads, lanes = self.setting.threads, self.tile.columns
        block = min(BLOCK, -(-self.rows // self.tile.lanes) * self.tile.lanes)
        blocks = -(-self.rows // block)
        combines = tasks(self.panels * blocks, block * lanes * parts, threads)
        pads, packs = self._preparations()
        finish = ("dw",) if self.epilogue is None else self.epilogue.arguments
        text = render(
            "convolution_weight_grad.c.j2",
            name=self.name,
            summary=self._summary(),
            kind=self.kind,
            vector=self.tile.lanes * self.itemsize,
            pieces=self._pieces(terms),
            parameters="".join(f", {x}" for x in self._parameters()),
            pads=pads,
            packs=packs,
            rows=self.rows,
            kernel=self.extents.kernel,
            taps_count=self.taps,
            depth=self.extents.inputs,
            taps=[s * x.step for s, x in zip(self.source.steps[1:], self.lines, strict=True)],
            cut=self.cut,
            sizes=sorted(self.cut.sizes, reverse=True),
            units=self.panels * self.cut.tiles,
            shares=shares,
            parts=parts,
            chunks=chunks,
            chunk=lines,
            panels=self.panels,
            each=self.each,
            columns=self.columns,
            channel=self._channel(),
            lanes=lanes,
            source="padded" if self.source.copied else "x",
            dy=self._columns(),
            block=block,
            blocks=blocks,
            combines=combines,
            transposed=0 if self.low else self.tile.lanes,
            finish="".join(f", {x}" for x in finish),
        )
        prepare = max(1, (pads[1] if pads else 0) + (packs[1] if packs else 0))
        stages = (
            Stage(f"{self.name}_prepare", prepare),
            Stage(self.name, shares * parts),
            Stage(f"{self.name}_combine", combines),
        )
        workspace = self._workspace(parts)
        return Made(text, stages, workspace, helpers=helpers_of(self.dtype))

    def _columns(self) -> str:
        lanes = self.tile.columns
        if self.packed:
            return f"columns + (panel * {self.total} + pixel) * {lanes}"
        return f"dy + pixel * {self.dy.pixel() or self.dy.outer[1]} + panel * {lanes}"

    def _channel(self) -> str:
        """The first channel of x that ``panel`` meets, with a leading sign."""
        if self.depthwise:
            return f" + panel * {self.tile.columns}"
        return f" + panel / {self.each} * {self.extents.inputs}" if self.groups > 1 else ""

    def _parameters(self) -> list[str]:
        kind = stored(self.dtype)
        found = [f"const {kind} *x", f"const {kind} *dy"]
        found += [f"{kind} *dw"] if self.epilogue is None else self.epilogue.parameters
        if self.source.copied:
            found.append(f"{self.kind} *padded")
        if self.packed:
            found.append(f"{self.kind} *columns")
        return [*found, f"{self.kind} *sums", "long *at"]

    def _workspace(self, parts: int) -> tuple[int, ...]:
        lanes = self.tile.columns
        sizes = [self.source.size] if self.source.copied else []
        if self.packed:
            sizes.append(self.panels * self.total * lanes)
        sizes.append(parts * self.panels * self.rows * lanes)
        return (*(max(64, n * self.itemsize) for n in sizes), max(64, self.rows * 8))

    def _preparations(self) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
        """Rows to pad and pieces of columns to copy, each with how many tasks do it."""
        threads = self.setting.threads
        pads = packs = None
        if self.source.copied:
            rows = self.x.outer[0] * prod(self.source.extent[:2])
            pads = rows, max(1, tasks(rows, self.source.size // max(1, rows), threads))
        if self.packed:
            pieces = self.panels * -(-self.total // TOGETHER)
            packs = pieces, max(1, tasks(pieces, TOGETHER * self.tile.columns, threads))
        return pads, packs

    def _pieces(self, terms: Terms) -> list[str]:
        found = []
        if self.source.copied:
            found.append(padding(self.name, self.x, self.source))
        if self.packed:
            found.append(columns_of(self.name, self.dy, self.tile, self.columns, TOGETHER))
        found.append(tiles(self.name, self.kind, self.tile, self.cut.sizes, terms))
        if not self.low:
            found.append(transposition(self.name, self.dtype, self.tile.lanes))
        if self.epilogue is None:
            found.append(store_weights(self.name, self.kind, self.result))
        else:
            found.append(self.epilogue.text)
        return found

    def _summary(self) -> str:
        e = self.extents
        groups = f", in {e.groups} groups" if e.groups > 1 else ""
        kernel, sizes = " x ".join(map(str, e.kernel)), " x ".join(map(str, e.sizes))
        return (
            f"The gradient of the weights of a convolution of {e.inputs * e.groups} channels of "
            f"{sizes} to {e.outputs * e.groups}, kernel {kernel}{groups}."
        )


def _terms(loops: list[tuple[str, str, int]], along: int, *, channels: bool) -> Terms:
    """The loops over pixels, of which inner ones are one where they meet x at equal distances."""
    _, length, step = loops[-1]
    outer = [x for x in loops[:-1] if x[1] != "1"]
    if length == "1" and outer:
        _, length, step = outer.pop()
    while outer and length.isdigit() and outer[-1][2] == int(length) * step:
        count = outer.pop()[1]
        length = str(int(count) * int(length)) if count.isdigit() else f"{count} * {length}"
    start = " + ".join(f"{index} * {distance}" for index, _, distance in outer) or "0"
    return Terms(
        [(index, count) for index, count, _ in outer],
        start,
        length,
        step,
        along,
        begin="*({name}_vector *)(y + {row} * ld + {lane})",
        parameters=", long count",
        channels=channels,
    )
