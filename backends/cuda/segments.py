"""Values added at places that may be the same: put in order by place, then each place is summed.

The order within a place is that of the values, so that sums are the same every time. There are as
many threads as values, of which the first of each place works: the most that one does are the
values of the place that has most of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, wrapping
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.ordering import Order
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand


class Segments:
    """The functions that add values at places, which are the first dimensions of the result."""

    def __init__(self, cells: Cells, shape: Shape, lead: int, y: Operand) -> None:
        """A value, or a slice of them, for each position of a shape; no errors may be yet."""
        self.cells, self.shape, self.lead, self.y = cells, shape, lead, y
        self.count = prod(shape)
        self.bits = 32 if prod(y.shape[:lead]) < 2**32 - 1 else 64
        if not self.count:
            return
        cells.space("spots", f"uint{self.bits}_t", self.bits // 8 * self.count)
        cells.space("order", "int", 4 * self.count)
        self.order = Order(
            cells,
            summary=f"{spelled(shape)} positions in order of their places",
            bits=self.bits,
            lines=1,
            size=self.count,
            kept=self.count,
            indices=[],
            key="spots[k]",
            stores=["order[i] = (int)place;"],
        )

    def add(self, places: Callable[[str], Sequence[str]], names: Sequence[str], value: str) -> None:
        """The functions, after what the result begins with.

        ``places`` declares ``names``, the places of position ``i0``, ``i1``, ..., and does its
        argument where there is none. ``value`` is that of the position, and of ``r0``, ``r1``, ...
        in a slice.
        """
        if not self.count:
            return
        steps = [prod(self.y.shape[axis + 1 : self.lead]) for axis in range(self.lead)]
        _, lines = coordinates(self.shape)
        nowhere = f"UINT{self.bits}_MAX"
        lines = [f"spots[at] = {nowhere};", *lines, *places("return;")]
        lines.append(f"spots[at] = (uint{self.bits}_t)({terms(steps, names)});")
        summary = f"The places of {spelled(self.shape)} positions"
        self.cells.add(summary, self.count, lines, suffix="_places")
        self.order.add()
        self._sums(nowhere, value)

    def _sums(self, nowhere: str, value: str) -> None:
        y, cells, kind = self.y, self.cells, computed(self.y.dtype)
        rest = y.shape[self.lead :]
        slice_names, declared = coordinates(rest, "r", "slice")
        place_names = [f"p{axis}" for axis in range(self.lead)]
        lines = [
            f"const long begin = at / {prod(rest)};",
            f"[[maybe_unused]] const long slice = at % {prod(rest)};",
            f"const uint{self.bits}_t spot = spots[order[begin]];",
            f"if (spot == {nowhere} || (begin > 0 && spots[order[begin - 1]] == spot)) return;",
            *declared,
            f"{kind} total = 0;",
            f"for (long next = begin; next < {self.count}; next++) {{",
            "    const long entry = order[next];",
            "    if (spots[entry] != spot) break;",
            *("    " + x for x in coordinates(self.shape, "i", "entry")[1]),
            f"    total = ({kind})(total + {wrapping(y.dtype)}{cells.load(y.dtype, value)});",
            "}",
            *split("(long)spot", y.shape[: self.lead], place_names, "long"),
        ]
        target = f"out0[{terms(y.strides, [*place_names, *slice_names])}]"
        lines.append(cells.store(y.dtype, target, "total"))
        summary = f"Sums of the values at each place of {spelled(y.shape)}"
        cells.add(summary, self.count * prod(rest), lines, suffix="_sums")
