"""Reading and writing at positions, sorting, and the check of a range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from graphc.ir.dtype import DType, int64
from graphc.ir.types import Shape
from graphc.ops import indexing as ops
from graphc.ops.sort import Ordered, Sort, TopK
from graphc.testing.operands import VIEWS, Array, Layout, Operand, distinct, draw, extremes, strewn
from graphc.testing.table import (
    ALL,
    EXACT,
    INTEGERS,
    NUMBERS,
    SINGLES,
    Kind,
    Row,
    Sample,
    Tolerance,
    sample,
)

ADDED = Tolerance("a few numbers near one, added in any order", 4, 16)
HALVES = Tolerance("a few numbers near one, each sum rounded", 4, 8)
UNORDERED = "PyTorch promises no order among equals"

PAIRS: tuple[tuple[Layout, Layout], ...] = (
    ("transposed", "stepped"),
    ("stepped", "transposed"),
    ("expanded", "foreign"),
    ("foreign", "expanded"),
    ("flipped", "flipped"),
)
ALONG: tuple[tuple[Shape, Shape, int], ...] = (
    # x, index, dim
    ((5,), (3,), 0),
    ((3, 4), (3, 2), 1),
    ((3, 4), (5, 4), 0),
    ((3, 4), (2, 3), 0),
    ((2, 3, 4), (2, 5, 3), 1),
    ((3, 4), (0, 4), 0),
)


def _index(high: int, shape: Shape, seed: int = 0, *, low: int = 0) -> Array:
    return draw(int64, *shape, low=low, high=high, seed=seed + 50)


def _unique(size: int, shape: Shape, dim: int) -> Array:
    """Positions below ``size`` of which no two along ``dim`` are equal."""
    rng = np.random.default_rng([size, *shape])
    rest = tuple(n for axis, n in enumerate(shape) if axis != dim)
    rows = [rng.permutation(size)[: shape[dim]] for _ in range(int(np.prod(rest)))]
    along = np.array(rows, np.int64).reshape(*rest, shape[dim])
    return np.ascontiguousarray(np.moveaxis(along, -1, dim))


def _gather(dtype: DType) -> Iterator[Sample]:
    for seed, (x, index, dim) in enumerate(ALONG):
        yield sample(ops.Gather(dim), draw(dtype, *x, seed=seed), _index(x[dim], index, seed))
    for first, second in PAIRS:
        places = Operand(_index(4, (3, 2)), second)
        yield Sample(ops.Gather(1), (Operand(draw(dtype, 3, 4), first), places))
    limits = extremes(dtype)
    yield sample(ops.Gather(0), limits, np.arange(limits.size)[::-1].copy(), kind="extreme")


def _taken(x: Array, index: Array, dim: int) -> Array:
    inner = tuple(slice(n) for n in index.shape)
    cut = x[(*inner[:dim], slice(None), *inner[dim + 1 :])]
    return np.take_along_axis(cut, index, dim)


def _scatter_add(dtype: DType) -> Iterator[Sample]:
    for seed, (x, index, dim) in enumerate(ALONG):
        values = draw(dtype, *index, seed=seed)
        yield sample(ops.ScatterAdd(dim, x), values, _index(x[dim], index, seed))
    for first, second in PAIRS:
        places = Operand(_index(4, (3, 2)), second)
        yield Sample(ops.ScatterAdd(1, (3, 4)), (Operand(draw(dtype, 3, 2), first), places))
    yield sample(ops.ScatterAdd(0, (3, 2)), draw(dtype, 9, 2), np.full((9, 2), 1))
    yield sample(ops.ScatterAdd(0, (8, 2)), strewn(dtype, 9, 2), _index(8, (9, 2)), kind="extreme")


def _added_at(op: ops.ScatterAdd, values: Array, index: Array) -> Array:
    result = np.zeros(op.shape, values.dtype)
    for place in np.ndindex(*index.shape):
        target = (*place[: op.dim], index[place], *place[op.dim + 1 :])
        result[target] += values[place]
    return result


def _written(
    x: Array, values: Array, index: Array, dim: int, combine: Callable[..., Array] | None = None
) -> Array:
    result = np.array(x)
    for place in np.ndindex(*index.shape):
        target = (*place[:dim], index[place], *place[dim + 1 :])
        new = values[place]
        result[target] = combine(result[target], new) if combine is not None else new
    return result


def _scatter(dtype: DType) -> Iterator[Sample]:
    for seed, (x, index, dim) in enumerate(ALONG):
        size = min(index[dim], x[dim])
        shape = (*index[:dim], size, *index[dim + 1 :])
        arrays = draw(dtype, *x, seed=seed), draw(dtype, *shape, seed=seed + 9)
        yield sample(ops.Scatter(dim), *arrays, _unique(x[dim], shape, dim))
    for first, second in PAIRS:
        base, values = Operand(draw(dtype, 3, 4), first), Operand(draw(dtype, 3, 2, seed=1), second)
        places = Operand(_unique(4, (3, 2), 1), "foreign")
        yield Sample(ops.Scatter(1), (base, values, places))
    several = draw(dtype, 3, 2), draw(dtype, 9, 2, seed=1), np.full((9, 2), 1)
    yield sample(ops.Scatter(0), *several, kind="extreme", unlike=UNORDERED)


COMBINE: dict[str, tuple[Callable[..., Array], str]] = {
    "mul": (np.multiply, "prod"),
    "maximum": (np.maximum, "amax"),
    "minimum": (np.minimum, "amin"),
}


def _scatter_reduce(dtype: DType) -> Iterator[Sample]:
    for combine in COMBINE:
        for seed, (x, index, dim) in enumerate(ALONG):
            values = distinct(dtype, *index, seed=seed + 9, step=0.125)
            base = distinct(dtype, *x, seed=seed, step=0.1)
            op = ops.ScatterReduce(dim, combine)
            yield sample(op, base, values, _index(x[dim], index, seed))
        base, values = np.round(draw(dtype, 3, 4)), np.round(draw(dtype, 5, 4, seed=1))
        arrays = Operand(base), Operand(values), Operand(_index(3, (5, 4)))
        once = "several zeros in one place" if combine == "mul" else ""
        yield Sample(ops.ScatterReduce(0, combine), arrays, "kink", once=once)
        rare = strewn(dtype, 3, 4), strewn(dtype, 5, 4, seed=1)
        yield sample(ops.ScatterReduce(0, combine), *rare, _index(3, (5, 4)), kind="extreme")
        for first, second in PAIRS:
            values, places = distinct(dtype, 5, 4, step=0.125), _index(4, (5, 4))
            given = Operand(draw(dtype, 5, 4), second), Operand(values, first), Operand(places)
            yield Sample(ops.ScatterReduce(1, combine), given, "kink")


def _gather_nd(dtype: DType) -> Iterator[Sample]:
    plain = ops.GatherNd()
    x = draw(dtype, 4, 5, 3)
    yield sample(plain, x, _index(4, (2, 3), low=-4))
    yield sample(plain, x, _index(4, (6,), low=-4), _index(5, (6,), low=-5))
    yield sample(plain, x, _index(4, (2, 1)), _index(5, (3,), low=-5), _index(3, (), low=-3))
    yield sample(plain, x, _index(4, (0,)))
    limits = extremes(dtype)
    yield sample(plain, limits, np.arange(-limits.size, limits.size), kind="extreme")
    yield sample(ops.GatherNd(False), x, _index(4, (2, 3)))
    yield sample(ops.GatherNd(False), draw(dtype, 7, 2), _index(7, ()))
    for first, second in PAIRS:
        index = Operand(_index(3, (2, 2)), second)
        yield Sample(plain, (Operand(draw(dtype, 3, 4), first), index))
        yield Sample(ops.GatherNd(False), (Operand(draw(dtype, 3, 4), first), index))


def _index_sum(dtype: DType) -> Iterator[Sample]:
    whole = ops.IndexSum((4, 3))
    yield sample(whole, draw(dtype, 2, 5, 3), _index(4, (2, 5), low=-4))
    yield sample(whole, draw(dtype, 6), _index(4, (6,)), _index(3, (6,), low=-3))
    yield sample(whole, draw(dtype, 0, 3), _index(4, (0,)))
    yield sample(whole, draw(dtype, 3), _index(4, ()))
    yield sample(whole, strewn(dtype, 9, 3), _index(4, (9,)), kind="extreme")
    for skip in (None, 1):
        op = ops.IndexSum((4, 3), False, skip)
        yield sample(op, draw(dtype, 2, 5, 3), _index(4, (2, 5)))
        yield sample(op, draw(dtype, 90, 3), _index(4, (90,)), kind="kink")
    for first, second in PAIRS:
        index = Operand(_index(4, (2, 2)), second)
        yield Sample(whole, (Operand(draw(dtype, 2, 2, 3), first), index))


def _summed(op: ops.IndexSum, values: Array, *indices: Array) -> Array:
    result = np.zeros(op.shape, values.dtype)
    places = np.broadcast_arrays(*indices)
    for place in np.ndindex(*places[0].shape):
        if op.skip is None or places[0][place] != op.skip:
            result[tuple(index[place] for index in places)] += values[place]
    return result


def _index_put(dtype: DType) -> Iterator[Sample]:
    x = draw(dtype, 4, 5, 3)
    for accumulate in (False, True):
        op = ops.IndexPut(accumulate)
        rows = np.array([2, -4, 3])
        yield sample(op, x, draw(dtype, 3, 5, 3, seed=1), rows)
        yield sample(op, x, draw(dtype, seed=1), rows)
        yield sample(op, x, draw(dtype, 1, 3, seed=1), rows, np.array([[4], [0]]))
        yield sample(op, x, draw(dtype, 3, seed=1), rows, np.array([0, 0, 1]), np.array([-1, 2, 0]))
        yield sample(op, x, draw(dtype, 0, 5, 3), rows[:0])
        for first, second in PAIRS:
            values = Operand(draw(dtype, 3, 4, seed=1), second)
            index = Operand(np.array([1, 3, 0]))
            yield Sample(op, (Operand(draw(dtype, 5, 4), first), values, index))
        again = np.array([1, 1, 1, 0])
        several = draw(dtype, 4, 5, 3, seed=2)
        kind: Kind = "kink" if accumulate else "extreme"
        unlike = "" if accumulate else UNORDERED
        yield sample(op, x, several, again, kind=kind, unlike=unlike)
        pairs = np.arange(12) // 4, np.arange(12) % 3
        yield sample(op, x, draw(dtype, 12, 3, seed=3), *pairs, kind=kind, unlike=unlike)


def _put(op: ops.IndexPut, x: Array, values: Array, *indices: Array) -> Array:
    result = np.array(x)
    places = np.broadcast_arrays(*indices)
    rest = x.shape[len(indices) :]
    spread = np.broadcast_to(values, (*places[0].shape, *rest))
    for place in np.ndindex(*places[0].shape):
        target = tuple(index[place] for index in places)
        result[target] = result[target] + spread[place] if op.accumulate else spread[place]
    return result


def _torch_summed(torch: Any, op: ops.IndexSum, values: Any, *indices: Any) -> Any:
    if op.skip is not None:
        keep = indices[0] != op.skip
        zero = values.new_zeros(())
        spread = keep.reshape(*keep.shape, *[1] * (values.dim() - keep.dim()))
        values = torch.where(spread, values, zero)
    zeros = values.new_zeros(op.shape)
    return zeros.index_put(indices, values, accumulate=True)


def _orders(op: Callable[[int], Ordered], dtype: DType) -> Iterator[Sample]:
    yield sample(op(0), distinct(dtype, 9))
    for dim in (0, 1, 2):
        yield sample(op(dim), distinct(dtype, 3, 4, 3))
    for layout in VIEWS:
        yield sample(op(1), distinct(dtype, 3, 4), layout=layout)
    ties = np.tile(extremes(dtype), 2)
    unlike = "" if isinstance(op(0), Sort) else UNORDERED
    yield sample(op(0), ties, kind="extreme", unlike=unlike)


def _sort(dtype: DType) -> Iterator[Sample]:
    for descending in (False, True):
        yield from _orders(partial(Sort, descending=descending), dtype)
        yield sample(Sort(0, descending), distinct(dtype, 0, 3))
        yield sample(Sort(1, descending), distinct(dtype, 2, 1))


def _topk(dtype: DType) -> Iterator[Sample]:
    for largest in (False, True):
        yield from _orders(partial(TopK, k=2, largest=largest), dtype)
        yield sample(TopK(0, 0, largest), distinct(dtype, 4))
        yield sample(TopK(0, 4, largest), distinct(dtype, 4))
        yield sample(TopK(1, 2, largest), distinct(dtype, 0, 3))
        yield sample(TopK(1, 3, largest), distinct(dtype, 2, 2000), kind="extreme",
                     unlike="" if dtype in SINGLES else UNORDERED)  # fmt: skip


def _in_order(x: Array, dim: int, *, descending: bool) -> Array:
    """Positions in a stable order, nan as the largest."""
    places = np.empty(x.shape, np.int64)
    lines, targets = np.moveaxis(x, dim, -1), np.moveaxis(places, dim, -1)
    for row in np.ndindex(*lines.shape[:-1]):
        line = lines[row]
        keys = [(bool(v != v), v if v == v else 0) for v in line.tolist()]
        # Python's sort keeps the order of equals in reverse too.
        targets[row] = sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)
    return places


def _sorted(op: Sort, x: Array) -> tuple[Array, Array]:
    places = _in_order(x, op.dim, descending=op.descending)
    return np.take_along_axis(x, places, op.dim), places


def _first(op: TopK, x: Array) -> tuple[Array, Array]:
    places = np.take(_in_order(x, op.dim, descending=op.largest), range(op.k), op.dim)
    return np.take_along_axis(x, places, op.dim), places


def _check_range(dtype: DType) -> Iterator[Sample]:
    op = ops.CheckRange(0, 9, "index {} is out of range")
    for shape in ((), (3, 4), (0, 2)):
        yield sample(op, draw(dtype, *shape, low=0, high=9))
    for layout in VIEWS:
        yield sample(op, draw(dtype, 3, 4, low=0, high=9), layout=layout)
    limits = np.iinfo(dtype.numpy)
    whole = ops.CheckRange(int(limits.min), int(limits.max) + 1, "index {} is out of range")
    yield sample(whole, extremes(dtype), kind="extreme")


ROWS = (
    Row("gather", ALL, _gather, lambda op, x, index: _taken(x, index, op.dim),
        lambda torch, op, x, index: torch.gather(x, op.dim, index), EXACT, True),
    Row("scatter_add", NUMBERS, _scatter_add, _added_at,
        lambda torch, op, values, index: values.new_zeros(op.shape).scatter_add(
            op.dim, index, values), ADDED, True, halves=HALVES),
    Row("scatter", ALL, _scatter, lambda op, x, values, index: _written(x, values, index, op.dim),
        lambda torch, op, x, values, index: x.scatter(op.dim, index, values), EXACT, True),
    Row("scatter_reduce", NUMBERS, _scatter_reduce,
        lambda op, x, values, index: _written(x, values, index, op.dim, COMBINE[op.combine][0]),
        lambda torch, op, x, values, index: x.scatter_reduce(
            op.dim, index, values, COMBINE[op.combine][1]), ADDED, True, halves=HALVES),
    Row("gather_nd", ALL, _gather_nd, lambda op, x, *indices: x[indices],
        lambda torch, op, x, *indices: x[indices], EXACT, True),
    Row("index_sum", NUMBERS, _index_sum, _summed, _torch_summed, ADDED, True, halves=HALVES),
    Row("index_put", ALL, _index_put, _put,
        lambda torch, op, x, values, *indices: x.index_put(
            indices, values, accumulate=op.accumulate), ADDED, True, halves=HALVES),
    Row("sort", NUMBERS, _sort, _sorted,
        lambda torch, op, x: tuple(torch.sort(
            x, dim=op.dim, descending=op.descending, stable=True)), EXACT, True),
    Row("topk", NUMBERS, _topk, _first,
        lambda torch, op, x: tuple(torch.topk(x, op.k, op.dim, op.largest)), EXACT, True),
    Row("check_range", INTEGERS, _check_range, lambda op, x: x, lambda torch, op, x: x.clone()),
)  # fmt: skip
