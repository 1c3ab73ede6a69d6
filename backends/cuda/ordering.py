"""Where extremes stand, sorting, and the first few in order.

nan counts as the largest. An element's place in order is how many come before it: all places are
found at once, and equal elements stay in order.
"""

from __future__ import annotations

from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.ir.dtype import DType
from graphc.ops.reduce import ArgMax, ArgMin, ArgReduce
from graphc.ops.sort import Sort, TopK


def _before(dtype: DType, a: str, b: str, *, descending: bool) -> str:
    """Whether ``a`` comes before ``b``, where they are not equal."""
    if not dtype.is_floating_point:
        return f"{a} > {b}" if descending else f"{a} < {b}"
    if descending:
        return f"{a} > {b} || ({a} != {a} && {b} == {b})"
    return f"{a} < {b} || ({b} != {b} && {a} == {a})"


def arg_reduce(name: str, setting: Setting) -> Made:
    """Where the first extreme element stands, counted over the reduced axes; nan is extreme."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, ArgReduce)
    cells = Cells(name, setting)
    names, lines = coordinates(y.shape)
    over = tuple(x.shape[axis] for axis in op.axes)
    own, declared = coordinates(over, "j", "k")
    for axis, each in zip(op.axes, own, strict=True):
        names[axis] = each
    kind, sign = computed(x.dtype), ">" if isinstance(op, ArgMax) else "<"
    value = cells.load(x.dtype, f"a0[{terms(x.strides, names)}]")
    better = f"value {sign} best"
    if x.dtype.is_floating_point:
        better = f"best == best && ({better} || value != value)"
    lines += [f"{kind} best = 0;", "long where = -1;"]
    lines.append(f"for (long k = 0; k < {prod(over)}; k++) {{")
    lines += ["    " + line for line in declared]
    lines += [f"    const {kind} value = {value};", f"    if (where < 0 || ({better})) {{"]
    lines += ["        best = value;", "        where = k;", "    }", "}"]
    result, _ = coordinates(y.shape)
    lines.append(f"out0[{terms(y.strides, result)}] = where;")
    summary = f"Where the first extreme of {spelled(over)} elements stands"
    cells.add(summary, prod(y.shape), lines)
    return cells.made()


def ordered(name: str, setting: Setting) -> Made:
    """Elements in order along a dimension, all of them or the first few."""
    op, x, (y, places) = setting.node.op, setting.operands[0], setting.results
    assert isinstance(op, Sort | TopK)
    cells, dim = Cells(name, setting), op.dim
    descending = op.descending if isinstance(op, Sort) else op.largest
    names, lines = coordinates(x.shape)
    kind, size = computed(x.dtype), x.shape[dim]
    other = [*names[:dim], "k", *names[dim + 1 :]]
    mine = cells.load(x.dtype, f"a0[{terms(x.strides, names)}]")
    theirs = cells.load(x.dtype, f"a0[{terms(x.strides, other)}]")
    first = _before(x.dtype, "other", "mine", descending=descending)
    after = _before(x.dtype, "mine", "other", descending=descending)
    lines += [f"const {kind} mine = {mine};", "long rank = 0;"]
    lines.append(f"for (long k = 0; k < {size}; k++) {{")
    lines.append(f"    const {kind} other = {theirs};")
    lines.append(f"    rank += ({first}) || (k < i{dim} && !({after}));")
    lines.append("}")
    if isinstance(op, TopK):
        lines.append(f"if (rank >= {op.k}) return;")
    target = [*names[:dim], "rank", *names[dim + 1 :]]
    if setting.is_read(0):
        lines.append(f"out0[{terms(y.strides, target)}] = a0[{terms(x.strides, names)}];")
    if setting.is_read(1):
        lines.append(f"out1[{terms(places.strides, target)}] = i{dim};")
    summary = f"{spelled(x.shape)} elements in order along dimension {dim}"
    cells.add(summary, prod(x.shape), lines)
    return cells.made()


ORDERING: dict[str, Maker] = {
    ArgMax.name: arg_reduce,
    ArgMin.name: arg_reduce,
    Sort.name: ordered,
    TopK.name: ordered,
}
"""By the op's name."""
