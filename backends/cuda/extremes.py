"""Where the first extreme stands: kernels of rows in which each value goes with its place.

Of equal values the first is found, and nan is extreme, in whatever order threads are combined.

Limit: bytes, one read of each element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from graphc.backends.c_language.types import computed, is_low, stored
from graphc.backends.cuda.actions import Writer
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.backends.cuda.parted import cut
from graphc.backends.cuda.rows import Rows, shape_of
from graphc.ir.dtype import DType, float32, int32, int64
from graphc.lowering.kernel import (
    Access,
    Action,
    Axis,
    Kernel,
    Load,
    Ramp,
    Reduction,
    Store,
    Sweep,
    Value,
)
from graphc.lowering.nests import arranged
from graphc.lowering.operands import single
from graphc.ops.reduce import ArgMax, ArgMin, ArgReduce


@dataclass
class _Writer(Writer):
    """Takes a value together with its ``place``, to ``found``."""

    is_in_order: bool = True
    """Whether a thread meets the places in order: then it keeps the first of equal values."""

    def take(self, x: Reduction) -> None:
        best, value = x.value.name, self.operand(x.operand, x.value.dtype)
        kind = computed(x.value.dtype)
        function, given = f"{x.op}_before_{kind}", f"{value}, place, {best}, found"
        if self.is_in_order:
            function, given = f"{x.op}_above_{kind}", f"{value}, {best}"
        self.helpers.add(function)
        self.lines.add(f"if ({function}({given})) {best} = {value}, found = place;")


class _Rows(Rows):
    """A kernel of rows that finds places of a type."""

    def __init__(self, *given: Any, place: DType, is_in_order: bool) -> None:
        self.place, self.is_in_order = place, is_in_order
        super().__init__(*given)

    def _writer(self, names: Sequence[str]) -> Writer:
        made = _Writer(self.kernel, names, self.parameters.offsets, self.shape.width)
        made.is_in_order = self.is_in_order
        return made

    def _begin(self, x: Reduction) -> None:
        # Where no value is further out than the start, all are equal to it: the first is found.
        super()._begin(x)
        self.writer.lines.add(f"{stored(self.place)} found = 0;")

    def _together(self, x: Reduction) -> None:
        if self.shape.across > 1:
            form = "columns" if self.is_column else "rows"
            function = f"{x.op}_place_of_{form}_{computed(x.value.dtype)}"
            self.writer.helpers.add(function)
            self.writer.lines.add(f"{function}<{self.shape.across}>({x.value.name}, found);")


class Extremes:
    """The functions that find the first extreme of each row."""

    def __init__(self, name: str, setting: Setting) -> None:
        op, x, y = setting.node.op, setting.operands[0], setting.results[0]
        assert isinstance(op, ArgReduce)
        self.cells, self.op = Cells(name, setting), "max" if isinstance(op, ArgMax) else "min"
        self.over = tuple(x.shape[axis] for axis in op.axes)
        steps = [0] * len(x.shape)
        for i, axis in enumerate(op.axes):
            steps[axis] = prod(self.over[i + 1 :]) if x.shape[axis] != 1 else 0
        nest = arranged(x.shape, op.axes, (), [single(x), tuple(steps), single(y)])
        self.axes = tuple(
            Axis(prod(x.shape[a] for a in axes), axes[0] in op.axes) for axes in nest.axes
        )
        self.source = Access(0, nest.strides(single(x)), x.dtype)
        self.target = Access(1, nest.strides(single(y)), y.dtype)
        self.steps = nest.strides(tuple(steps))
        place = int32 if prod(self.over) < 2**31 else int64
        self.value, self.place = Value("x", x.dtype, False), Value("place", place, False)
        self.best, self.found = Value("best", x.dtype, True), Value("found", place, True)

    def made(self) -> Made:
        """The functions."""
        cells, y = self.cells, self.cells.setting.results[0]
        about = f"Where the first extreme of {spelled(self.over)} elements stands"
        if prod(self.over) == 1 or 0 in y.shape:
            cells.copy(y.dtype, y.shape, 0, ("out0", y.strides, 0), suffix="", summary=about)
            return cells.made()
        kernel = self._kernel([Store(self.found, self.target)])
        parts = cut(shape_of(kernel, cells.parameters.offsets))
        if parts == 1:
            self._add("", about, kernel)
        else:
            self._add_parted(about, parts)
        return cells.made()

    def _kernel(self, stores: Sequence[Store]) -> Kernel:
        """Rows of the operand, and what is done with what is found."""
        place = Ramp(0, 1, 0, self.steps, self.place.dtype)
        body = (Load(self.value, self.source), Load(self.place, place), self._reduction(self.axes))
        return Kernel(self.axes, (Sweep((), body), Sweep(tuple(stores), ())), ())

    def _reduction(self, axes: Sequence[Axis]) -> Reduction:
        within = tuple(i for i, axis in enumerate(axes) if axis.reduced)
        return Reduction(self.best, self.op, self.value, within, None)

    def _add_parted(self, about: str, parts: int) -> None:
        """Two functions: one finds the extreme of each part of a row, the other that of these."""
        free = [i for i, axis in enumerate(self.axes) if not axis.reduced]
        rows, before = prod(self.axes[i].extent for i in free), len(self.cells.parameters.names)
        kept = (float32 if is_low(self.best.dtype) else self.best.dtype), self.place.dtype
        strides, step = [0] * len(self.axes), parts
        for i in reversed(free):
            strides[i], step = step, step * self.axes[i].extent
        stores, loads = [], []
        for number, (value, dtype) in enumerate(zip((self.best, self.found), kept, strict=True)):
            self.cells.space(f"of_parts{number}", stored(dtype), rows * parts * dtype.itemsize)
            stores.append(Store(value, Access(before + number, tuple(strides), dtype)))
            within = (*(strides[i] for i in free), 1)
            loads.append(Access(before + number, within, dtype))
        self._add("_parts", f"{about}, in {parts} parts", self._kernel(stores), parts, before)
        axes = (*(self.axes[i] for i in free), Axis(parts, reduced=True))
        target = Access(1, (*(self.target.strides[i] for i in free), 0), self.target.dtype)
        body: list[Action] = [
            Load(x, y) for x, y in zip((self.value, self.place), loads, strict=True)
        ]
        sweep = Sweep((), (*body, self._reduction(axes)))
        kernel = Kernel(axes, (sweep, Sweep((Store(self.found, target),), ())), ())
        self._add("", f"{about}, of its parts", kernel)

    def _add(self, suffix: str, about: str, kernel: Kernel, *parts: int) -> None:
        cells = self.cells
        name, dtype = f"{cells.name}{suffix}", self.place.dtype
        rows = _Rows(
            name, about, kernel, cells.parameters, *parts, place=dtype, is_in_order=self.is_in_order
        )
        text, launch, called, _ = rows.made()
        cells.texts.append(text)
        cells.launches.append(launch)
        cells.helpers |= called

    @property
    def is_in_order(self) -> bool:
        """Whether the elements of a row lie in the order of their places."""
        within = [i for i, axis in enumerate(self.axes) if axis.reduced]
        steps = [self.steps[i] for i in within]
        return steps == sorted(steps, reverse=True)


def arg_reduce(name: str, setting: Setting) -> Made:
    """Where the first extreme element stands, counted over the reduced axes; nan is extreme."""
    return Extremes(name, setting).made()


EXTREMES: dict[str, Maker] = {ArgMax.name: arg_reduce, ArgMin.name: arg_reduce}
"""By the op's name."""
