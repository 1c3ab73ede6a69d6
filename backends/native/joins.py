"""Arrays one after the other: row by row, or whole where their rows are long."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.statements import INDICES, Lines
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Copy,
    Pointer,
    axes_of,
    bounds,
    cut,
    function,
    pointers,
    spelled_shape,
    turned_axis,
)
from graphc.backends.native.made import Made, Setting, Stage
from graphc.lowering.operands import Operand
from graphc.ops.movement import Concat

PAGE = 4096
"""Bytes of a row from which the operands are copied one after the other."""


def concat(name: str, setting: Setting) -> Made:
    """The operands one after the other: row by row, or whole where their rows are long."""
    op, y = setting.node.op, setting.results[0]
    assert isinstance(op, Concat)
    if 0 in y.shape:
        return NOTHING
    join = _Join(op.dim, setting)
    lines, opening, tasks = join.rows() if join.has_short_rows() else join.blocks()
    names = [f"x{i}" for i in range(len(setting.operands))]
    joined = " and ".join(str(x.shape[op.dim]) for x in setting.operands)
    text = function(
        name,
        f"A join along dimension {op.dim} of {spelled_shape(y.shape)}, from extents {joined}.",
        pointers(setting, *names),
        opening,
        lines,
    )
    return Made(text, (Stage(name, tasks),), helpers=frozenset(join.helpers))


class _Join:
    """The loops of a join."""

    def __init__(self, dim: int, setting: Setting) -> None:
        self.dim, self.setting = dim, setting
        self.y = setting.results[0]
        self.helpers: set[str] = set()
        self.sources: list[tuple[int, int, Operand]] = []
        """For each operand with elements: its number, where it begins, and how it lies."""
        begin = 0
        for i, x in enumerate(setting.operands):
            if 0 not in x.shape:
                self.sources.append((i, begin * self.y.strides[dim], x))
            begin += x.shape[dim]
        step = self.y.strides[dim]
        outside = [n > 1 and s > step for n, s in zip(self.y.shape, self.y.strides, strict=True)]
        self.outer = [d for d, is_outside in enumerate(outside) if is_outside]
        self.inner = [d for d in range(len(self.y.shape)) if d not in self.outer]

    def _axes(self, dims: Sequence[int], operands: Sequence[Operand]) -> list[Axis]:
        shape = tuple(operands[-1].shape[d] for d in dims)
        return axes_of(shape, *(tuple(x.strides[d] for d in dims) for x in operands))

    def has_short_rows(self) -> bool:
        """Whether it goes row by row: rows are short, and nothing is transposed by it."""
        if not self.outer:
            return False
        whole = range(len(self.y.shape))
        nests = [self._axes(whole, (self.y, x)) for _, _, x in self.sources]
        if any(axes and turned_axis(axes) is not None for axes in nests):
            return False
        size = self.y.dtype.itemsize
        return any(prod(x.shape[d] for d in self.inner) * size < PAGE for *_, x in self.sources)

    def rows(self) -> tuple[list[str], list[str], int]:
        """Loops over rows, and in them a copy from each operand."""
        lines = Lines()
        outer = self._axes(self.outer, (self.y, *(x for _, _, x in self.sources)))
        inner = prod(self.y.shape[d] for d in self.inner)
        part = cut(outer, self.setting.threads, inner)
        indices = INDICES[: len(outer)]
        for i, index in enumerate(indices):
            low, high = bounds(outer, i, part)
            lines.open(f"for (long {index} = {low}; {index} < {high}; {index}++)")
        for slot, (i, begin, x) in enumerate(self.sources, 1):
            target, source = Pointer("y", start=begin), Pointer(f"x{i}")
            for axis, index in zip(outer, indices, strict=True):
                target = target.moved(axis.steps[0], index)
                source = source.moved(axis.steps[slot], index)
            made = Copy(lines, x.dtype, self.helpers, len(outer))
            made.write(self._axes(self.inner, (self.y, x)), target, source)
        lines.close(len(outer))
        return lines.text, part.lines if part else [], part.tasks if part else 1

    def blocks(self) -> tuple[list[str], list[str], int]:
        """A copy for each operand, with tasks of its own."""
        lines, total = Lines(), 0
        whole = range(len(self.y.shape))
        several = len(self.sources) > 1
        for i, begin, x in self.sources:
            axes = self._axes(whole, (self.y, x))
            part = cut(axes, self.setting.threads)
            tasks = part.tasks if part else 1
            if several:
                lines.open(f"{'else ' if total else ''}if (task < {total + tasks})")
            if part:
                shift = f"(task - {total})" if total else "task"
                lines.add(*(line.replace("task", shift) for line in part.lines))
            made = Copy(lines, x.dtype, self.helpers)
            made.write(axes, Pointer("y", start=begin), Pointer(f"x{i}"), part)
            if several:
                lines.close()
            total += tasks
        return lines.text, [], total
