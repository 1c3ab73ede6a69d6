"""Pooling and its gradients, window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.ops.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, Pool
from graphc.testing.operands import VIEWS, Array, Operand, distinct, draw, strewn, trailing
from graphc.testing.table import FLOATS, SINGLES, Kind, Row, Sample, Tolerance, sample

ADDED = Tolerance("some tens of numbers near one, added in any order and divided", 4, 16)
HALVES = Tolerance("added up in float32 and rounded once", 1, 0.05)
SHARES = Tolerance("shares below one, each rounded before they are added up", 1, 0.5)

Windows = tuple[Shape, Shape, Shape, Shape, bool]
"""Kernel, stride, padding, dilation, ceil mode."""
CASES: tuple[tuple[Shape, Windows], ...] = (
    ((2, 3, 7), ((3,), (2,), (1,), (1,), True)),
    ((1, 2, 6, 6), ((2, 2), (2, 2), (0, 0), (1, 1), False)),
    ((2, 1, 5, 7), ((2, 2), (2, 2), (0, 0), (1, 1), True)),
    ((1, 2, 5, 6), ((3, 3), (2, 2), (1, 1), (1, 1), False)),
    ((1, 1, 7, 7), ((3, 2), (1, 3), (1, 0), (2, 3), False)),
    ((1, 2, 4, 3, 4), ((2, 3, 2), (2, 1, 2), (1, 0, 1), (1, 1, 1), True)),
    ((0, 2, 5, 6), ((3, 3), (2, 2), (1, 1), (1, 1), False)),
)


def _max_pool(dtype: DType) -> Iterator[Sample]:
    for shape, windows in CASES:
        yield sample(MaxPool(*windows), distinct(dtype, *shape, step=0.125))
    shape, windows = CASES[3]
    op = MaxPool(*windows)
    for layout in VIEWS:
        kind: Kind = "kink" if layout == "expanded" else "smooth"
        yield sample(op, distinct(dtype, *shape, seed=1, step=0.125), layout=layout, kind=kind)
    ties = np.round(draw(dtype, *shape).astype(np.float64)).astype(dtype.numpy)
    yield sample(op, ties, kind="kink")
    specials = draw(dtype, *shape)
    specials[draw(dtype, *shape, seed=5) < -1] = -np.inf
    yield sample(op, specials, kind="extreme")
    yield sample(op, np.full(shape, -np.inf, dtype.numpy), kind="extreme")
    specials[draw(dtype, *shape, seed=6) < -1] = np.nan
    yield sample(op, specials, kind="extreme")


def _windows(op: Pool, sizes: Shape, out: Shape) -> Iterator[tuple[Shape, list[Shape]]]:
    """Each place in the output with the places of its window, those outside the input too."""
    for place in product(*map(range, out)):
        begin = [i * s - p for i, s, p in zip(place, op.stride, op.padding, strict=True)]
        yield (
            place,
            [
                tuple(b + o * d for b, o, d in zip(begin, offset, op.dilation, strict=True))
                for offset in product(*map(range, op.kernel))
            ],
        )


def _inside(place: Shape, sizes: Shape) -> bool:
    return all(0 <= i < n for i, n in zip(place, sizes, strict=True))


def _largest(op: MaxPool, x: Array) -> tuple[Array, Array]:
    """By PyTorch's walk: a later one is taken if it is larger, or nan."""
    sizes = x.shape[2:]
    out = op.output_sizes(sizes)
    values = np.zeros((*x.shape[:2], *out), x.dtype)
    places = np.zeros(values.shape, np.int64)
    for place, window in _windows(op, sizes, out):
        within = [p for p in window if _inside(p, sizes)]
        best = np.full(x.shape[:2], -np.inf)
        where = np.full(x.shape[:2], np.ravel_multi_index(within[0], sizes))
        for p in within:
            candidate = x[trailing(p)]
            better = (candidate > best) | np.isnan(candidate)
            best = np.where(better, candidate, best)
            where = np.where(better, np.ravel_multi_index(p, sizes), where)
        values[trailing(place)], places[trailing(place)] = best, where
    return values, places


def _max_pool_grad(dtype: DType) -> Iterator[Sample]:
    for seed, (shape, windows) in enumerate(CASES):
        sizes = shape[2:]
        forward = MaxPool(*windows)
        _, places = _largest(forward, distinct(dtype, *shape).astype(np.float64))
        dy = draw(dtype, *shape[:2], *forward.output_sizes(sizes), seed=seed)
        op = MaxPoolGrad(*windows, sizes)
        yield sample(op, dy, places)
        if seed == 3:
            for layout in VIEWS:
                yield Sample(op, (Operand(dy, layout), Operand(places, "foreign")))
            yield sample(op, strewn(dtype, *dy.shape), places, kind="extreme")


def _scattered(op: MaxPoolGrad, dy: Array, places: Array) -> Array:
    planes = np.zeros((*dy.shape[:2], math.prod(op.sizes)))
    for index in np.ndindex(*dy.shape):
        planes[(*index[:2], places[index])] += dy[index]
    return planes.reshape(*dy.shape[:2], *op.sizes)


