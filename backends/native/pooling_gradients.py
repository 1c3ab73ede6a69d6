"""Gradients of pooling, by channels side by side where they are, by planes and rows otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.types import computed, is_low, load, store, stored
from graphc.backends.native.made import Made, Setting, Stage
from graphc.backends.native.windows import (
    NOTHING,
    Axis,
    axes_of,
    by_channels,
    conversions,
    numbered,
    spelled,
    split,
)
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand
from graphc.ops.pooling import AvgPoolGrad, MaxPoolGrad

SIDES = (64, 16)
"""Channels, lying side by side, whose planes are done together: fewer where tasks are few."""
BLOCK = 64
"""Channels that are done side by side."""


def max_pool_grad(name: str, setting: Setting) -> Made:
    """Each element of dy, added where the places say."""
    dy, _ = setting.operands
    (dx,) = setting.results
    op = setting.node.op
    assert isinstance(op, MaxPoolGrad)
    if 0 in dx.shape:
        return NOTHING
    axes = axes_of(op, op.sizes, dy.shape[2:])
    step = _step(dx)
    if step is not None:
        return _scattered(name, setting, axes, step)
    places = setting.operands[1]
    at = _windows(places, axes)
    within = [f"const long from = {_windows(dy, axes)}, place = {at};"]
    value = load(dy.dtype, f"dy[from + {_scaled(dy.strides[1], 'done + i')}]")
    there = f"places[place + {_scaled(places.strides[1], 'done + i')}]"
    flat = [(prod(op.sizes[i + 1 :]), a.name) for i, a in enumerate(axes)]
    own = f"const int64_t own = {spelled(*flat)};"
    return _gathered(name, setting, axes, [own], within, f"{there} == own ? {value} : 0")


def _scaled(step: int, index: str) -> str:
    return spelled((step, f"({index})" if " " in index else index))


def _windows(x: Operand, axes: Sequence[Axis]) -> str:
    """The index of the first channel of a window, whose numbers are the axes' names twice."""
    return spelled((x.strides[0], "n"), *_spatial(x.strides, axes))


def _spatial(strides: Shape, axes: Sequence[Axis]) -> list[tuple[int, str]]:
    return [(s, a.name * 2) for s, a in zip(strides[2:], axes, strict=False)]


def _loops(axes: Sequence[Axis]) -> list[str]:
    """Loops over the windows that cover an element."""
    lines = []
    for a in axes:
        window = a.name * 2
        lines.append(f"for (long {window} = {a.name}0; {window} < {a.name}1; {window}++)")
    return lines


def _declared(setting: Setting) -> list[str]:
    """The parameters: dy, the places if there are any, and dx."""
    (dx,) = setting.results
    places = ["const int64_t *restrict places"] if len(setting.operands) > 1 else []
    kind = stored(dx.dtype)
    return [f"const {kind} *restrict dy", *places, f"{kind} *restrict dx"]


def _summary(setting: Setting, axes: Sequence[Axis], how: str) -> str:
    op = setting.node.op
    shape, found = (
        " x ".join(map(str, x.shape)) for x in (setting.operands[0], setting.results[0])
    )
    kernel = " x ".join(str(a.kernel) for a in axes)
    what = "largest elements" if isinstance(op, MaxPoolGrad) else "means"
    return f"The gradient of the {what} of windows of {kernel}, {shape} to {found}, {how}."


