"""Reading and writing at positions that arrays of integers give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.backends.c_language.checks import OUT_OF_RANGE, out_of_bounds
from graphc.backends.c_language.statements import Lines
from graphc.backends.native.checks import check_range
from graphc.backends.native.copying import (
    NOTHING,
    Axis,
    Copy,
    axes_of,
    cut,
    pointers,
    spelled_shape,
)
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.scattering import (
    index_put,
    index_sum,
    scatter,
    scatter_add,
    scatter_reduce,
)
from graphc.backends.native.walks import (
    Walk,
    along,
    at_positions,
    pointer_of,
)
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


def gather(name: str, setting: Setting) -> Made:
    """Elements whose place along one dimension an index gives."""
    op, (x, index), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Gather)
    if 0 in index.shape:
        return NOTHING
    walk = along(op.dim, x, index, y, written=False)
    summary = (
        f"{spelled_shape(y.shape)} elements of {spelled_shape(x.shape)}, at places along "
        f"dimension {op.dim}."
    )
    made = _gathered(name, setting, walk, [], summary, pointers(setting, "x", "index"))
    return replace(made, errors=out_of_bounds("RuntimeError", walk.sizes, op.dim))


def gather_nd(name: str, setting: Setting) -> Made:
    """Elements, or slices of them, at positions that indices for the first dimensions give."""
    op, (x, *indices), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, GatherNd)
    count = len(indices)
    lead = len(y.shape) - (len(x.shape) - count)
    if 0 in y.shape[:lead]:
        return NOTHING
    walk = at_positions(x, indices, y, y.shape[:lead], wrap=op.wrap, written=False)
    rest = axes_of(x.shape[count:], y.strides[lead:], x.strides[count:])
    summary = (
        f"Slices of {spelled_shape(x.shape)}, each {spelled_shape(x.shape[count:])}, at "
        f"{spelled_shape(y.shape[:lead])} positions."
    )
    names = [pointer_of(i) for i in range(count)]
    made = _gathered(name, setting, walk, rest, summary, pointers(setting, "x", *names))
    is_table = count == 1 and not op.wrap
    errors = OUT_OF_RANGE if is_table else out_of_bounds("IndexError", walk.sizes)
    return replace(made, errors=errors)


def _gathered(
    name: str,
    setting: Setting,
    walk: Walk,
    rest: Sequence[Axis],
    summary: str,
    parameters: Sequence[str],
) -> Made:
    """A copy of what is found at each position."""
    depth = len(walk.axes)
    lines, helpers = Lines(depth=1 + depth), {"fail"}
    whole = [*walk.axes, *rest]
    part = cut(whole, setting.threads)
    target, source = walk.found("y", "x")
    inner = replace(part, axis=part.axis - depth) if part and part.axis >= depth else None
    Copy(lines, setting.results[0].dtype, helpers, depth).write(rest, target, source, inner)
    opening = part.lines if part else []
    text = walk.text(name, summary, parameters, opening, lines, part=part)
    return Made(text, (Stage(name, part.tasks if part else 1),), helpers=frozenset(helpers))


INDEXING: dict[str, Maker] = {
    CheckRange.name: check_range,
    Gather.name: gather,
    GatherNd.name: gather_nd,
    IndexPut.name: index_put,
    IndexSum.name: index_sum,
    Scatter.name: scatter,
    ScatterAdd.name: scatter_add,
    ScatterReduce.name: scatter_reduce,
}
"""By the op's name."""
