"""Running sums and products along a dimension."""

from __future__ import annotations

from dataclasses import replace

from graphc.backends.c_language.statements import INDICES
from graphc.backends.c_language.types import computed, load, store
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Pointer,
    axes_of,
    bounds,
    cut,
    pointers,
    spelled_shape,
)
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.windows import conversions
from graphc.kernels_templates import render
from graphc.ops.scan import CumProd, CumSum, Scan

BESIDE = 256
"""Lines that are done together where they lie side by side, for the caches' sake."""
APART = 8
"""Lines that are done together where each is contiguous, so that additions need not wait."""


def scan(name: str, setting: Setting) -> Made:
    """Running totals, low-precision ones rounded as they are stored."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Scan)
    if 0 in y.shape:
        return NOTHING
    dtype, dim, size = y.dtype, op.dim, y.shape[op.dim]
    shape = tuple(1 if d == dim else n for d, n in enumerate(y.shape))
    axes = axes_of(shape, y.strides, x.strides) or [Axis(1, (0, 0))]
    side = axes[-1].steps == (1, 1)
    part = cut(axes, setting.threads, size)
    if part is not None and not side and part.axis == len(axes) - 1:
        # Whole groups of lines stay together.
        part = replace(part, step=-(-part.step // APART) * APART)
    target, source, loops = Pointer("y"), Pointer("x"), []
    for i, axis in enumerate(axes):
        last = i == len(axes) - 1
        index = "j" if last else INDICES[2 + i]
        low, high = bounds(axes, i, part)
        target, source = target.moved(axis.steps[0], index), source.moved(axis.steps[1], index)
        if not last:
            loops.append(f"for (long {index} = {low}; {index} < {high}; {index}++)")
    target, source = target.moved(y.strides[dim], "i"), source.moved(x.strides[dim], "i")
    lines = axes[-1].extent
    block = min(lines, BESIDE if side else APART)
    total = "totals[j - begin]" if block > 1 else "total"
    product = isinstance(op, CumProd)
    text = render(
        "scan.c.j2",
        name=name,
        summary=f"Running {'products' if product else 'sums'} along dimension {dim} of "
        f"{spelled_shape(y.shape)}, of {block} lines at once.",
        parameters=pointers(setting, "x"),
        opening=part.lines if part else [],
        loops=loops,
        kind=computed(dtype),
        first=low,
        last=high,
        block=block,
        neutral="1" if product else "0",
        size=size,
        take=f"{total} {'*' if product else '+'}= {load(dtype, source.element)};",
        store=store(dtype, target.element, total),
    )
    return Made(text, (Stage(name, part.tasks if part else 1),), helpers=conversions(dtype))


SCANS: dict[str, Maker] = {CumSum.name: scan, CumProd.name: scan}
"""By the op's name."""
