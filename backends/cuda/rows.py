"""Kernels of rows: several sweeps over each row, by a warp, a part of one, or a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc.backends.c_language.statements import start_of
from graphc.backends.c_language.types import computed, is_low
from graphc.backends.cuda.actions import Writer, width_of
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import THREADS, Launch, Parameters, blocks
from graphc.ir.dtype import DType
from graphc.kernels_templates import render
from graphc.lowering.kernel import Action, Kernel, Reduction, Store

WARP = 32
REGISTERS = 32
"""Values of a row that a thread keeps in registers; beyond, they go to memory of its own."""
MOST = 1024
"""Threads of a block."""


def is_column(kernel: Kernel) -> bool:
    """Whether rows lie side by side in memory."""
    return any(axis.reduced for axis in kernel.axes) and not kernel.axes[-1].reduced


@dataclass(frozen=True)
class Shape:
    """How threads share the rows of a kernel."""

    rows: int
    length: int
    """Pieces of a row, each of ``width`` elements."""
    width: int
    across: int
    """Threads that work on a row together."""
    beside: int
    """Rows that a block works on."""

    @property
    def turns(self) -> int:
        """Pieces of a row for each thread."""
        return blocks(self.length, self.across)


def shape_of(kernel: Kernel, offsets: Sequence[int]) -> Shape:
    """The threads of a kernel whose rows are contiguous, or whose rows lie side by side."""
    rows = prod(x.extent for x in kernel.axes if not x.reduced)
    length = prod(x.extent for x in kernel.axes if x.reduced)
    if is_column(kernel):
        across = 1
        while across < 32 and across * 4 < length:
            across *= 2
        return Shape(rows, length, 1, across, WARP)
    width = width_of(kernel, offsets)
    pieces = length // width
    across = 1
    while across < WARP and across < pieces:
        across *= 2
    if pieces > 8 * WARP:
        across = 4 * WARP
        while across < MOST and across * 4 < pieces:
            across *= 2
    across = _keeping(across, pieces, width * len(kernel.scratch))
    # Warps of one row meet in shared memory, where there is room for one row.
    return Shape(rows, pieces, width, across, 1 if across > WARP else THREADS // across)


def _keeping(across: int, pieces: int, values: int) -> int:
    """So many threads for a row, or more: what it keeps, so many values for each piece, has room.

    Where no block has room for a row in its registers, more threads would not help.
    """
    wider = across
    while blocks(pieces, wider) * values > REGISTERS and wider < MOST:
        wider *= 2
    return wider if blocks(pieces, wider) * values <= REGISTERS else across


class Rows:
    """The text of a kernel of rows."""

    def __init__(
        self,
        name: str,
        summary: str,
        kernel: Kernel,
        parameters: Parameters,
        parts: int = 1,
        partial: int = 0,
    ) -> None:
        """Of rows in parts, those parameters from ``partial`` on are by row, then by part."""
        self.name, self.summary, self.kernel, self.parts = name, summary, kernel, parts
        self.parameters, self.is_column = parameters, is_column(kernel)
        self.shape = shape_of(kernel, parameters.offsets)
        names = list(parameters.names)
        if parts > 1:
            names[partial:] = [f"({name} + blockIdx.y)" for name in names[partial:]]
        self.writer = self._writer(names)
        self.row_axes = [i for i, x in enumerate(kernel.axes) if not x.reduced]
        self.within = [i for i, x in enumerate(kernel.axes) if x.reduced]
        self.workspace: list[int] = []

    def made(self) -> tuple[str, Launch, set[str], list[int]]:
        """The text, its launch, what it calls, and the bytes of its workspaces."""
        shape, writer = self.shape, self.writer
        for number, dtype in enumerate(self.kernel.scratch):
            self._keep(number, dtype)
        lines = writer.lines
        lines.add(*split("row", *self._of(self.row_axes), writer.index_type))
        for number, sweep in enumerate(self.kernel.sweeps):
            lines.add("", f"/* Sweep {number + 1} of {len(self.kernel.sweeps)}. */")
            self._per_row(sweep.row)
            self._sweep(sweep.body)
        arguments, declared = self.parameters.used(lines.text)
        text = render(
            "rows.cu.j2",
            name=self.name,
            summary=self.summary,
            parameters=declared,
            threads=shape.across * shape.beside,
            index=writer.index_type,
            rows=shape.rows,
            across=shape.across,
            beside=shape.beside,
            exact=shape.rows % shape.beside == 0,
            is_column=self.is_column,
            lines=lines.text,
        )
        block = (
            (shape.beside, shape.across, 1) if self.is_column else (shape.across, shape.beside, 1)
        )
        grid = (blocks(shape.rows, shape.beside), self.parts, 1)
        launch = Launch(self.name, grid, block, arguments)
        return text, launch, writer.helpers, self.workspace

    def _of(self, axes: Sequence[int]) -> tuple[list[int], list[str]]:
        return [self.kernel.axes[i].extent for i in axes], [self.writer.names[i] for i in axes]

    def _keep(self, number: int, dtype: DType) -> None:
        """Memory for a value of each element of a row, of which each thread reads its own."""
        shape, kind = self.shape, computed(dtype)
        count = shape.turns * shape.width
        if count * len(self.kernel.scratch) <= REGISTERS:
            self.writer.lines.add(f"{kind} kept{number}[{count}];")
            self.writer.kept[number] = f"kept{number}[{self._own()}]"
            return
        # A name of its own, for other functions of the kernel may keep rows too.
        name = f"kept{len(self.parameters.names)}"
        self.parameters.add(name, f"{computed(dtype)} *{name}")
        size = 4 if is_low(dtype) else dtype.itemsize
        total = shape.rows * shape.length * shape.width
        self.workspace.append(total * size)
        index = self.writer.index_type
        if self.is_column:
            place = f"({index})q * {shape.rows} + row"
        else:
            place = f"({index})row * {shape.length * shape.width} + q * {shape.width}"
            place += " + v" if shape.width > 1 else ""
        self.writer.kept[number] = f"{name}[{place}]"

    def _own(self) -> str:
        """The number of an element among those of its thread."""
        return "turn" if self.shape.width == 1 else f"turn * {self.shape.width} + v"

    def _per_row(self, actions: Sequence[Action]) -> None:
        """What is done once for a row: every thread of it does so, and one stores."""
        stores = [x for x in actions if isinstance(x, Store)]
        before = self.writer.width
        self.writer.width = 1
        self.writer.actions([x for x in actions if not isinstance(x, Store)])
        if stores:
            guard = "here && lane == 0" if self.shape.across > 1 else "here"
            self.writer.lines.open(f"if ({guard})")
            self.writer.actions(stores)
            self.writer.lines.close()
        self.writer.width = before

    def _sweep(self, body: Sequence[Action]) -> None:
        if not body:
            return
        lines, shape = self.writer.lines, self.shape
        totals = [x for x in body if isinstance(x, Reduction)]
        for x in totals:
            self._begin(x)
        turns, turn = blocks(shape.turns, self.parts), "turn"
        if self.parts > 1:
            turn = f"(blockIdx.y * {turns} + turn)"
        if turns <= REGISTERS:
            lines.add("#pragma unroll")
        lines.open(f"for (int turn = 0; turn < {turns}; turn++)")
        place = f"{turn} * {shape.across} + lane" if shape.across > 1 else turn
        lines.add(f"const int q = {place};")
        guard = " && ".join(self._guards())
        if guard:
            lines.add(f"if (!({guard})) break;")
        extents, names = self._of(self.within)
        extents[-1] //= shape.width
        lines.add(*split("q", extents, names, self.writer.index_type, shape.width))
        self.writer.elements(body)
        lines.close()
        for x in totals:
            self._together(x)

    def _guards(self) -> list[str]:
        shape = self.shape
        found = [] if shape.rows % shape.beside == 0 else ["here"]
        if shape.length % (shape.across * self.parts):
            found.append(f"q < {shape.length}")
        return found

    def _writer(self, names: Sequence[str]) -> Writer:
        """What writes actions, for parameters of these names."""
        return Writer(self.kernel, names, self.parameters.offsets, self.shape.width)

    def _begin(self, x: Reduction) -> None:
        """Declare a total, as it begins."""
        kind = computed(x.value.dtype)
        self.writer.lines.add(f"{kind} {x.value.name} = {start_of(x.op, x.value.dtype)};")

    def _together(self, x: Reduction) -> None:
        """Make the threads' totals one, which all of them have."""
        name, dtype = x.value.name, x.value.dtype
        kind = computed(dtype)
        if self.shape.across > 1:
            form = "columns" if self.is_column else "rows"
            function = f"{x.op}_of_{form}_{kind}"
            self.writer.helpers.add(function)
            self.writer.lines.add(f"{name} = {function}<{self.shape.across}>({name});")
        if is_low(dtype):
            self.writer.helpers.add(f"round_{dtype.name}")
            self.writer.lines.add(f"{name} = round_{dtype.name}({name});")
