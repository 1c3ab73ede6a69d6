"""Integers that are checked as they are copied."""

from __future__ import annotations

from graphc.backends.c_language.checks import outside
from graphc.backends.c_language.statements import INDICES
from graphc.backends.c_language.types import stored
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
from graphc.backends.native.made import Made, Setting, Stage
from graphc.kernels_templates import render
from graphc.ops.indexing import CheckRange


def check_range(name: str, setting: Setting) -> Made:
    """A copy of integers, each of which must be within a range."""
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, CheckRange)
    if 0 in y.shape:
        return NOTHING
    axes = axes_of(y.shape, y.strides, x.strides) or [Axis(1, (1, 1))]
    part = cut(axes, setting.threads)
    target, source, loops = Pointer("y"), Pointer("x"), []
    for i, axis in enumerate(axes):
        last = i == len(axes) - 1
        index = "i" if last else INDICES[1 + i]
        low, high = bounds(axes, i, part)
        target, source = target.moved(axis.steps[0], index), source.moved(axis.steps[1], index)
        if not last:
            loops.append(f"for (long {index} = {low}; {index} < {high}; {index}++)")
    text = render(
        "check_range.c.j2",
        name=name,
        summary=f"A copy of {spelled_shape(y.shape)} integers, each in [{op.low}, {op.high}).",
        parameters=[*pointers(setting, "x"), "long check"],
        opening=part.lines if part else [],
        loops=loops,
        **{"from": low, "after": high},
        kind=stored(x.dtype),
        source=source.element,
        target=target.element,
        outside=" | ".join(outside(x.dtype, op.low, op.high)) or "0",
    )
    tasks = part.tasks if part else 1
    errors = ((op.error, op.message),)
    return Made(text, (Stage(name, tasks),), errors=errors, helpers=frozenset({"fail"}))
