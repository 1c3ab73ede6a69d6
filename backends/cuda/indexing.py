"""Reading and writing at positions that arrays of integers give.

What several threads would write to one place, one thread does, in order; what is added goes into
order by its place before (see ``segments``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.checks import OUT_OF_RANGE, Error, out_of_bounds, outside
from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, stored, wrapping
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.backends.cuda.segments import Segments
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


def _along(cells: Cells, dim: int, places: Operand, indexed: Operand, body: Sequence[str]) -> None:
    """A thread for each line along a dimension of the index; ``body`` is done at ``place``."""
    rest = (*places.shape[:dim], *places.shape[dim + 1 :])
    names, lines = coordinates(rest)
    names.insert(dim, "k")
    slot = len(cells.setting.operands) - 1
    lines.append(f"for (long k = 0; k < {places.shape[dim]}; k++) {{")
    inside = [f"long place = a{slot}[{terms(places.strides, names)}];"]
    inside += _checked("place", indexed.shape[dim], wrap=False, otherwise="continue;")
    lines += ["    " + line for line in (*inside, *body)]
    lines.append("}")
    summary = f"Values of {spelled(places.shape)}, in order along dimension {dim}"
    cells.add(summary, prod(rest), lines, suffix="_put")


def _names_along(rank: int, dim: int, place: str) -> list[str]:
    names = [f"i{axis}" for axis in range(rank - 1)]
    names.insert(dim, place)
    return names


def _combine(cells: Cells, dtype: DType, op: str, place: str, value: str) -> list[str]:
    """Statements that take a value into an element."""
    kind = computed(dtype)
    old, new = cells.load(dtype, place), cells.load(dtype, value)
    if op == "add":
        text = "old | new" if dtype.name == "bool" else f"old + {wrapping(dtype)}new"
    elif op == "mul":
        text = "old & new" if dtype.name == "bool" else f"old * {wrapping(dtype)}new"
    elif dtype.name == "bool":
        text = "old | new" if op == "maximum" else "old & new"
    else:
        suffix = kind if dtype.is_floating_point else dtype.name
        cells.helpers.add(f"{op}_{suffix}")
        text = f"{op}_{suffix}(old, new)"
    return [
        "{",
        f"    const {kind} old = {old}, new_value = {new};",
        "    " + cells.store(dtype, place, f"({kind})({text.replace('new', 'new_value')})"),
        "}",
    ]


def _start(cells: Cells, source: tuple[str, Shape, int] | int, y: Operand) -> None:
    summary = f"What {spelled(y.shape)} begins with"
    cells.copy(y.dtype, y.shape, source, ("out0", y.strides, 0), suffix="_start", summary=summary)


def scatter(name: str, setting: Setting) -> Made:
    """The operand with values written along a dimension; the last one stays."""
    op, (x, values, places), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Scatter | ScatterReduce)
    cells = Cells(name, setting)
    cells.fails()
    _start(cells, ("a0", x.strides, 0), y)
    at = f"out0[{terms(y.strides, _names_along(len(y.shape), op.dim, 'place'))}]"
    value = f"a1[{terms(values.strides, _names_along(len(y.shape), op.dim, 'k'))}]"
    if isinstance(op, Scatter):
        body = [f"{at} = {value};"]
    else:
        body = _combine(cells, y.dtype, op.combine, at, value)
    _along(cells, op.dim, places, y, body)
    return cells.made(out_of_bounds("RuntimeError", [y.shape[op.dim]], op.dim))


def scatter_add(name: str, setting: Setting) -> Made:
    """Zeros with values added along a dimension."""
    op, (values, places), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ScatterAdd)
    cells, dim = Cells(name, setting), op.dim
    sums = Segments(cells, places.shape, len(y.shape), y)
    cells.fails()
    names, _ = coordinates(places.shape)
    target = [*names[:dim], "place", *names[dim + 1 :]]

    def found(otherwise: str) -> list[str]:
        lines = [f"long place = a1[{terms(places.strides, names)}];"]
        return lines + _checked("place", y.shape[dim], wrap=False, otherwise=otherwise)

    _start(cells, 0, y)
    sums.add(found, target, f"a0[{terms(values.strides, names)}]")
    return cells.made(out_of_bounds("RuntimeError", [y.shape[dim]], dim))


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
    cells: Cells, indices: Sequence[Operand], first: int, y: Operand, body: Sequence[str]
) -> None:  # fmt: skip
    """A thread for each element of a slice, which goes through all positions in order."""
    shape = broadcast_shapes(*(x.shape for x in indices))
    _, lines = coordinates(y.shape[len(indices) :], "r")
    own, declared = coordinates(shape, "i", "entry")
    inside = [*declared]
    inside += _positions(indices, first, shape, y.shape, own, wrap=True, otherwise="continue;")
    lines.append(f"for (long entry = 0; entry < {prod(shape)}; entry++) {{")
    lines += ["    " + line for line in (*inside, *body)]
    lines.append("}")
    summary = f"Values at {spelled(shape)} positions of {spelled(y.shape)}, in order"
    cells.add(summary, prod(y.shape[len(indices) :]), lines, suffix="_put")


def index_sum(name: str, setting: Setting) -> Made:
    """Zeros with values added at positions that indices give."""
    op, (values, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, IndexSum)
    cells, count = Cells(name, setting), len(indices)
    shape = broadcast_shapes(*(x.shape for x in indices))
    sums = Segments(cells, shape, count, y)
    cells.fails()
    names, _ = coordinates(shape)
    rest = [f"r{axis}" for axis in range(len(y.shape) - count)]

    def found(otherwise: str) -> list[str]:
        lines = _positions(indices, 1, shape, y.shape, names, wrap=op.wrap, otherwise=otherwise)
        return lines if op.skip is None else [*lines, f"if (place0 == {op.skip}) {otherwise}"]

    _start(cells, 0, y)
    target = [f"place{i}" for i in range(count)]
    sums.add(found, target, f"a0[{terms(values.strides, [*names, *rest])}]")
    return cells.made(_errors(indices, y.shape, wrap=op.wrap))


def index_put(name: str, setting: Setting) -> Made:
    """The operand with values written or added at positions that indices give."""
    op, (x, values, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, IndexPut)
    cells = Cells(name, setting)
    cells.fails()
    _start(cells, ("a0", x.strides, 0), y)
    count = len(indices)
    shape = broadcast_shapes(*(i.shape for i in indices))
    rest = [f"r{axis}" for axis in range(len(y.shape) - count)]
    at = f"out0[{terms(y.strides, [f'place{i}' for i in range(count)] + rest)}]"
    own = [f"i{i}" for i in range(len(shape))] + rest
    value = f"a1[{terms(spread(values, len(own)).strides, own)}]"
    body = [f"{at} = {value};"]
    if op.accumulate:
        body = _combine(cells, y.dtype, "add", at, value)
    _each_position(cells, indices, 2, y, body)
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
