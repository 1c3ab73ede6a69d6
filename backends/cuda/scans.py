"""Running sums and products: lines side by side by a thread each, others by a warp or a block."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, wrapping
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import THREADS, Made, Maker, Setting, blocks
from graphc.kernels_templates import render
from graphc.ops.scan import CumProd, CumSum, Scan

MANY = 4096
"""Lines that fill a device with a thread each, where their elements lie side by side."""
FEW = 8
"""Elements of a line up to which a thread takes all of them."""
OF_WARP = 1024
"""Elements of a line up to which a warp takes all of them."""


def scan(name: str, setting: Setting) -> Made:
    """All partial results along a dimension."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Scan)
    cells, dim = Cells(name, setting), op.dim
    rest, size = (*x.shape[:dim], *x.shape[dim + 1 :]), x.shape[dim]
    if 0 in x.shape:
        return cells.made()
    names, indices = coordinates(rest)
    names.insert(dim, "k")
    value = cells.load(x.dtype, f"a0[{terms(x.strides, names)}]")
    target = f"out0[{terms(y.strides, names)}]"
    is_beside = x.strides[dim] != 1 and prod(rest) >= MANY
    if is_beside or size <= FEW:
        _by_threads(cells, indices, value, target)
    else:
        _by_warps(cells, indices, value, target)
    return cells.made()


def _facts(cells: Cells) -> tuple[str, str, str, int]:
    """The C type, what stands between two results, and the start; the elements of a line."""
    op, x = cells.setting.node.op, cells.setting.operands[0]
    assert isinstance(op, Scan)
    sign, start = ("+", "0") if isinstance(op, CumSum) else ("*", "1")
    return computed(x.dtype), f"{sign} {wrapping(x.dtype)}", start, x.shape[op.dim]


def _summary(cells: Cells) -> tuple[str, int]:
    """What is computed, and of how many lines."""
    op, x = cells.setting.node.op, cells.setting.operands[0]
    assert isinstance(op, Scan)
    about = f"Running results of {spelled(x.shape)} along dimension {op.dim}"
    return about, prod(x.shape) // x.shape[op.dim]


def _by_threads(cells: Cells, indices: Sequence[str], value: str, target: str) -> None:
    """A thread for each line."""
    kind, sign, start, size = _facts(cells)
    summary, count = _summary(cells)
    lines = [*indices, f"{kind} total = {start};", f"for (long k = 0; k < {size}; k++) {{"]
    lines.append(f"    total = ({kind})(total {sign}{value});")
    lines.append("    " + cells.store(cells.setting.results[0].dtype, target, "total"))
    lines.append("}")
    cells.add(summary, count, lines)


def _by_warps(cells: Cells, indices: Sequence[str], value: str, target: str) -> None:
    """A warp for each line, or a block for each long one."""
    kind, sign, start, size = _facts(cells)
    summary, count = _summary(cells)
    warps = 1 if size <= OF_WARP else 8 if size <= 8 * OF_WARP else 32
    beside = THREADS // 32 if warps == 1 else 1
    text = render(
        "scan.cu.j2",
        name=cells.name,
        summary=summary,
        kind=kind,
        sign=sign,
        start=start,
        warps=warps,
        beside=beside,
        each=1 if size <= 32 else 4,
        lines=count,
        size=size,
        indices=indices,
        value=value,
        store=cells.store(cells.setting.results[0].dtype, target, "x[v]"),
    )
    cells.function(text, (blocks(count, beside), 1, 1), (32 * warps * beside, 1, 1))


SCANS: dict[str, Maker] = {CumSum.name: scan, CumProd.name: scan}
"""By the op's name."""
