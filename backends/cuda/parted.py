"""Few long rows, each of which several blocks reduce in parts; then those parts are reduced.

How many parts there are depends on the extents alone, so that the result is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.backends.c_language.types import is_low
from graphc.backends.cuda.made import blocks
from graphc.backends.cuda.rows import Shape
from graphc.ir.dtype import Scalar, float32
from graphc.lowering.kernel import (
    Access,
    Action,
    Axis,
    Kept,
    Kernel,
    Load,
    Reduction,
    Step,
    Store,
    Sweep,
    Value,
)

FULL = 264
"""Blocks that fill a device: two for each of an H100's multiprocessors."""
TURNS = 8
"""Pieces of a row that a thread of a part takes at least."""


@dataclass(frozen=True)
class Parted:
    """A kernel of rows in two."""

    first: Kernel
    """Reduces parts of rows, each to a row of its own."""
    second: Kernel
    """Reduces those, and does what is done for a row."""
    partial: tuple[Value, ...]
    """What the first leaves, each as a parameter after all others: by row, then by part."""


def parts_of(kernel: Kernel, shape: Shape) -> int:
    """Into how many parts each row is cut."""
    return cut(shape) if _is_plain(kernel) else 1


def cut(shape: Shape) -> int:
    """Into how many parts rows may be cut; one where there are rows enough, or short ones."""
    groups = blocks(shape.rows, shape.beside)
    most = shape.turns // TURNS
    return 1 if 2 * groups > FULL or most < 2 else min(most, FULL // groups)


def _is_plain(kernel: Kernel) -> bool:
    """Whether elements are only reduced, in one sweep, and then the row is ended."""
    if len(kernel.sweeps) != 2 or kernel.scratch or kernel.sweeps[1].body:
        return False
    first = kernel.sweeps[0]
    is_reducing = all(isinstance(x, Load | Step | Reduction) for x in first.body)
    return is_reducing and not any(isinstance(x, Store) for x in first.row)


def parted(kernel: Kernel, parameters: int, parts: int) -> Parted:
    """The kernel in two; it has so many parameters."""
    opening, ending = kernel.sweeps
    totals = [x for x in opening.body if isinstance(x, Reduction)]
    partial = tuple(_partial(x.value) for x in totals)
    free = [i for i, axis in enumerate(kernel.axes) if not axis.reduced]
    strides, step = [0] * len(kernel.axes), parts
    for axis in reversed(free):
        strides[axis] = step
        step *= kernel.axes[axis].extent
    stores = tuple(
        Store(x, Access(parameters + i, tuple(strides), x.dtype)) for i, x in enumerate(partial)
    )
    body: list[Action] = [x for x in opening.body if not isinstance(x, Reduction)]
    body += [replace(x, value=to) for x, to in zip(totals, partial, strict=True)]
    row_of_parts = _needed(opening.row, body)
    first = Kernel(kernel.axes, (Sweep(row_of_parts, tuple(body)), Sweep(stores, ())), ())
    within = (*(strides[axis] for axis in free), 1)
    found: list[Action] = []
    for i, (x, kept) in enumerate(zip(totals, partial, strict=True)):
        part = Value(f"{x.value.name}_part", kept.dtype, is_row=False)
        found.append(Load(part, Access(parameters + i, within, kept.dtype)))
        found.append(Reduction(x.value, x.op, part, (len(free),), None))
    axes = (*(kernel.axes[i] for i in free), Axis(parts, reduced=True))
    row = tuple(_over_rows(x, free) for x in (*opening.row, *ending.row))
    count = len(opening.row)
    sweeps = (Sweep(row[:count], tuple(found)), Sweep(row[count:], ()))
    return Parted(first, Kernel(axes, sweeps, ()), partial)


def _needed(row: Sequence[Action], body: Sequence[Action]) -> tuple[Action, ...]:
    """What is read and computed for a row, as far as the body needs it; it stores nothing."""
    used = {y for x in body for y in _operands(x)}
    found: list[Action] = []
    for x in reversed(row):
        assert isinstance(x, Load | Step)
        if x.value in used:
            found.append(x)
            used.update(_operands(x))
    return tuple(reversed(found))


def _operands(x: Action) -> tuple[Value | Scalar, ...]:
    return x.operands if isinstance(x, Step) else (x.operand,) if isinstance(x, Reduction) else ()


def _partial(value: Value) -> Value:
    """A part of a total, which is not rounded before all are together."""
    dtype = float32 if is_low(value.dtype) else value.dtype
    return Value(f"{value.name}_part", dtype, is_row=True)


def _over_rows(x: Action, free: Sequence[int]) -> Action:
    """An action for a row, in a kernel of these axes and one that is reduced."""
    if isinstance(x, Store):
        return replace(x, target=_moved(x.target, free))
    if isinstance(x, Load) and not isinstance(x.source, Kept):
        source = replace(x.source, strides=(*(x.source.strides[i] for i in free), 0))
        return replace(x, source=source)
    return x


def _moved(access: Access, free: Sequence[int]) -> Access:
    return replace(access, strides=(*(access.strides[i] for i in free), 0))
