"""Running sums and products: lines side by side by a thread each, others by a warp or a block.

Few long lines are cut in parts, a block for each. How many depends on extents alone.
"""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, is_low, wrapping
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import THREADS, Made, Maker, Setting, blocks
from graphc.backends.cuda.parted import FULL
from graphc.kernels_templates import render
from graphc.ops.scan import CumProd, CumSum, Scan

MANY = 4096
"""Lines that fill a device with a thread each, where their elements lie side by side."""
FEW = 8
"""Elements of a line up to which a thread takes all of them."""
OF_WARP = 1024
"""Elements of a line up to which a warp takes all of them."""
EACH = 4
"""Elements of a thread that follow each other."""
MOST = 16
"""Warps of a block."""
TURNS = 8
"""How often a block goes on along a line, at least, before it is cut in parts."""


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
    is_sum = isinstance(op, CumSum)
    facts: dict[str, Any] = {
        "summary": f"Running results of {spelled(x.shape)} along dimension {dim}",
        "kind": computed(x.dtype),
        "sign": f"{'+' if is_sum else '*'} {wrapping(x.dtype)}",
        "start": "0" if is_sum else "1",
        "together": f"{'sum' if is_sum else 'prod'}_of_rows_{computed(x.dtype)}",
        "lines": prod(rest),
        "size": size,
        "indices": indices,
        "value": cells.load(x.dtype, f"a0[{terms(x.strides, names)}]"),
    }
    target = f"out0[{terms(y.strides, names)}]"
    is_beside = x.strides[dim] != 1 and prod(rest) >= MANY
    if is_beside or size <= FEW:
        _by_threads(cells, facts, target)
    else:
        _by_warps(cells, facts, target)
    return cells.made()


def _by_threads(cells: Cells, facts: dict[str, Any], target: str) -> None:
    """A thread for each line."""
    kind, value = facts["kind"], facts["value"]
    lines = [*facts["indices"], f"{kind} total = {facts['start']};"]
    lines.append(f"for (long k = 0; k < {facts['size']}; k++) {{")
    lines.append(f"    total = ({kind})(total {facts['sign']}{value});")
    lines.append("    " + cells.store(cells.setting.results[0].dtype, target, "total"))
    lines.append("}")
    cells.add(facts["summary"], facts["lines"], lines)


def _by_warps(cells: Cells, facts: dict[str, Any], target: str) -> None:
    """A warp for each line, a block for each long one, or one for each part of it."""
    store = cells.store(cells.setting.results[0].dtype, target, "x[v]")
    turns = blocks(facts["size"], 32 * MOST * EACH)
    parts, length = 1, facts["size"]
    if 2 * facts["lines"] <= FULL and turns >= TURNS:
        length = 32 * MOST * EACH * blocks(turns, FULL // facts["lines"])
        parts = blocks(facts["size"], length)
        _carry(cells, facts, parts, length)
    _scan(cells, {**facts, "store": store}, "", parts, length)


def _carry(cells: Cells, facts: dict[str, Any], parts: int, length: int) -> None:
    """What comes before each part of a line: running results of the parts' totals."""
    kind, dtype = facts["kind"], cells.setting.operands[0].dtype
    size = 4 if is_low(dtype) else dtype.itemsize
    cells.space("totals", kind, size * facts["lines"] * parts)
    cells.helpers.add(facts["together"])
    given = {**facts, "name": f"{cells.name}_totals", "threads": 32 * MOST}
    text = render("scan_totals.cu.j2", **given, parts=parts, length=length)
    grid = facts["lines"] * parts
    cells.function(text, (grid, 1, 1), (32 * MOST, 1, 1), suffix="_totals")
    each = f"totals[at * {parts} + k]"
    own = {"size": parts, "indices": [], "value": each, "store": f"{each} = x[v];"}
    _scan(cells, {**facts, **own}, "_carried", 1, parts)


def _scan(cells: Cells, facts: dict[str, Any], suffix: str, parts: int, length: int) -> None:
    """The function that scans lines, or parts of them before which all is known."""
    warps = 1 if length <= OF_WARP else 8 if parts == 1 and length <= 8 * OF_WARP else MOST
    beside = THREADS // 32 if warps == 1 else 1
    text = render(
        "scan.cu.j2",
        name=f"{cells.name}{suffix}",
        warps=warps,
        beside=beside,
        each=1 if length <= 32 else EACH,
        parts=parts,
        length=length,
        **facts,
    )
    grid, threads = blocks(facts["lines"] * parts, beside), 32 * warps * beside
    cells.function(text, (grid, 1, 1), (threads, 1, 1), suffix=suffix)


SCANS: dict[str, Maker] = {CumSum.name: scan, CumProd.name: scan}
"""By the op's name."""
