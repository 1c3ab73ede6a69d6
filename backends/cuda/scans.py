"""Running sums and products: a thread for each line."""

from __future__ import annotations

from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed, is_low
from graphc.backends.cuda.cells import Cells, coordinates, spelled
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.ops.scan import CumProd, CumSum, Scan


def scan(name: str, setting: Setting) -> Made:
    """All partial results along a dimension."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Scan)
    cells, dim = Cells(name, setting), op.dim
    rest = (*x.shape[:dim], *x.shape[dim + 1 :])
    names, lines = coordinates(rest)
    names.insert(dim, "k")
    kind, sign = computed(x.dtype), "+" if isinstance(op, CumSum) else "*"
    value = cells.load(x.dtype, f"a0[{terms(x.strides, names)}]")
    lines.append(f"{kind} total = {0 if sign == '+' else 1};")
    lines.append(f"for (long k = 0; k < {x.shape[dim]}; k++) {{")
    lines.append(f"    total = ({kind})(total {sign} {value});")
    if is_low(x.dtype):
        cells.helpers.add(f"round_{x.dtype.name}")
    lines.append("    " + cells.store(y.dtype, f"out0[{terms(y.strides, names)}]", "total"))
    lines.append("}")
    cells.add(f"Running results of {spelled(x.shape)} along dimension {dim}", prod(rest), lines)
    return cells.made()


SCANS: dict[str, Maker] = {CumSum.name: scan, CumProd.name: scan}
"""By the op's name."""
