"""Writing and adding at positions that arrays of integers give, duplicates in order.

A kernel starts with a copy or with zeros, and then goes through the positions. Tasks own parts of
the result: no two of them write to one place, and what is added up at a place is so in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

from graphc.backends.c_language.checks import OUT_OF_RANGE, out_of_bounds
from graphc.backends.c_language.statements import Lines
from graphc.backends.c_language.types import computed, is_low, load, store
from graphc.backends.native.copying import (
    Axis,
    Copy,
    Cut,
    Pointer,
    axes_of,
    cut,
    function,
    pointers,
    spelled_shape,
)
from graphc.backends.native.made import SMALL, Made, Setting, Stage
from graphc.backends.native.walks import (
    Walk,
    along,
    at_positions,
    each,
    pointer_of,
)
from graphc.backends.native.windows import conversions
from graphc.ir.dtype import DType
from graphc.lowering.operands import Operand, spread
from graphc.ops.indexing import IndexPut, IndexSum, Scatter, ScatterAdd, ScatterReduce

NARROW = 8
"""Elements at a position below which going through all positions costs more than it shares."""

Statement = Callable[[str, str], str]
"""What is done with an element of the result and one of the values."""


@dataclass(frozen=True)
class Scattering:
    """What is written where."""

    setting: Setting
    walk: Walk
    rest: tuple[Axis, ...]
    """The axes of what is at a position: steps of the result and of the values."""
    base: Operand | None
    """What the result is at first, ``x``; zeros if there is none."""
    parameters: tuple[str, ...]
    statement: Statement
    summary: str
    helpers: frozenset[str] = frozenset()
    errors: tuple[tuple[str, str], ...] = ()
    skip: int | None = None
    adds: bool = False

    @property
    def y(self) -> Operand:
        return self.setting.results[0]

    @property
    def is_wide(self) -> bool:
        """Whether it is added up in a workspace of wider numbers, each rounded once."""
        return self.adds and is_low(self.y.dtype)

    def made(self, name: str) -> Made:
        """The kernel."""
        texts, stages = [], []
        parameters = [*self.parameters, *["float *restrict total"] * self.is_wide]
        checked = [*parameters, "long check"]
        helpers = self.helpers | conversions(self.y.dtype) | {"fail"}
        if 0 not in self.y.shape:
            text, tasks, called = self._start(f"{name}_start", checked)
            texts.append(text)
            stages.append(Stage(f"{name}_start", tasks))
            helpers |= called
        if prod(axis.extent for axis in self.walk.axes):
            text, tasks = self._walked(name, parameters)
            texts.append(text)
            stages.append(Stage(name, tasks))
        if self.is_wide and 0 not in self.y.shape:
            value = store(self.y.dtype, "y[i]", "total[i]")
            text, tasks = self._flat(f"{name}_round", "The totals, each rounded.", checked, value)
            texts.append(text)
            stages.append(Stage(f"{name}_round", tasks))
        workspace = (prod(self.y.shape) * 4,) if self.is_wide else ()
        return Made("\n".join(texts), tuple(stages), workspace, self.errors, helpers)

    def _flat(
        self, name: str, summary: str, parameters: Sequence[str], statement: str
    ) -> tuple[str, int]:
        """A loop over all elements of the result, which has no gaps."""
        size = prod(self.y.shape)
        part = cut([Axis(size, (1,))], self.setting.threads)
        low, high = ("low", "high") if part else ("0", str(size))
        loop = f"    for (long i = {low}; i < {high}; i++) {statement}"
        opening = part.lines if part else []
        return function(name, summary, parameters, opening, [loop]), part.tasks if part else 1

    def _start(self, name: str, parameters: Sequence[str]) -> tuple[str, int, set[str]]:
        """What the result is before anything is written."""
        target = "total" if self.is_wide else "y"
        if self.base is None:
            return *self._flat(name, "Zeros.", parameters, f"{target}[i] = 0;"), set()
        axes = axes_of(self.y.shape, self.y.strides, self.base.strides)
        part = cut(axes, self.setting.threads)
        lines, helpers, dtype = Lines(), set[str](), self.y.dtype
        if self.is_wide:
            given = Pointer(target), Pointer("x")
            each(lines, axes, 0, *given, lambda y, x: f"{y} = {load(dtype, x)};", part)
        else:
            Copy(lines, dtype, helpers).write(axes, Pointer("y"), Pointer("x"), part)
        opening = part.lines if part else []
        text = function(name, "At first a copy.", parameters, opening, lines.text)
        return text, part.tasks if part else 1, helpers

    def _walked(self, name: str, parameters: Sequence[str]) -> tuple[str, int]:
        """The loops over positions."""
        depth = len(self.walk.axes)
        lines = Lines(depth=1 + depth)
        target, source = self.walk.found("total" if self.is_wide else "y", "values")
        outer, inner, opening, passes = self._parts()
        each(lines, self.rest, depth, target, source, self.statement, inner)
        if self.skip is not None:
            passes = [*passes, f"at0 == {self.skip % self.walk.indices[0].size}"]
        text = self.walk.text(
            name, self.summary, parameters, opening, lines, part=outer, passes=passes
        )
        part = outer or inner
        tasks = part.tasks if part else self.setting.threads if opening else 1
        return text, tasks

    def _parts(self) -> tuple[Cut | None, Cut | None, list[str], list[str]]:
        """What a task has of the positions, and of each; its opening, and what it passes over."""
        threads, axes = self.setting.threads, self.walk.axes
        extent = prod(axis.extent for axis in self.rest)
        count = prod(axis.extent for axis in axes)
        free = [i for i, axis in enumerate(axes) if axis.steps[0]]
        others = prod(axis.extent for axis in axes if not axis.steps[0])
        outer = cut([axes[i] for i in free], threads, extent * others)
        if outer is not None:
            return replace(outer, axis=free[outer.axis]), None, outer.lines, []
        inner = cut(self.rest, threads, count)
        if inner is not None:
            return None, inner, inner.lines, []
        sizes = [index.size for index in self.walk.indices]
        number = sizes.index(max(sizes))
        shared = extent >= NARROW and extent * count >= 2 * SMALL and sizes[number] >= threads
        if threads == 1 or not shared:
            return None, None, [], []
        own = Cut(number, sizes[number], -(-sizes[number] // threads))
        return None, None, own.lines, [f"at{number} < low || at{number} >= high"]


# -- along a dimension -----------------------------------------------------------------------------


def scatter_add(name: str, setting: Setting) -> Made:
    """Zeros to which values are added at the places that an index gives along a dimension."""
    op, (values, index), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ScatterAdd)
    walk = along(op.dim, y, index, values, written=True)
    return Scattering(
        setting, walk, (), None, tuple(pointers(setting, "values", "index")), added(y.dtype),
        f"{_summed(values, y)}, at places along dimension {op.dim}.",
        errors=out_of_bounds("RuntimeError", walk.sizes, op.dim), adds=True,
    ).made(name)  # fmt: skip


def scatter(name: str, setting: Setting) -> Made:
    """An array with values written at the places that an index gives; the last one stays."""
    op, (x, values, index), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Scatter)
    walk = along(op.dim, y, index, values, written=True)
    return Scattering(
        setting, walk, (), x, tuple(pointers(setting, "x", "values", "index")), written,
        f"{spelled_shape(values.shape)} values written into {spelled_shape(y.shape)}, at places "
        f"along dimension {op.dim}.",
        errors=out_of_bounds("RuntimeError", walk.sizes, op.dim),
    ).made(name)  # fmt: skip


def scatter_reduce(name: str, setting: Setting) -> Made:
    """An array combined with values at the places that an index gives along a dimension."""
    op, (x, values, index), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ScatterReduce)
    walk = along(op.dim, y, index, values, written=True)
    statement, helpers = combined(op.combine, y.dtype)
    return Scattering(
        setting, walk, (), x, tuple(pointers(setting, "x", "values", "index")), statement,
        f"{spelled_shape(y.shape)} combined by {op.combine} with {spelled_shape(values.shape)} "
        f"values, at places along dimension {op.dim}.",
        helpers, out_of_bounds("RuntimeError", walk.sizes, op.dim),
    ).made(name)  # fmt: skip


# -- at positions ----------------------------------------------------------------------------------


def index_sum(name: str, setting: Setting) -> Made:
    """Zeros to which slices are added at positions: the gradient of an embedding."""
    op, (values, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, IndexSum)
    count = len(indices)
    lead = len(values.shape) - (len(y.shape) - count)
    walk = at_positions(y, indices, values, values.shape[:lead], wrap=op.wrap, written=True)
    rest = axes_of(y.shape[count:], y.strides[count:], values.strides[lead:])
    is_table = count == 1 and not op.wrap
    names = [pointer_of(i) for i in range(count)]
    return Scattering(
        setting, walk, tuple(rest), None, tuple(pointers(setting, "values", *names)),
        added(y.dtype),
        f"{_summed(values, y)}, at positions of its first dimensions.",
        errors=OUT_OF_RANGE if is_table else out_of_bounds("IndexError", walk.sizes),
        skip=op.skip, adds=True,
    ).made(name)  # fmt: skip


def index_put(name: str, setting: Setting) -> Made:
    """An array with slices written, or added, at positions."""
    op, (x, values, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, IndexPut)
    count = len(indices)
    shape = _common(indices)
    inner = y.shape[count:]
    wide = spread(values, len(shape) + len(inner))
    other = Operand(shape, wide.strides[: len(shape)], values.dtype)
    walk = at_positions(y, indices, other, shape, wrap=True, written=True)
    rest = axes_of(inner, y.strides[count:], wide.strides[len(shape) :])
    names = [pointer_of(i) for i in range(count)]
    what = "added to" if op.accumulate else "written into"
    return Scattering(
        setting, walk, tuple(rest), x, tuple(pointers(setting, "x", "values", *names)),
        added(y.dtype) if op.accumulate else written,
        f"{spelled_shape(values.shape)} values {what} {spelled_shape(y.shape)}, at "
        f"{spelled_shape(shape)} positions.",
        errors=out_of_bounds("IndexError", walk.sizes), adds=op.accumulate,
    ).made(name)  # fmt: skip


def _common(indices: Sequence[Operand]) -> tuple[int, ...]:
    """The shape that the indices broadcast to."""
    rank = max(len(x.shape) for x in indices)
    sizes = zip(*((1,) * (rank - len(x.shape)) + x.shape for x in indices), strict=True)
    return tuple(next((n for n in each if n != 1), 1) for each in sizes)


def _summed(values: Operand, y: Operand) -> str:
    return f"{spelled_shape(values.shape)} values added up in {spelled_shape(y.shape)}"


# -- statements ------------------------------------------------------------------------------------


def written(y: str, value: str) -> str:
    """The last value stays."""
    return f"{y} = {value};"


def added(dtype: DType) -> Statement:
    """The sum; of truth values whether one holds."""
    sign = "|" if dtype.category == 0 else "+"
    return lambda y, value: f"{y} {sign}= {load(dtype, value)};"


def combined(name: str, dtype: DType) -> tuple[Statement, frozenset[str]]:
    """The product or extreme, and the shared functions that it needs."""
    if name == "mul":
        return lambda y, v: store(dtype, y, f"{load(dtype, y)} * {load(dtype, v)}"), frozenset()
    kind = computed(dtype) if dtype.is_floating_point else dtype.name
    called = f"{name}_{kind}"
    return (
        lambda y, v: store(dtype, y, f"{called}({load(dtype, y)}, {load(dtype, v)})"),
        frozenset({called}),
    )
