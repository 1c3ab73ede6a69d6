"""Pooling and its gradients: a thread for each window, or for each element that windows meet."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.statements import start_of, terms
from graphc.backends.c_language.types import computed, number
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.ir.types import Shape
from graphc.ops.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, Pool


def _taps(op: Pool, outputs: Sequence[str], sizes: Shape) -> tuple[list[str], list[str]]:
    """Loops over the elements of a window that lie inside, and the names of their indices."""
    lines, names = [], []
    for axis, out in enumerate(outputs):
        k, s, p, d = op.kernel[axis], op.stride[axis], op.padding[axis], op.dilation[axis]
        lines.append(f"for (int k{axis} = 0; k{axis} < {k}; k{axis}++) {{")
        lines.append(f"    const long x{axis} = {out} * {s} - {p} + k{axis} * {d};")
        lines.append(f"    if (x{axis} < 0 || x{axis} >= {sizes[axis]}) continue;")
        names.append(f"x{axis}")
    return lines, names


def _flat(names: Sequence[str], sizes: Shape) -> str:
    strides = tuple(prod(sizes[axis + 1 :]) for axis in range(len(sizes)))
    return terms(strides, names)


def max_pool(name: str, setting: Setting) -> Made:
    """The largest element of each window, and where it lies in its plane."""
    op, x, (y, places) = setting.node.op, setting.operands[0], setting.results
    assert isinstance(op, MaxPool)
    cells, sizes = Cells(name, setting), x.shape[2:]
    names, lines = coordinates(y.shape)
    loops, at = _taps(op, names[2:], sizes)
    kind = computed(x.dtype)
    lines += [f"{kind} best = {start_of('max', x.dtype)};", "long where = -1;", *loops]
    value = cells.load(x.dtype, f"a0[{terms(x.strides, [*names[:2], *at])}]")
    lines.append(f"    const {kind} value = {value};")
    lines.append("    if (where < 0 || value > best || value != value) {")
    lines += ["        best = value;", f"        where = {_flat(at, sizes)};", "    }"]
    lines.append("}" * len(at))
    lines.append(cells.store(y.dtype, f"out0[{terms(y.strides, names)}]", "best"))
    if setting.is_read(1):
        lines.append(f"out1[{terms(places.strides, names)}] = where;")
    cells.add(f"The largest of each of {spelled(y.shape)} windows", prod(y.shape), lines)
    return cells.made()


def _meeting(op: Pool, inputs: Sequence[str], outputs: Shape) -> tuple[list[str], list[str]]:
    """Loops over the windows that an element is in, and the names of their indices."""
    lines, names = [], []
    for axis, at in enumerate(inputs):
        k, s, p, d = op.kernel[axis], op.stride[axis], op.padding[axis], op.dilation[axis]
        lines.append(f"for (int k{axis} = {k - 1}; k{axis} >= 0; k{axis}--) {{")
        lines.append(f"    const long from{axis} = {at} + {p} - k{axis} * {d};")
        lines.append(f"    if (from{axis} < 0 || from{axis} % {s} != 0) continue;")
        lines.append(f"    const long y{axis} = from{axis} / {s};")
        lines.append(f"    if (y{axis} >= {outputs[axis]}) continue;")
        names.append(f"y{axis}")
    return lines, names


def max_pool_grad(name: str, setting: Setting) -> Made:
    """For each element the sum of what flows to it from the windows whose largest it is."""
    op, (dy, places), dx = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, MaxPoolGrad)
    cells = Cells(name, setting)
    names, lines = coordinates(dx.shape)
    kind, total = computed(dx.dtype), f"{computed(dx.dtype)} total = 0;"
    lines += [f"const long own = {_flat(names[2:], op.sizes)};", total]
    loops, at = _meeting(op, names[2:], dy.shape[2:])
    window = [*names[:2], *at]
    value = cells.load(dy.dtype, f"a0[{terms(dy.strides, window)}]")
    lines += [*loops, f"    if (a1[{terms(places.strides, window)}] == own) total += {value};"]
    lines.append("}" * len(at))
    lines.append(cells.store(dx.dtype, f"out0[{terms(dx.strides, names)}]", f"({kind})total"))
    cells.add(f"What flows to {spelled(dx.shape)} elements", prod(dx.shape), lines)
    return cells.made()


def _counted(op: AvgPool | AvgPoolGrad, outputs: Sequence[str], sizes: Shape) -> list[str]:
    """Declarations of ``count``, the number that a window's sum is divided by."""
    if op.divisor is not None:
        return [f"const long count = {op.divisor};"]
    lines, factors = [], []
    for axis, out in enumerate(outputs):
        k, s, p, d = op.kernel[axis], op.stride[axis], op.padding[axis], op.dilation[axis]
        low, high = (-p, sizes[axis] + p) if op.count_include_pad else (0, sizes[axis])
        lines.append(f"long n{axis} = 0;")
        lines.append(
            f"for (long t = {out} * {s} - {p}, i = 0; i < {k}; i++, t += {d}) "
            f"n{axis} += t >= {low} && t < {high};"
        )
        factors.append(f"n{axis}")
    return [*lines, f"const long count = {' * '.join(factors)};"]


def avg_pool(name: str, setting: Setting) -> Made:
    """The mean of each window."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, AvgPool)
    cells, sizes = Cells(name, setting), x.shape[2:]
    names, lines = coordinates(y.shape)
    kind = computed(x.dtype)
    lines += [*_counted(op, names[2:], sizes), f"{kind} total = 0;"]
    loops, at = _taps(op, names[2:], sizes)
    value = cells.load(x.dtype, f"a0[{terms(x.strides, [*names[:2], *at])}]")
    lines += [*loops, f"    total += {value};", "}" * len(at)]
    lines.append(cells.store(y.dtype, f"out0[{terms(y.strides, names)}]", f"total / ({kind})count"))
    cells.add(f"The mean of each of {spelled(y.shape)} windows", prod(y.shape), lines)
    return cells.made()


def avg_pool_grad(name: str, setting: Setting) -> Made:
    """For each element the sum of its shares in the gradients of the means."""
    op, dy, dx = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, AvgPoolGrad)
    cells = Cells(name, setting)
    names, lines = coordinates(dx.shape)
    kind = computed(dx.dtype)
    lines.append(f"{kind} total = {number(dx.dtype, 0)};")
    loops, at = _meeting(op, names[2:], dy.shape[2:])
    value = cells.load(dy.dtype, f"a0[{terms(dy.strides, [*names[:2], *at])}]")
    lines += [*loops, *("    " + x for x in _counted(op, at, op.sizes))]
    lines += [f"    total += {value} / ({kind})count;", "}" * len(at)]
    lines.append(cells.store(dx.dtype, f"out0[{terms(dx.strides, names)}]", "total"))
    cells.add(f"The shares of {spelled(dx.shape)} elements", prod(dx.shape), lines)
    return cells.made()


POOLING: dict[str, Maker] = {
    MaxPool.name: max_pool,
    MaxPoolGrad.name: max_pool_grad,
    AvgPool.name: avg_pool,
    AvgPoolGrad.name: avg_pool_grad,
}
"""By the op's name."""