NO_HALVES = "PyTorch averages no volumes of low-precision floats"
MEANS: tuple[tuple[bool, int | None], ...] = ((True, None), (False, None), (True, 5))


def _averages(dtype: DType) -> Iterator[Sample]:
    for seed, (shape, windows) in enumerate(CASES):
        if set(windows[3]) != {1}:
            continue
        for include, divisor in MEANS:
            if len(shape) > 3 or divisor is None:
                op = AvgPool(*windows, include, divisor)
                unlike = NO_HALVES if len(shape) == 5 and dtype not in SINGLES else ""
                yield sample(op, draw(dtype, *shape, seed=seed), unlike=unlike)
    shape, windows = CASES[3]
    op = AvgPool(*windows, False, None)
    for layout in VIEWS:
        yield sample(op, draw(dtype, *shape, seed=9), layout=layout)
    yield sample(op, strewn(dtype, *shape), kind="extreme")


def _shares(
    op: AvgPool | AvgPoolGrad, sizes: Shape, out: Shape
) -> Iterator[tuple[Shape, list[Shape], float]]:
    """Each place in the output, its window within the input, and what its sum is divided by."""
    padded = [n + p for n, p in zip(sizes, op.padding, strict=True)]
    for place, window in _windows(op, sizes, out):
        within = [p for p in window if _inside(p, sizes)]
        counted = [p for p in window if all(i < n for i, n in zip(p, padded, strict=True))]
        count = len(counted if op.count_include_pad else within)
        yield place, within, float(op.divisor or count)


def _means(op: AvgPool, x: Array) -> Array:
    out = op.output_sizes(x.shape[2:])
    result = np.zeros((*x.shape[:2], *out))
    for place, within, divisor in _shares(op, x.shape[2:], out):
        result[trailing(place)] = np.sum([x[trailing(p)] for p in within], axis=0) / divisor
    return result


def _average_grads(dtype: DType) -> Iterator[Sample]:
    for each in _averages(dtype):
        op, x = each.op, each.operands[0]
        assert isinstance(op, AvgPool)
        sizes = x.array.shape[2:]
        settings = (op.kernel, op.stride, op.padding, op.dilation, op.ceil_mode)
        back = AvgPoolGrad(*settings, op.count_include_pad, op.divisor, sizes)
        number = strewn if each.kind == "extreme" else draw
        dy = number(dtype, *x.array.shape[:2], *op.output_sizes(sizes), seed=3)
        yield sample(back, dy, layout=x.layout, kind=each.kind, unlike=each.unlike)


def _spread(op: AvgPoolGrad, dy: Array) -> Array:
    result = np.zeros((*dy.shape[:2], *op.sizes))
    for place, within, divisor in _shares(op, op.sizes, dy.shape[2:]):
        for p in within:
            result[trailing(p)] += dy[trailing(place)] / divisor
    return result


def _function(torch: Any, op: Pool, name: str) -> Any:
    functional = torch.nn.functional
    return getattr(functional, f"{name}{len(op.kernel)}d")


def _torch_max(torch: Any, op: MaxPool, x: Any) -> Any:
    windows = (op.kernel, op.stride, op.padding, op.dilation, op.ceil_mode)
    return _function(torch, op, "max_pool")(x, *windows, return_indices=True)


def _torch_scattered(torch: Any, op: MaxPoolGrad, dy: Any, places: Any) -> Any:
    lead = dy.shape[:2]
    planes = dy.new_zeros(*lead, math.prod(op.sizes))
    filled = planes.scatter_add(2, places.flatten(2), dy.flatten(2))
    return filled.reshape(*lead, *op.sizes)


def _torch_mean(torch: Any, op: AvgPool | AvgPoolGrad, x: Any) -> Any:
    more = {} if len(op.kernel) == 1 else {"divisor_override": op.divisor}
    settings = (op.kernel, op.stride, op.padding, op.ceil_mode, op.count_include_pad)
    return _function(torch, op, "avg_pool")(x, *settings, **more)


def _torch_spread(torch: Any, op: AvgPoolGrad, dy: Any) -> Any:
    shape = (*dy.shape[:2], *op.sizes)
    x = torch.zeros(shape, dtype=dy.dtype, requires_grad=True)
    y = _torch_mean(torch, op, x)
    return torch.autograd.grad(y, x, dy, create_graph=True)[0]


ROWS = (
    Row("max_pool", FLOATS, _max_pool, _largest, _torch_max, gradient=True),
    Row("max_pool_grad", FLOATS, _max_pool_grad, _scattered, _torch_scattered, ADDED, True,
        halves=HALVES),
    Row("avg_pool", FLOATS, _averages, _means, _torch_mean, ADDED, True, halves=HALVES),
    Row("avg_pool_grad", FLOATS, _average_grads, _spread, _torch_spread, ADDED, True,
        halves=SHARES),
)  # fmt: skip
