"""Pooling: windows of channels side by side where these are, of columns otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

from graphc.backends.c_language.statements import start_of
from graphc.backends.c_language.types import computed, load, store, stored
from graphc.backends.native.made import Made, Maker, Setting, Stage
from graphc.backends.native.pooling_gradients import avg_pool_grad, max_pool_grad
from graphc.backends.native.pooling_layout import Layout, flat_strides, taps
from graphc.backends.native.windows import NOTHING, axes_of, conversions, spelled
from graphc.kernels_templates import render
from graphc.ops.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, Pool

BLOCK = 64
"""Windows that are done side by side by loops over taps."""


@dataclass(frozen=True)
class Body:
    """The statements that make something of windows."""

    state: list[tuple[str, str]]
    begin: list[str]
    inside: list[str]
    take: list[str]
    finish: Callable[[str, str], list[str]]
    """Of the index of the state's arrays, or "", and that of the window."""
    more: list[str]
    """Declarations of parameters."""
    better: str = ""
    number: dict[str, str] | None = None


def _value(layout: Layout, offset: int) -> str:
    """The value of a tap of window i that lies inside."""
    return load(layout.x.dtype, f"x[at + {spelled((layout.step, 'i'), start=offset)}]")


def _largest(name: str, layout: Layout, indices: bool) -> Body:
    x = layout.x.dtype
    kind, narrow = computed(x), "int64_t" if x.itemsize == 8 else "int32_t"
    (offset, _), *others = taps(layout)
    better = f"{name}_better(value, best"
    lines = [f"best = {_value(layout, offset)};", *(["where = 0;"] if indices else [])]
    for offset, place in others:
        lines.append(f"value = {_value(layout, offset)};")
        lines += [f"where = {better}) ? {place} : where;"] if indices else []
        lines.append(f"best = {better}) ? value : best;")
    step = 0 if layout.channels else layout.axes[-1].stride

    def finish(part: str, i: str) -> list[str]:
        found = [store(x, f"y[to0 + {_scaled(layout.result_step(0), i)}]", f"best{part}")]
        if indices:
            place = f"place + {_scaled(step, i)} + where{part}"
            found.append(f"places[to1 + {_scaled(layout.result_step(1), i)}] = {place};")
        return found

    strides = zip(layout.axes, flat_strides(layout.axes), strict=True)
    flat = [(a.dilation * f, a.name) for a, f in strides]
    first = spelled(*((factor, f"{axis}0") for factor, axis in flat))
    return Body(
        state=[(kind, "best"), *([(narrow, "where")] if indices else [])],
        begin=[f"best[i] = {start_of('max', x)};", *([f"where[i] = {first};"] if indices else [])],
        inside=lines,
        take=[
            *([f"where[i] = {better}[i]) ? number : where[i];"] if indices else []),
            f"best[i] = {better}[i]) ? value : best[i];",
        ],
        finish=finish,
        more=["long to0", *(["long to1", "long place"] if indices else [])],
        better="(value > best) | (value != value)" if x.is_floating_point else "value > best",
        number={"type": narrow, "value": spelled(*flat)} if indices else None,
    )


def _scaled(step: int, index: str) -> str:
    return spelled((step, f"({index})" if " " in index else index))


def _mean(layout: Layout) -> Body:
    dtype = layout.x.dtype
    (offset, _), *others = taps(layout)
    lines = [f"total = {_value(layout, offset)};"]
    for offset, _ in others:
        lines += [f"value = {_value(layout, offset)};", "total += value;"]

    def finish(part: str, i: str) -> list[str]:
        to = f"y[to0 + {_scaled(layout.result_step(0), i)}]"
        return [store(dtype, to, f"total{part} / divisor")]

    return Body(
        state=[(computed(dtype), "total")],
        begin=["total[i] = 0;"],
        inside=lines,
        take=["total[i] += value;"],
        finish=finish,
        more=["long to0", f"{computed(dtype)} divisor"],
    )


def _calls(name: str, layout: Layout, body: Body, divisor: str, edge: str) -> dict[str, object]:
    """The calls for a unit of work; ``edge``: the divisor at the ends of rows."""
    names = [x.split()[-1] for x in body.more]
    pointers = ["x", "y", *(["places"] if "place" in names else [])]
    first, last = layout.side
    moved = {"at": f"at + {first * layout.step}", "to0": f"to0 + {first * layout.result_step(0)}"}
    if "place" in names:
        moved["to1"] = f"to1 + {first * layout.result_step(1)}"
        moved["place"] = f"place + {first * layout.axes[-1].stride}"
    if layout.channels or first == 0:
        moved = {}
    moved["divisor"] = divisor
    given = [moved.get(n, n) for n in ["at", *names]]
    bounds = [t for a in layout.outer for t in a.taps()]
    if not layout.channels:
        bounds += ["0", str(layout.axes[-1].kernel)]
    side = [str(last - first)]
    partly = bool(layout.whole()) or not layout.unrolled
    return {
        "call_inside": f"{name}_inside({', '.join([*pointers, *given])});"
        if layout.unrolled
        else "",
        "call_window": f"{name}_window({', '.join([*pointers, *given, *side, *bounds])});"
        if partly and last > first
        else "",
        "edges": _edges(name, layout, [*pointers], names, edge),
    }


