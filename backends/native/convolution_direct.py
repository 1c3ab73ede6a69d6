"""Direct convolution and its data gradient: tiles of pixels times channels that stay in registers.

The operand is read channels last, with zeros around it; the weights are packed into panels of as
many columns as a tile has, one row after the other for each tap and channel. A tile's rows are any
pixels: each has an address of its own, so that rows of pixels need not fit the tile. The data
gradient is the same over the gradient of the output; with a stride, each phase of the input is
a convolution of its own with the taps that reach it, so no zeros are put between elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.types import computed, is_low, stored
from graphc.backends.native.convolution_geometry import (
    Extents,
    Line,
    Phase,
    Source,
    Values,
    phases,
    source,
    values,
)
from graphc.backends.native.convolution_pieces import (
    Panels,
    helpers_of,
    packing,
    padding,
    store_block,
)
from graphc.backends.native.convolution_tiles import Split, Terms, Tile, split, tile_for, tiles
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import SMALL, Made, Setting, Stage, is_settled, tasks
from graphc.kernels_templates import render

PIECE = 250_000
"""Multiplications and additions of a task at least."""
WIDE = 128
"""Columns of a block at most."""
TOGETHER = 8
"""Tiles that meet the same weights one after the other, while these are in a near cache."""


class Direct:
    """One convolution or data gradient."""

    def __init__(
        self,
        name: str,
        setting: Setting,
        extents: Extents,
        lines: Sequence[Line],
        epilogue: Epilogue | None,
        *,
        gradient: bool,
    ) -> None:
        self.name, self.setting, self.extents, self.lines = name, setting, extents, lines
        self.epilogue, self.gradient = epilogue, gradient
        self.given, self.weights = (values(x) for x in setting.operands)
        self.settled = is_settled(setting, 1)
        self.result = values(setting.results[0])
        self.dtype = setting.results[0].dtype
        self.kind = computed(self.dtype)
        self.itemsize = 4 if is_low(self.dtype) else self.dtype.itemsize
        inputs, outputs, self.groups = extents.inputs, extents.outputs, extents.groups
        self.columns, self.depth = (inputs, outputs) if gradient else (outputs, inputs)
        self.depthwise = extents.is_depthwise
        if self.depthwise:
            # All channels are columns side by side, and each meets its own.
            self.columns, self.groups = self.groups, 1
        self.tile: Tile = tile_for(setting.target, self.itemsize, self.columns)
        self.each = -(-self.columns // self.tile.columns)
        self.panels = self.each * self.groups
        self.ragged = self.columns % self.tile.columns != 0
        beyond = self.ragged and self.depthwise
        self.source: Source = source(
            self._names()[0],
            self.given,
            lines,
            copied=is_low(self.dtype) or beyond,
            beyond=self.tile.columns if beyond else 0,
        )
        self.phases = phases(lines)
        self.splits = [split(extents.batch * prod(x.count), self.tile.rows) for x in self.phases]

    # -- the cut into pieces -------------------------------------------------------------------

    def _cut(self) -> tuple[int, int]:
        """Tiles and panels of a piece: enough pieces for all threads, as large as may be."""
        wide = 1 if self.ragged and self.groups > 1 else WIDE // self.tile.columns
        chunk, group = max(1, min(self.panels, wide)), TOGETHER
        wanted = self._tasks()
        while self._items(group, chunk) < wanted and (chunk > 1 or group > 2):
            if chunk > 1 and (chunk * self.tile.columns > 32 or group <= 2):
                chunk = -(-chunk // 2)
            else:
                group //= 2
        return group, chunk

    def _items(self, group: int, chunk: int) -> int:
        return sum(-(-x.tiles // group) for x in self.splits) * -(-self.panels // chunk)

    def _tasks(self) -> int:
        """How many tasks the work is worth."""
        threads = self.setting.threads
        work = prod(self.extents.kernel) * self.depth * prod(self.setting.results[0].shape)
        work //= prod(x.apart for x in self.lines)
        return 1 if threads == 1 else max(1, min(4 * threads, work // PIECE))

    # -- the text ------------------------------------------------------------------------------

    def made(self) -> Made:
        """The kernel."""
        group, chunk = self._cut()
        items = self._items(group, chunk)
        count = max(1, min(items, self._tasks()))
        pads, packs = self._preparations()
        text = render(
            "convolution.c.j2",
            **self._geometry(group, chunk),
            name=self.name,
            summary=self._summary(),
            kind=self.kind,
            vector=self.tile.lanes * self.itemsize,
            pieces=self._pieces(),
            parameters="".join(f", {x}" for x in self._parameters()),
            pads=pads,
            packs=packs,
            settled=self.settled,
            given=self._names(),
            items=(items, count),
        )
        work = self._workspace()
        stages = [Stage(f"{self.name}_prepare", (pads[1] if pads else 0) + packs[1])]
        if self.settled:
            stages = [Stage(f"{self.name}_prepare", pads[1])] if pads else []
            stages.append(Stage(f"{self.name}_weights", packs[1], prepares=True))
        return Made(
            text,
            (*stages, Stage(self.name, count)),
            work,
            helpers=helpers_of(self.dtype),
            kept=(len(work) - 1,) if self.settled else (),
        )

    def _names(self) -> tuple[str, str]:
        return ("dy" if self.gradient else "x"), "w"

    def _parameters(self) -> list[str]:
        kind = stored(self.dtype)
        found = [f"const {kind} *{x}" for x in self._names()]
        if self.epilogue is None:
            found.append(f"{kind} *{self._target()}")
        else:
            found += self.epilogue.parameters
        if self.source.copied:
            found.append(f"{self.kind} *padded")
        return [*found, f"{self.kind} *packed"]

    def _target(self) -> str:
        return "dx" if self.gradient else "y"

    def _workspace(self) -> tuple[int, ...]:
        packed = self.panels * self.tile.columns * self.depth * prod(self.extents.kernel)
        sizes = [self.source.size] if self.source.copied else []
        return tuple(max(64, n * self.itemsize) for n in (*sizes, packed))

    def _preparations(self) -> tuple[tuple[int, int] | None, tuple[int, int]]:
        """Rows to pad and panels to pack, each with how many tasks do it."""
        threads = self.setting.threads
        pads = None
        if self.source.copied:
            rows = self.given.outer[0] * prod(self.source.extent[:2])
            pads = rows, tasks(rows, self.source.size // max(1, rows), threads)
        each = self.tile.columns * self.depth * prod(self.extents.kernel)
        return pads, (self.panels, tasks(self.panels, each, threads))

    def _summary(self) -> str:
        e = self.extents
        sizes = " x ".join(map(str, e.sizes)), " x ".join(map(str, e.out))
        what = "The gradient of the input of a convolution" if self.gradient else "Convolution"
        kernel = " x ".join(map(str, e.kernel))
        groups = f", in {e.groups} groups" if e.groups > 1 else ""
        return (
            f"{what} of {e.inputs * e.groups} channels of {sizes[0]} to {e.outputs * e.groups} of "
            f"{sizes[1]}, kernel {kernel}{groups}."
        )

    def _pieces(self) -> list[str]:
        found = []
        if self.source.copied:
            found.append(padding(self.name, self.given, self.source))
        found.append(self._packing())
        sizes = frozenset().union(*(x.sizes for x in self.splits))
        found.append(tiles(self.name, self.kind, self.tile, sizes, self._terms()))
        if self.epilogue is not None:
            found.append(self.epilogue.text)
        elif not self._is_direct():
            found.append(store_block(self.name, self.kind, self.result))
        return found

    def _terms(self) -> Terms:
        """The loops over taps and channels; the channels of neighbouring taps may lie together."""
        many = len(self.phases) > 1
        counts = ["taps0", "taps1", "taps2"] if many else [str(n) for n in self.phases[0].kernel]
        steps = [s * x.step for s, x in zip(self.source.steps[1:], self.lines, strict=True)]
        length = str(self.depth)
        loops = list(zip("abc", counts, steps, strict=True))
        apart = 1
        if self.depthwise:
            length, apart = counts[2], steps[2]
            loops = loops[:2]
        elif self.groups == 1 and steps[2] == self.depth:
            length = f"{counts[2]} * {length}" if many else str(int(counts[2]) * self.depth)
            loops = loops[:2]
        loops = [x for x in loops if x[1] != "1"]
        start = " + ".join(f"{index} * {step}" for index, _, step in loops) or "0"
        return Terms(
            [(index, count) for index, count, _ in loops],
            start,
            length,
            apart,
            self.tile.columns,
            channels=self.depthwise,
            parameters=", long taps0, long taps1, long taps2" if many else "",
        )

    def _packing(self) -> str:
        panels = Panels(
            self.gradient and not self.depthwise,
            self.gradient,
            self.extents.outputs,
            self.tile,
            self.columns,
            self.depth,
            self.phases,
            self._offsets(),
        )
        return packing(self.name, self.weights, panels)

    def _offsets(self) -> list[tuple[int, int]]:
        """Where the weights of each phase begin, and the size of one of its panels."""
        found, begin = [], 0
        for phase in self.phases:
            panel = prod(phase.kernel) * self.depth * self.tile.columns
            found.append((begin, panel))
            begin += panel * self.panels
        return found

    def _is_direct(self) -> bool:
        """Whether tiles are stored in the result as they are."""
        result = self.result
        channels = result.outer[1]
        pixel = result.pixel()
        whole = not self.ragged and not is_low(self.dtype) and self.epilogue is None
        return (
            whole
            and self._one_phase()
            and result.strides[1] == 1
            and (pixel == channels or result.pixels == 1)
            and result.strides[0] == channels * result.pixels
        )

    def _one_phase(self) -> bool:
        return all(x.apart == 1 for x in self.lines)

    def _geometry(self, group: int, chunk: int) -> dict[str, object]:
        direct = self._is_direct()
        lanes = self.tile.columns
        base = self.source.steps[1:]
        table = [
            self._phase(phase, cut, offset, base)
            for phase, cut, offset in zip(self.phases, self.splits, self._offsets(), strict=True)
        ]
        sizes = frozenset().union(*(x.sizes for x in self.splits))
        uneven = self.ragged and self.groups > 1
        column = f"panel / {self.each} * {self.columns} + panel % {self.each} * {lanes}"
        total = self.columns * self.groups
        ends = f"high * {lanes} < {total} ? high * {lanes} : {total}"
        if uneven:
            end = f"(panel / {self.each} + 1) * {self.columns}"
            ends = f"j0 + {lanes} < {end} ? j0 + {lanes} : {end}"
        many = len(self.phases) > 1
        finish = self.epilogue.arguments if self.epilogue is not None else (self._target(),)
        return dict(
            phases=self._table(table, group, chunk) if many else [],
            phase=self._named()
            if many
            else {**table[0], "first": 0, "groups": -(-self.splits[0].tiles // group)},
            sizes=sorted(sizes, reverse=True),
            steps=(
                self.source.steps[0],
                *(s * x.stride for s, x in zip(base, self.lines, strict=True)),
            ),
            apart=[x.apart for x in self.lines],
            inner=self.result.inner,
            pixels=self.result.pixels,
            group=group,
            chunk=chunk,
            panels=self.panels,
            channel=self._channel(),
            column=column if uneven else f"panel * {lanes}",
            last=ends,
            lanes=lanes,
            most=group * max(sizes),
            source="padded" if self.source.copied else self._names()[0],
            ld=self.result.outer[1] if direct else chunk * lanes,
            direct=self._target() if direct else "",
            scattered=not self._one_phase(),
            finish="".join(f", {x}" for x in finish),
        )

    def _phase(
        self, phase: Phase, cut: Split, offset: tuple[int, int], steps: Sequence[int]
    ) -> dict[str, object]:
        begins = [x.begin for x in phase.taps]
        inner = self.result.inner
        return dict(
            tiles=cut.tiles,
            rows=cut.rows,
            larger=cut.larger,
            count=phase.count,
            begin=(begins[0] * inner[1] + begins[1]) * inner[2] + begins[2],
            base=sum(x.base * s for x, s in zip(phase.taps, steps, strict=True)),
            taps=phase.kernel,
            weights=offset[0],
            panel=offset[1],
        )

    def _channel(self) -> str:
        """The first channel of the operand that ``panel`` meets, with a leading sign."""
        if self.depthwise:
            return f" + panel * {self.tile.columns}"
        return f" + panel / {self.each} * {self.depth}" if self.groups > 1 else ""

    def _table(self, table: Sequence[dict[str, object]], group: int, chunk: int) -> list[str]:
        lines, first = [], 0
        for row, cut in zip(table, self.splits, strict=True):
            groups = -(-cut.tiles // group)
            end = first + groups * -(-self.panels // chunk)
            found: list[object] = [first, end, groups]
            for value in row.values():
                found.append(
                    "{" + ", ".join(map(str, value)) + "}" if isinstance(value, tuple) else value
                )
            lines.append(", ".join(map(str, found)))
            first = end
        return lines

    def _named(self) -> dict[str, object]:
        names = ["first", "groups", "tiles", "rows", "larger", "begin", "base", "weights", "panel"]
        found: dict[str, object] = {x: f"phase->{x}" for x in names}
        return {**found, "count": [f"phase->count[{i}]" for i in range(3)]}


__all__ = ["SMALL", "Direct", "Values"]