def _scattered(name: str, setting: Setting, axes: Sequence[Axis], step: int) -> Made:
    """By planes whose elements lie ``step`` apart in C order."""
    dy, places = setting.operands
    (dx,) = setting.results
    low, (images, channels) = is_low(dx.dtype), dx.shape[:2]
    size, windows = prod(dx.shape[2:]), prod(dy.shape[2:])
    few = images * -(-channels // SIDES[0]) < 2 * setting.threads
    side = SIDES[few] if step > 1 else 1
    blocks = -(-channels // side)
    cut = split(images * blocks, (size + windows) * side, setting)
    lead = [(dx.strides[0], "n"), (dx.strides[1], "c")]
    to = f"dx + {spelled(*lead)}"
    at = [
        spelled(*zip(x.strides, ("n", "(c + i)", *(a.name for a in axes)), strict=True))
        for x in (dy, places)
    ]
    declared = _declared(setting)
    some = f"{channels} - c < {side} ? {channels} - c : {side}" if channels % side else str(side)
    apart = side if low else step
    element = f"({to})[{spelled((step, 'j'), (dx.strides[1], 'i'))}]"
    text = render(
        "pool_scatter.c.j2",
        name=name,
        summary=_summary(setting, axes, "plane by plane"),
        parameters=[*declared, "float *restrict sums"] if low else declared,
        kind=computed(dx.dtype),
        first=cut.first,
        last=cut.last,
        opening=[
            *numbered("unit", [("n", images), ("block", blocks)]),
            f"const long c = {spelled((side, 'block'))}, some = {some};",
        ],
        target=f"sums + {size * side} * task" if low else to,
        size=size,
        step=f"{apart} * " if apart > 1 else "",
        loops=[f"for (long {a.name} = 0; {a.name} < {a.count}; {a.name}++)" for a in axes],
        place=f"places[{at[1]}]",
        value=load(dy.dtype, f"dy[{at[0]}]"),
        round=store(dx.dtype, element, f"plane[{spelled((apart, 'j'))} + i]") if low else "",
    )
    work = (4 * size * side * cut.tasks,) if low else ()
    return Made(text, (Stage(name, cut.tasks),), work, helpers=conversions(dx.dtype))


def _step(dx: Operand) -> int | None:
    """How far the elements of a plane lie apart, if they do so evenly in C order."""
    for step in (1, dx.shape[1]):
        places = [step * prod(dx.shape[i + 3 :]) for i in range(len(dx.shape) - 2)]
        found = zip(dx.shape[2:], dx.strides[2:], places, strict=True)
        if all(size == 1 or stride == place for size, stride, place in found):
            return step if step == 1 or by_channels(dx) else None
    return None


def _gathered(
    name: str,
    setting: Setting,
    axes: Sequence[Axis],
    opening: list[str],
    within: list[str],
    term: str,
) -> Made:
    (dx,) = setting.results
    units = [("n", dx.shape[0]), *((a.name, a.size) for a in axes)]
    each = dx.shape[1] * prod(-(-a.kernel // a.stride) for a in axes)
    cut = split(prod(extent for _, extent in units), each, setting)
    place = [(s, a.name) for s, a in zip(dx.strides[2:], axes, strict=True)]
    to = f"dx[to + {_scaled(dx.strides[1], 'done + i')}]"
    text = render(
        "pool_gather.c.j2",
        name=name,
        summary=_summary(setting, axes, "channels side by side"),
        parameters=_declared(setting),
        kind=computed(dx.dtype),
        first=cut.first,
        last=cut.last,
        opening=[
            *numbered("unit", units),
            f"const long to = {spelled((dx.strides[0], 'n'), *place)};",
            *(line for a in axes for line in a.covering()),
            *opening,
        ],
        channels=dx.shape[1],
        block=BLOCK,
        loops=_loops(axes),
        within=within,
        term=term,
        store=store(dx.dtype, to, "sum[i]"),
    )
    return Made(text, (Stage(name, cut.tasks),), helpers=conversions(dx.dtype))


def avg_pool_grad(name: str, setting: Setting) -> Made:
    """The share of each element in the gradient of the means."""
    op, (dy,), (dx,) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, AvgPoolGrad)
    if 0 in dx.shape:
        return NOTHING
    axes = axes_of(op, op.sizes, dy.shape[2:])
    if not by_channels(dx):
        return _by_rows(name, setting, axes)
    divisor = _divisor(op, axes)
    at = f"dy[from + {_scaled(dy.strides[1], 'done + i')}]"
    within = [*_skips(axes), *_counts(op, axes), f"const long from = {_windows(dy, axes)};"]
    if not divisor.isdecimal():
        within.append(f"const {computed(dx.dtype)} divisor = {divisor};")
        divisor = "divisor"
    return _gathered(name, setting, axes, [], within, f"{load(dy.dtype, at)} / {divisor}")


def _skips(axes: Sequence[Axis]) -> list[str]:
    """Statements that go on with the next window where dilation passes the element over."""
    return [f"if ({_distance(a)} % {a.dilation} != 0) continue;" for a in axes if a.dilation > 1]


def _distance(axis: Axis) -> str:
    """From a window's beginning to the element."""
    place = f"{axis.name} + {axis.padding}" if axis.padding else axis.name
    return f"({place} - {spelled((axis.stride, axis.name * 2))})"


def _counts(op: AvgPoolGrad, axes: Sequence[Axis]) -> list[str]:
    """Declarations of how many elements of a window count along each axis where that varies."""
    if op.divisor is not None:
        return []
    lines = []
    for a in axes:
        if not _is_even(op, a):
            lines += _counted(op, a, a.name * 2, f"{a.name}_count")
    return lines


def _is_even(op: AvgPoolGrad, axis: Axis) -> bool:
    """Whether all windows count equally many elements along an axis."""
    return axis.counts(op.count_include_pad, "").isdecimal()


def _counted(op: AvgPoolGrad, axis: Axis, window: str, result: str) -> list[str]:
    begin = spelled((axis.stride, window), start=-axis.padding)
    return [
        f"const long {result}_begin = {begin};",
        f"const long {result} = {axis.counts(op.count_include_pad, f'{result}_begin')};",
    ]


def _divisor(op: AvgPoolGrad, axes: Sequence[Axis]) -> str:
    """What is divided by, of ``_counts``."""
    if op.divisor is not None:
        return str(op.divisor)
    same = prod(a.kernel for a in axes if _is_even(op, a))
    varying = [f"{a.name}_count" for a in axes if not _is_even(op, a)]
    return " * ".join([*([str(same)] if same != 1 or not varying else []), *varying])


def _by_rows(name: str, setting: Setting, axes: Sequence[Axis]) -> Made:
    op, (dy,), (dx,) = setting.node.op, setting.operands, setting.results
    assert isinstance(op, AvgPoolGrad)
    *outer, last = axes
    kind = computed(dx.dtype)
    units = [("n", dx.shape[0]), ("c", dx.shape[1]), *((a.name, a.size) for a in outer)]
    cut = split(prod(extent for _, extent in units), last.size * 4, setting)
    to = spelled(*zip(dx.strides, ("n", "c", *(a.name for a in outer)), strict=False))
    at = spelled(*zip(dy.strides, ("n", "c", *(2 * a.name for a in outer)), strict=False))
    divided = _divisor(op, outer) if outer and op.divisor is None else "1"
    varying = not divided.isdecimal()
    constant = 1 if varying else int(divided)
    value = load(dy.dtype, f"dy[from + {_scaled(dy.strides[-1], 'w')}]")
    text = render(
        "pool_rows.c.j2",
        name=name,
        summary=_summary(setting, axes, "row by row"),
        parameters=[*_declared(setting), f"{kind} *restrict columns"],
        kind=kind,
        first=cut.first,
        last=cut.last,
        opening=[
            *numbered("unit", units),
            f"const long to = {to};",
            *(line for a in outer for line in a.covering()),
        ],
        sums="columns" if cut.tasks == 1 else f"columns + {last.count + _reached(last)} * task",
        columns=last.count,
        loops=_loops(outer),
        within=[
            *_skips(outer),
            *_counts(op, outer),
            *([f"const {kind} divisor = {divided};"] if varying else []),
            f"const long from = {at};",
        ],
        term=f"{value} / divisor" if varying else value,
        share=_share(op, last, kind, constant),
        size=last.size,
        **_spread(dx, last),
    )
    work = (last.count + _reached(last)) * (8 if kind == "double" else 4) * cut.tasks
    return Made(text, (Stage(name, cut.tasks),), (work,), helpers=conversions(dx.dtype))


def _share(op: AvgPoolGrad, last: Axis, kind: str, constant: int) -> str:
    """The statement that divides the sum of a column of windows."""
    if op.divisor is not None:
        return f"column[w] /= {op.divisor};"
    if _is_even(op, last):
        whole = constant * last.kernel
        return f"column[w] /= {whole};" if whole != 1 else ""
    first, second = _counted(op, last, "w", "count")
    scale = f"{constant} * count" if constant != 1 else "count"
    return f"{{ {first} {second} column[w] /= ({kind})({scale}); }}"


def _spread(dx: Operand, last: Axis) -> dict[str, object]:
    """How a row's elements are made of the columns of windows."""
    step = dx.strides[-1]
    element = f"dx[to + {_scaled(step, 'i')}]"
    rest: dict[str, object] = {"clear": "", "store": "", "spread": [], "added": [], "reached": 0}
    if not (last.are_apart and last.is_whole):
        starts = [k * last.dilation for k in range(last.kernel)]
        return {
            **rest,
            "reached": _reached(last),
            "added": [spelled((last.stride, "w"), start=start) for start in starts],
            "store": store(dx.dtype, element, f"row[{spelled((1, 'i'), start=last.padding)}]"),
        }
    starts = [(k * last.dilation - last.padding) * step for k in range(last.kernel)]
    places = [spelled((last.stride * step, "w"), start=start) for start in starts]
    full = last.kernel * last.count == last.size
    return {
        **rest,
        "spread": [store(dx.dtype, f"dx[to + {place}]", "sum") for place in places],
        "clear": "" if full else store(dx.dtype, element, "0"),
    }


def _reached(axis: Axis) -> int:
    """The length of a row from its left padding to the last element, or what windows reach."""
    return max((axis.count - 1) * axis.stride + axis.reach + 1, axis.padding + axis.size)
