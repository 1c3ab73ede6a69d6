"""Values for places that may be the same: taken together at each, or the last one kept.

Values are taken together in the order in which they come, after their positions were put in order
by place; runs of one place are cut at fixed positions. The last one is found by the largest number
of a position. So results are the same every time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, is_low, wrapping
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import THREADS, blocks
from graphc.backends.cuda.ordering import Order
from graphc.ir.dtype import DType, int32
from graphc.ir.types import Shape
from graphc.kernels_templates import render_block
from graphc.lowering.operands import Operand

CHUNK = 128
"""Positions of a run that a thread takes at most."""
OF_RUNS = 512
"""Threads of a block that takes the pieces of a run together."""

LAST = "last"
"""Instead of an op: the last value stays."""

Places = Callable[[str], Sequence[str]]
"""Declares the places of position ``i0``, ``i1``, ..., and does its argument where it has none."""


class Placed(ABC):
    """Values at places, which are the first dimensions of the result."""

    def __init__(self, op: str, cells: Cells, shape: Shape, lead: int, y: Operand) -> None:
        """A value, or a slice of them, for each position of a shape; no errors may be yet."""
        self.op, self.cells, self.shape, self.lead, self.y = op, cells, shape, lead, y
        self.count, self.rest = prod(shape), prod(y.shape[lead:])
        self.bits = 32 if prod(y.shape[:lead]) < 2**32 - 1 else 64
        self.nowhere = f"UINT{self.bits}_MAX"
        if self.count:
            cells.space("spots", f"uint{self.bits}_t", self.bits // 8 * self.count)
            self._space()

    @abstractmethod
    def _space(self) -> None:
        """The workspaces, after the places of positions."""

    @abstractmethod
    def _functions(self, places: Places, names: Sequence[str], value: str) -> None:
        """Those of values, of which there are some."""

    def add(self, places: Places, names: Sequence[str], value: str) -> None:
        """The functions, after what the result begins with.

        ``names`` are those of the places; ``value`` is that of the position, and of ``r0``,
        ``r1``, ... in a slice.
        """
        if self.count and self.rest:
            self._functions(places, names, value)

    def _find(self, places: Places, names: Sequence[str], more: Sequence[str] = ()) -> None:
        """The function that finds the place of each position; ``more`` is done with ``spot``."""
        steps = [prod(self.y.shape[axis + 1 : self.lead]) for axis in range(self.lead)]
        _, lines = coordinates(self.shape)
        lines = [f"spots[at] = {self.nowhere};", *lines, *places("return;")]
        lines.append(f"const uint{self.bits}_t spot = (uint{self.bits}_t)({terms(steps, names)});")
        summary = f"The places of {spelled(self.shape)} positions"
        self.cells.add(summary, self.count, [*lines, "spots[at] = spot;", *more], suffix="_places")

    def _target(self) -> tuple[list[str], str]:
        """Declarations of the indices of place ``spot``, and its element of the result."""
        names = [f"p{axis}" for axis in range(self.lead)]
        inside, _ = coordinates(self.y.shape[self.lead :], "r")
        declared = split("(long)spot", self.y.shape[: self.lead], names, "long")
        return declared, f"out0[{terms(self.y.strides, [*names, *inside])}]"


class Segments(Placed):
    """The functions that take values together at places."""

    def _space(self) -> None:
        cells, y, bits = self.cells, self.y, self.bits
        self.chunks = blocks(self.count, CHUNK)
        cells.space("sorted", f"uint{bits}_t", bits // 8 * self.count)
        cells.space("order", "int", 4 * self.count)
        if self.chunks > 1:
            size = 4 if is_low(y.dtype) else y.dtype.itemsize
            cells.space("pieces", computed(y.dtype), 2 * self.chunks * self.rest * size)
        self.order = Order(
            cells,
            summary=f"{spelled(self.shape)} positions in order of their places",
            bits=bits,
            lines=1,
            size=self.count,
            kept=self.count,
            indices=[],
            key="spots[k]",
            stores=["order[i] = (int)place;", "sorted[i] = spots[place];"],
        )

    def _functions(self, places: Places, names: Sequence[str], value: str) -> None:
        self._find(places, names)
        self.order.add()
        y, cells = self.y, self.cells
        declared, target = self._target()
        take = f"x = {combined(cells, y.dtype, self.op, 'x', 'y')};"
        begin = [f"const {computed(y.dtype)} y = x;", f"x = {cells.load(y.dtype, target)};"]
        facts = {
            "name": cells.name,
            "summary": f"What the values at each place of {spelled(y.shape)} come to",
            "kind": computed(y.dtype),
            "bits": self.bits,
            "nowhere": self.nowhere,
            "count": self.count,
            "rest": self.rest,
            "chunk": CHUNK,
            "chunks": self.chunks,
            "inside": coordinates(y.shape[self.lead :], "r", "slice")[1],
            "entry": coordinates(self.shape, "i", "entry")[1],
            "value": cells.load(y.dtype, value),
            "take": take,
            "finish": [*declared, *begin, take, cells.store(y.dtype, target, "x")],
        }
        self._function("pieces", self._across(THREADS), THREADS, self.count, facts)
        if self.chunks > 1:
            self._function("runs", self._across(32), OF_RUNS, self.chunks - 1, facts)

    def _across(self, most: int) -> int:
        """Elements of a slice that a block works on."""
        across = 1
        while across < min(self.rest, most):
            across *= 2
        return across

    def _function(
        self, block: str, across: int, threads: int, count: int, facts: dict[str, object]
    ) -> None:
        """A function of so many things, of which a block does one where several threads do it."""
        beside, slices = threads // across, blocks(self.rest, across)
        own = {"across": across, "beside": beside, "slices": slices}
        text = render_block("segments.cu.j2", block, **facts, **own)
        grid = slices * (blocks(count, beside) if block == "pieces" else count)
        self.cells.function(text, (grid, 1, 1), (across, beside, 1), suffix=f"_{block}")


class Latest(Placed):
    """The functions that write values at places, of which the last one stays."""

    def _space(self) -> None:
        self.cells.space("last", "int", 4 * prod(self.y.shape[: self.lead]))

    def _functions(self, places: Places, names: Sequence[str], value: str) -> None:
        cells, y = self.cells, self.y
        spots = prod(y.shape[: self.lead])
        summary = f"No position yet for any of {spots} places"
        cells.copy(int32, (spots,), 0, ("last", (1,), 0), suffix="_none", summary=summary)
        self._find(places, names, ["atomicMax(&last[spot], (int)at + 1);"])
        declared, target = self._target()
        lines = [
            f"const long entry = at / {self.rest};",
            f"[[maybe_unused]] const long slice = at % {self.rest};",
            f"const uint{self.bits}_t spot = spots[entry];",
            f"if (spot == {self.nowhere} || last[spot] != entry + 1) return;",
            *coordinates(y.shape[self.lead :], "r", "slice")[1],
            *coordinates(self.shape, "i", "entry")[1],
            *declared,
            f"{target} = {value};",
        ]
        summary = f"The last of the values at each place of {spelled(y.shape)}"
        cells.add(summary, self.count * self.rest, lines, suffix="_put")


def placed(op: str, cells: Cells, shape: Shape, lead: int, y: Operand) -> Placed:
    """What takes values together by an op of ``combined``, or keeps the last."""
    return (Latest if op == LAST else Segments)(op, cells, shape, lead, y)


def combined(cells: Cells, dtype: DType, op: str, old: str, new: str) -> str:
    """The expression of two values taken together: by add, mul, maximum or minimum."""
    kind = computed(dtype)
    if dtype.name == "bool":
        return f"{old} | {new}" if op in ("add", "maximum") else f"{old} & {new}"
    if op in ("add", "mul"):
        sign = "+" if op == "add" else "*"
        return f"({kind})({old} {sign} {wrapping(dtype)}{new})"
    function = f"{op}_{kind if dtype.is_floating_point else dtype.name}"
    cells.helpers.add(function)
    return f"{function}({old}, {new})"
