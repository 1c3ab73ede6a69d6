"""Where the first extreme element along dimensions stands."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.statements import INDICES
from graphc.backends.c_language.types import computed, load, stored
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Cut,
    Pointer,
    axes_of,
    bounds,
    cut,
    pointers,
    spelled_shape,
)
from graphc.backends.native.made import Made, Setting, Stage
from graphc.backends.native.walks import nest
from graphc.backends.native.windows import conversions, spelled
from graphc.ir.dtype import DType
from graphc.kernels_templates import render
from graphc.lowering.views import dense
from graphc.ops.reduce import ArgMax, ArgReduce

LANES = 128
"""Bytes of elements that are compared at once, in several vectors."""
BESIDE = 64
"""Lines side by side that are done together."""


class _Extreme:
    """What both ways of looking for an extreme element have in common."""

    def __init__(self, name: str, setting: Setting) -> None:
        op, x, y = setting.node.op, setting.operands[0], setting.results[0]
        assert isinstance(op, ArgReduce)
        self.name, self.setting, self.op = name, setting, op
        self.x, self.y = x, y
        self.is_largest = isinstance(op, ArgMax)
        reduced = [a for a in op.axes if x.shape[a] != 1]
        lengths = tuple(x.shape[a] for a in reduced)
        steps = tuple(x.strides[a] for a in reduced)
        self.along = nest(lengths, dense(lengths), steps) or (Axis(1, (1, 0)),)
        """The axes of a line: steps of an element's number and of the operand."""
        kept = tuple(1 if a in op.axes else n for a, n in enumerate(x.shape))
        self.beside = axes_of(kept, y.strides, x.strides)
        """The other axes: steps of the result and of the operand."""
        self.size = prod(lengths)

    @property
    def is_column(self) -> bool:
        """Whether lines lie closer together than their elements."""
        if not self.beside or self.size == 1:
            return False
        apart = min(abs(axis.steps[1]) for axis in self.along)
        return abs(self.beside[-1].steps[1]) < apart and self.beside[-1].extent >= 8

    def better(self, dtype: DType) -> str:
        """The condition that a value comes before the best one; nothing comes before nan."""
        sign = ">" if self.is_largest else "<"
        if not dtype.is_floating_point:
            return f"value {sign} best"
        return f"(value {sign} best) | ((value != value) & (best == best))"

    def facts(self, opening: Sequence[str], loops: Sequence[str]) -> dict[str, object]:
        what = "largest" if self.is_largest else "smallest"
        return {
            "name": self.name,
            "summary": f"The place of the first {what} of {self.size} elements, in each of "
            f"{spelled_shape(tuple(axis.extent for axis in self.beside))} lines.",
            "parameters": pointers(self.setting, "x"),
            "opening": opening,
            "loops": loops,
            "kind": computed(self.x.dtype),
            "better": self.better(self.x.dtype),
        }

    def lines(self) -> Made:
        """Line after line, each in runs of elements at equal distances."""
        x, outer = self.x.dtype, self.along[:-1]
        run = self.along[-1]
        part = cut(self.beside, self.setting.threads, self.size)
        names = INDICES[: len(self.beside)]
        target, source = Pointer("y"), Pointer("x")
        for axis, index in zip(self.beside, names, strict=True):
            target, source = target.moved(axis.steps[0], index), source.moved(axis.steps[1], index)
        more = INDICES[len(names) : len(names) + len(outer)]
        number = spelled(*((axis.steps[0], index) for axis, index in zip(outer, more, strict=True)))
        for axis, index in zip(outer, more, strict=True):
            source = source.moved(axis.steps[1], index)
        equal = "value == best"
        element = Pointer("x").moved(run.steps[1], "i")
        text = render(
            "argmax_lines.c.j2",
            **self.facts(part.lines if part else [], headers(self.beside, names, part)),
            stored=stored(x),
            word=f"uint{8 * _width(x)}_t",
            size=run.extent,
            lanes=LANES // _width(x),
            first=load(x, "x[0]"),
            value=load(x, element.element),
            equal=f"({equal}) | (value != value)" if x.is_floating_point else equal,
            runs=headers(outer, more, None),
            run=source.address,
            number=number,
            target=target.element,
        )
        tasks = part.tasks if part else 1
        return Made(text, (Stage(self.name, tasks),), helpers=conversions(x))

    def columns(self) -> Made:
        """Lines side by side, an element of each at a time."""
        x, side = self.x.dtype, self.beside[-1]
        part = cut(self.beside, self.setting.threads, self.size)
        names = INDICES[2 : 1 + len(self.beside)]
        target, source = Pointer("y"), Pointer("x")
        for axis, index in zip(self.beside, (*names, "j"), strict=True):
            target, source = target.moved(axis.steps[0], index), source.moved(axis.steps[1], index)
        start = source.element
        more = INDICES[2 + len(names) : 2 + len(names) + len(self.along)]
        for axis, index in zip(self.along, more, strict=True):
            source = source.moved(axis.steps[1], index)
        numbers = zip(self.along, more, strict=True)
        first, last = bounds(self.beside, len(names), part)
        text = render(
            "argmax_columns.c.j2",
            **self.facts(part.lines if part else [], headers(self.beside[:-1], names, part)),
            first=first,
            last=last,
            block=min(side.extent, BESIDE),
            place="int64_t" if x.itemsize == 8 else "int32_t",
            start=load(x, start),
            along=headers(self.along, more, None),
            number=spelled(*((axis.steps[0], index) for axis, index in numbers)),
            value=load(x, source.element),
            target=target.element,
        )
        tasks = part.tasks if part else 1
        return Made(text, (Stage(self.name, tasks),), helpers=conversions(x))


def headers(axes: Sequence[Axis], names: Sequence[str], part: Cut | None) -> list[str]:
    """The loops over axes."""
    found = []
    for i, name in enumerate(names):
        low, high = bounds(axes, i, part)
        found.append(f"for (long {name} = {low}; {name} < {high}; {name}++)")
    return found


def _width(dtype: DType) -> int:
    """Bytes of an element as it is compared."""
    return 4 if dtype.is_floating_point and dtype.itemsize == 2 else dtype.itemsize


def arg_extreme(name: str, setting: Setting) -> Made:
    """The place of the first extreme element; of the first nan if there is one."""
    if 0 in setting.results[0].shape:
        return NOTHING
    found = _Extreme(name, setting)
    return found.columns() if found.is_column else found.lines()
