"""Reading and writing at positions that arrays of integers give.

What several threads would write to one place is left to ``segments``; where it is little, one
thread does it, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.checks import OUT_OF_RANGE, Error, out_of_bounds, outside
from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, is_low, stored
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.backends.cuda.segments import LAST, Placed, Places, combined, placed
from graphc.ir.dtype import DType
from graphc.ir.types import Shape, broadcast_shapes
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand, spread
from graphc.ops.indexing import (
    CheckRange,
    Gather,
    GatherNd,
    IndexPut,
    IndexSum,
    Scatter,
    ScatterAdd,
    ScatterReduce,
)

SHORT = 8
"""Values up to which a thread takes them all, one after the other."""
MANY = 16384
"""Lines that fill a device with a thread each."""


def _checked(place: str, size: int, *, wrap: bool, otherwise: str) -> list[str]:
    """Statements that make an index one within bounds, or report it and do something else."""
    low = f"{place} < {-size if wrap else 0}"
    lines = [
        f"if ({low} || {place} >= {size}) {{",
        f"    fail(failed, at, {place});",
        f"    {otherwise}",
        "}",
    ]
    return [*lines, f"if ({place} < 0) {place} += {size};"] if wrap else lines


def gather(name: str, setting: Setting) -> Made:
    """Elements whose place along one dimension an index gives."""
    op, (x, places), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Gather)
    cells = Cells(name, setting)
    cells.fails()
    names, lines = coordinates(y.shape)
    lines.append(f"long place = a1[{terms(places.strides, names)}];")
    lines += _checked("place", x.shape[op.dim], wrap=False, otherwise="return;")
    names[op.dim], target = "place", terms(y.strides, names)
    lines.append(f"out0[{target}] = a0[{terms(x.strides, names)}];")
    summary = f"{spelled(y.shape)} elements, at places along dimension {op.dim}"
    cells.add(summary, prod(y.shape), lines)
    return cells.made(out_of_bounds("RuntimeError", [x.shape[op.dim]], op.dim))


def _is_serial(op: str, dtype: DType, values: int, threads: int = 0) -> bool:
    """Whether a thread takes so many values, where there would be so many threads.

    It rounds after each of them, which sums are not to be.
    """
    if op == "add" and is_low(dtype):
        return values == 1
    return values <= SHORT or (op != LAST and threads >= MANY)


def _taken(cells: Cells, dtype: DType, op: str, place: str, value: str) -> list[str]:
    """Statements that take a value into an element."""
    if op == LAST:
        return [f"{place} = {value};"]
    kind = computed(dtype)
    text = combined(cells, dtype, op, "x", "y")
    return [
        "{",
        f"    const {kind} x = {cells.load(dtype, place)}, y = {cells.load(dtype, value)};",
        "    " + cells.store(dtype, place, text),
        "}",
    ]


def _start(cells: Cells, source: tuple[str, Shape, int] | int, y: Operand) -> None:
    summary = f"What {spelled(y.shape)} begins with"
    cells.copy(y.dtype, y.shape, source, ("out0", y.strides, 0), suffix="_start", summary=summary)


def _along(cells: Cells, op: str, dim: int) -> None:
    """A thread for each line along a dimension of the index."""
    (*_, values, places), y = cells.setting.operands, cells.setting.results[0]
    slot = len(cells.setting.operands) - 1
    rest = (*places.shape[:dim], *places.shape[dim + 1 :])
    names, lines = coordinates(rest)
    source, target = ([*names[:dim], each, *names[dim:]] for each in ("k", "place"))
    lines.append(f"for (long k = 0; k < {places.shape[dim]}; k++) {{")
    inside = [f"long place = a{slot}[{terms(places.strides, source)}];"]
    inside += _checked("place", y.shape[dim], wrap=False, otherwise="continue;")
    at, value = f"out0[{terms(y.strides, target)}]", f"a{slot - 1}[{terms(values.strides, source)}]"
    inside += _taken(cells, y.dtype, op, at, value)
    lines += ["    " + line for line in inside]
    lines.append("}")
    summary = f"Values of {spelled(places.shape)}, in order along dimension {dim}"
    cells.add(summary, prod(rest), lines, suffix="_put")


def _scattered(cells: Cells, op: str, dim: int, start: tuple[str, Shape, int] | int) -> Made:
    """A start with values taken in along a dimension; they and their places come last."""
    (*_, values, places), y = cells.setting.operands, cells.setting.results[0]
    slot, count = len(cells.setting.operands) - 1, places.shape[dim]
    found: Placed | None = None
    if not _is_serial(op, y.dtype, count, prod(places.shape) // max(1, count)):
        found = placed(op, cells, places.shape, len(y.shape), y)
    cells.fails()
    _start(cells, start, y)
    if found is None:
        _along(cells, op, dim)
    else:
        names, _ = coordinates(places.shape)

        def find(otherwise: str) -> list[str]:
            lines = [f"long place = a{slot}[{terms(places.strides, names)}];"]
            return lines + _checked("place", y.shape[dim], wrap=False, otherwise=otherwise)

        target = [*names[:dim], "place", *names[dim + 1 :]]
        found.add(find, target, f"a{slot - 1}[{terms(values.strides, names)}]")
    return cells.made(out_of_bounds("RuntimeError", [y.shape[dim]], dim))


def scatter(name: str, setting: Setting) -> Made:
    """The operand with values written along a dimension, or taken in; the last one stays."""
    op = setting.node.op
    assert isinstance(op, Scatter | ScatterReduce)
    how = LAST if isinstance(op, Scatter) else op.combine
    return _scattered(Cells(name, setting), how, op.dim, ("a0", setting.operands[0].strides, 0))


def scatter_add(name: str, setting: Setting) -> Made:
    """Zeros with values added along a dimension."""
    op = setting.node.op
    assert isinstance(op, ScatterAdd)
    return _scattered(Cells(name, setting), "add", op.dim, 0)


def _positions(
    indices: Sequence[Operand], first: int, shape: Shape, sizes: Shape, names: Sequence[str],
    *, wrap: bool, otherwise: str,
) -> list[str]:  # fmt: skip
    """The places that index tensors give at a position."""
    lines = []
    for i, x in enumerate(indices):
        lines.append(
            f"long place{i} = a{first + i}[{terms(spread(x, len(shape)).strides, names)}];"
        )
        checked = _checked(f"place{i}", sizes[i], wrap=wrap, otherwise=otherwise)
        lines += [line.replace("failed,", f"failed + {2 * i},") if i else line for line in checked]
    return lines


def _errors(indices: Sequence[Operand], sizes: Shape, *, wrap: bool) -> tuple[Error, ...]:
    if len(indices) == 1 and not wrap:
        return OUT_OF_RANGE
    return out_of_bounds("IndexError", sizes[: len(indices)])


def gather_nd(name: str, setting: Setting) -> Made:
    """Elements, or slices of them, at positions that indices for the first dimensions give."""
    op, (x, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, GatherNd)
    cells = Cells(name, setting)
    cells.fails()
    lead = len(y.shape) - (len(x.shape) - len(indices))
    names, lines = coordinates(y.shape)
    lines += _positions(
        indices, 1, y.shape[:lead], x.shape, names[:lead], wrap=op.wrap, otherwise="return;"
    )
    source = [f"place{i}" for i in range(len(indices))] + names[lead:]
    lines.append(f"out0[{terms(y.strides, names)}] = a0[{terms(x.strides, source)}];")
    cells.add(f"{spelled(y.shape)} elements at given positions", prod(y.shape), lines)
    return cells.made(_errors(indices, x.shape, wrap=op.wrap))


def _each_position(
    cells: Cells, shape: Shape, lead: int, y: Operand, find: Places, body: Sequence[str]
) -> None:
    """A thread for each element of a slice, which goes through all positions in order."""
    _, lines = coordinates(y.shape[lead:], "r")
    lines.append(f"for (long entry = 0; entry < {prod(shape)}; entry++) {{")
    inside = [*coordinates(shape, "i", "entry")[1], *find("continue;"), *body]
    lines += ["    " + line for line in inside]
    lines.append("}")
    summary = f"Values at {spelled(shape)} positions of {spelled(y.shape)}, in order"
    cells.add(summary, prod(y.shape[lead:]), lines, suffix="_put")


def _indexed(
    cells: Cells, op: str, slot: int, find: Places, start: tuple[str, Shape, int] | int
) -> None:
    """A start with values taken in, those of an operand before the indices, where these say."""
    (values, *indices), y = cells.setting.operands[slot:], cells.setting.results[0]
    shape, lead = broadcast_shapes(*(x.shape for x in indices)), len(indices)
    found: Placed | None = None
    if not _is_serial(op, y.dtype, prod(shape)):
        found = placed(op, cells, shape, lead, y)
    cells.fails()
    _start(cells, start, y)
    names, _ = coordinates(shape)
    target, rest = [f"place{i}" for i in range(lead)], coordinates(y.shape[lead:], "r")[0]
    own = [*names, *rest]
    value = f"a{slot}[{terms(spread(values, len(own)).strides, own)}]"
    if found is None:
        at = f"out0[{terms(y.strides, [*target, *rest])}]"
        body = _taken(cells, y.dtype, op, at, value)
        _each_position(cells, shape, lead, y, find, body)
    else:
        found.add(find, target, value)


def index_sum(name: str, setting: Setting) -> Made:
    """Zeros with values added at positions that indices give."""
    op, (_, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, IndexSum)
    cells = Cells(name, setting)
    shape = broadcast_shapes(*(x.shape for x in indices))
    names, _ = coordinates(shape)

    def find(otherwise: str) -> list[str]:
        lines = _positions(indices, 1, shape, y.shape, names, wrap=op.wrap, otherwise=otherwise)
        return lines if op.skip is None else [*lines, f"if (place0 == {op.skip}) {otherwise}"]

    _indexed(cells, "add", 0, find, 0)
    return cells.made(_errors(indices, y.shape, wrap=op.wrap))


def index_put(name: str, setting: Setting) -> Made:
    """The operand with values written or added at positions that indices give."""
    op, (x, _, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, IndexPut)
    cells = Cells(name, setting)
    shape = broadcast_shapes(*(i.shape for i in indices))
    names, _ = coordinates(shape)

    def find(otherwise: str) -> list[str]:
        return _positions(indices, 2, shape, y.shape, names, wrap=True, otherwise=otherwise)

    _indexed(cells, "add" if op.accumulate else LAST, 1, find, ("a0", x.strides, 0))
    return cells.made(_errors(indices, y.shape, wrap=True))


def check_range(name: str, setting: Setting) -> Made:
    """A copy of integers, each of which must be within a range."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, CheckRange)
    cells = Cells(name, setting)
    cells.fails()
    if 0 in y.shape:
        return cells.made()
    names, lines = coordinates(y.shape)
    text = render(
        "check_range.cu.j2",
        name=name,
        summary=f"A copy of {spelled(y.shape)} integers, each in [{op.low}, {op.high})",
        kind=stored(x.dtype),
        count=prod(y.shape),
        lines=lines,
        source=f"a0[{terms(x.strides, names)}]",
        target=f"out0[{terms(y.strides, names)}]",
        outside=" || ".join(outside(x.dtype, op.low, op.high)) or "0",
    )
    cells.function(text, (1, 1, 1), (1024, 1, 1))
    return cells.made([(op.error, op.message)])


INDEXING: dict[str, Maker] = {
    CheckRange.name: check_range,
    Gather.name: gather,
    GatherNd.name: gather_nd,
    IndexPut.name: index_put,
    IndexSum.name: index_sum,
    Scatter.name: scatter,
    ScatterAdd.name: scatter_add,
    ScatterReduce.name: scatter,
}
"""By the op's name."""