def _edges(
    name: str, layout: Layout, pointers: list[str], names: list[str], divisor: str
) -> list[str]:
    """The statements for windows at the ends of a row that are not inside."""
    axis = layout.axes[-1]
    if layout.channels or axis.is_whole:
        return []
    low, high = axis.whole
    moved = {
        "at": f"at + {spelled((layout.step, axis.name))}",
        "to0": f"to0 + {spelled((layout.result_step(0), axis.name))}",
        "divisor": divisor,
    }
    if "place" in names:
        moved["to1"] = f"to1 + {spelled((layout.result_step(1), axis.name))}"
        moved["place"] = f"place + {spelled((axis.stride, axis.name))}"
    bounds = [t for a in layout.outer for t in a.taps()] + [*axis.taps()]
    given = [*pointers, *(moved.get(n, n) for n in ["at", *names]), "1", *bounds]
    skip = f"{axis.name} == {low - 1} ? {high} : {axis.name} + 1"
    start = high if low == 0 else 0
    step = f"{axis.name}++" if low == high or low == 0 else f"{axis.name} = {skip}"
    return [
        f"for (long {axis.name} = {start}; {axis.name} < {axis.count}; {step}) {{",
        *(f"    {line}" for line in axis.bounds()),
        f"    {name}_window({', '.join(given)});",
        "}",
    ]


def _pool(name: str, layout: Layout, body: Body, summary: str, divisors: tuple[str, str]) -> Made:
    """The kernel; ``divisors``: of most windows, and of those at the ends of rows."""
    x, indices = layout.x.dtype, body.number is not None
    cut, calls = layout.split(), _calls(name, layout, body, *divisors)
    side = layout.side[1] - layout.side[0]
    steps = zip(layout.axes, layout.x.strides[2:], strict=True)
    pointers = [f"const {stored(x)} *restrict x", f"{stored(x)} *restrict y"]
    places = ["int64_t *restrict places"]
    text = render(
        "pool.c.j2",
        name=name,
        summary=summary,
        parameters=pointers + (places if indices else []),
        all_parameters=pointers + (places if len(layout.setting.results) > 1 else []),
        more=["long at", *body.more],
        better=body.better,
        kind=computed(x),
        state=body.state,
        inside={"count": side, "lines": body.inside + body.finish("", "i")}
        if layout.unrolled
        else None,
        block=BLOCK,
        axes=layout.axes,
        begin=body.begin,
        number=body.number,
        tap=f"at + {spelled(*((a.dilation * s, a.name) for a, s in steps))}",
        load=load(x, f"x[tap + {_scaled(layout.step, 'done + i')}]"),
        take=body.take,
        finish=body.finish("[i]", "done + i"),
        first=cut.first,
        last=cut.last,
        opening=layout.opening(indices),
        whole=layout.whole() if calls["call_window"] else "",
        **calls,
    )
    return Made(text, (Stage(name, cut.tasks),), helpers=conversions(x))


def _layout(setting: Setting) -> Layout:
    op, x, y = setting.node.op, setting.operands[0], setting.results[0]
    assert isinstance(op, Pool)
    return Layout(setting, axes_of(op, x.shape[2:], y.shape[2:]))


def _summary(what: str, layout: Layout) -> str:
    kernel = " x ".join(str(a.kernel) for a in layout.axes)
    shape, found = (" x ".join(map(str, x.shape)) for x in (layout.x, layout.y))
    side = "channels" if layout.channels else "columns"
    return f"The {what} of windows of {kernel}, {shape} to {found}, {side} side by side."


def max_pool(name: str, setting: Setting) -> Made:
    """The largest elements of windows, and their places if something reads them."""
    layout = _layout(setting)
    if 0 in layout.y.shape:
        return NOTHING
    body = _largest(name, layout, not setting.read or setting.read[1])
    return _pool(name, layout, body, _summary("largest", layout), ("", ""))


def avg_pool(name: str, setting: Setting) -> Made:
    """The means of windows."""
    op, layout = setting.node.op, _layout(setting)
    assert isinstance(op, AvgPool)
    if 0 in layout.y.shape:
        return NOTHING
    inner = [a.counts(op.count_include_pad, f"{a.name}_begin") for a in layout.outer]
    last = layout.axes[-1]
    row = [] if layout.channels else [str(last.kernel)]
    edge = [] if layout.channels else [last.counts(op.count_include_pad, f"{last.name}_begin")]
    divisors = (_product(op.divisor, inner + row), _product(op.divisor, inner + edge))
    return _pool(name, layout, _mean(layout), _summary("mean", layout), divisors)


def _product(divisor: int | None, counts: list[str]) -> str:
    if divisor is not None:
        return str(divisor)
    known = prod(int(x) for x in counts if x.isdecimal())
    varying = [x for x in counts if not x.isdecimal()]
    return " * ".join([*([str(known)] if known != 1 or not varying else []), *varying])


POOLING: dict[str, Maker] = {
    MaxPool.name: max_pool,
    MaxPoolGrad.name: max_pool_grad,
    AvgPool.name: avg_pool,
    AvgPoolGrad.name: avg_pool_grad,
}
"""By the op's name."""
