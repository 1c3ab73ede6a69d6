"""Views, joins and padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.node import Op
from graphc.ir.types import Shape
from graphc.ops import movement as ops
from graphc.ops.strided import Strided
from graphc.testing.operands import VIEWS, Array, Operand, draw, extremes
from graphc.testing.table import ALL, EXACT, Row, Sample, sample


def _of(dtype: DType, shape: Shape, *made: Op) -> Iterator[Sample]:
    for seed, op in enumerate(made):
        yield sample(op, draw(dtype, *shape, seed=seed))


def _in_views(dtype: DType, op: Op, shape: Shape = (3, 4)) -> Iterator[Sample]:
    for layout in VIEWS:
        yield sample(op, draw(dtype, *shape, seed=7), layout=layout)


def _limits(dtype: DType, rows: int = 2) -> Array:
    numbers = extremes(dtype)
    return np.resize(numbers, (rows, numbers.size))


def _reshape(dtype: DType) -> Iterator[Sample]:
    yield from _of(dtype, (2, 3, 4), ops.Reshape((24,)), ops.Reshape((4, 3, 2)))
    yield from _of(dtype, (2, 3, 4), ops.Reshape((2, 1, 12)), ops.Reshape((2, 3, 4)))
    yield from _of(dtype, (), ops.Reshape((1, 1)))
    yield from _of(dtype, (1, 1), ops.Reshape(()))
    yield from _of(dtype, (0, 3), ops.Reshape((5, 0)), ops.Reshape((0,)))
    yield from _in_views(dtype, ops.Reshape((2, 6)))
    yield sample(ops.Reshape((_limits(dtype).size,)), _limits(dtype), kind="extreme")


def _permute(dtype: DType) -> Iterator[Sample]:
    yield from _of(dtype, (2, 3, 4), ops.Permute((2, 0, 1)), ops.Permute((0, 2, 1)))
    yield from _of(dtype, (2, 3, 4), ops.Permute((0, 1, 2)), ops.Permute((2, 1, 0)))
    yield from _of(dtype, (), ops.Permute(()))
    yield from _of(dtype, (0, 3), ops.Permute((1, 0)))
    yield from _of(dtype, (1, 5, 1), ops.Permute((2, 0, 1)))
    yield from _in_views(dtype, ops.Permute((1, 0)))
    yield sample(ops.Permute((1, 0)), _limits(dtype), kind="extreme")


def _expand(dtype: DType) -> Iterator[Sample]:
    yield from _of(dtype, (3, 1), ops.Expand((3, 4)), ops.Expand((2, 3, 4)), ops.Expand((3, 0)))
    yield from _of(dtype, (), ops.Expand((2, 3)), ops.Expand((0,)))
    yield from _of(dtype, (2, 3), ops.Expand((2, 3)))
    yield from _of(dtype, (0, 1), ops.Expand((0, 4)), ops.Expand((2, 0, 1)))
    yield from _in_views(dtype, ops.Expand((2, 3, 4)))
    yield sample(ops.Expand((3, 2, extremes(dtype).size)), _limits(dtype), kind="extreme")


def _slice(dtype: DType) -> Iterator[Sample]:
    cuts = (
        ops.Slice((1, 2), (4, 7), (1, 1)),
        ops.Slice((0, 1), (5, 7), (2, 3)),
        ops.Slice((2, 0), (2, 7), (1, 1)),
        ops.Slice((0, 0), (5, 7), (1, 1)),
        ops.Slice((4, 6), (5, 7), (1, 1)),
    )
    yield from _of(dtype, (5, 7), *cuts)
    yield from _of(dtype, (), ops.Slice((), (), ()))
    yield from _of(dtype, (0, 3), ops.Slice((0, 1), (0, 3), (1, 1)))
    yield from _in_views(dtype, ops.Slice((1, 0), (3, 4), (1, 2)))
    size = extremes(dtype).size
    yield sample(ops.Slice((0, 1), (2, size), (1, 1)), _limits(dtype), kind="extreme")


def _place(dtype: DType) -> Iterator[Sample]:
    for op, shape in (
        (ops.Place((1, 2), (4, 7), (1, 1)), (3, 5)),
        (ops.Place((0, 1), (5, 7), (2, 3)), (3, 2)),
        (ops.Place((2, 0), (2, 7), (1, 1)), (0, 7)),
        (ops.Place((0, 0), (5, 7), (1, 1)), (5, 7)),
    ):
        yield sample(op, draw(dtype, 5, 7), draw(dtype, *shape, seed=1))
    yield sample(ops.Place((), (), ()), draw(dtype), draw(dtype, seed=1))
    limits = _limits(dtype)
    yield sample(
        ops.Place((0, 0), (1, limits.shape[1]), (1, 1)), limits, limits[1:], kind="extreme"
    )
    for layout in VIEWS:
        x, value = draw(dtype, 3, 4), draw(dtype, 2, 2, seed=1)
        op = ops.Place((1, 0), (3, 4), (1, 2))
        yield sample(op, x, value, layout=layout)
        yield Sample(op, (Operand(x), Operand(value, layout)))


def _placed(op: ops.Place, x: Array, value: Array) -> Array:
    result = np.array(x)
    result[_cut(op)] = value
    return result


def _cut(op: ops.Slice | ops.Place) -> tuple[slice, ...]:
    return tuple(slice(*bounds) for bounds in zip(op.starts, op.stops, op.steps, strict=True))


def _flip(dtype: DType) -> Iterator[Sample]:
    yield from _of(dtype, (2, 3, 4), ops.Flip((0,)), ops.Flip((1, 2)), ops.Flip((0, 1, 2)))
    yield from _of(dtype, (2, 3, 4), ops.Flip(()))
    yield from _of(dtype, (), ops.Flip(()))
    yield from _of(dtype, (0, 3), ops.Flip((0,)))
    yield from _in_views(dtype, ops.Flip((1,)))
    yield sample(ops.Flip((1,)), _limits(dtype), kind="extreme")


def _pad(dtype: DType) -> Iterator[Sample]:
    value = True if dtype.category == 0 else 3
    yield from _of(dtype, (2, 3), ops.Pad((1, 0), (0, 2), value), ops.Pad((0, 0), (0, 0), value))
    yield from _of(dtype, (0, 3), ops.Pad((1, 0), (1, 0), 0))
    yield from _of(dtype, (), ops.Pad((), (), value))
    yield from _in_views(dtype, ops.Pad((1, 2), (2, 1), value))
    yield sample(ops.Pad((1, 0), (0, 2), value), _limits(dtype), kind="extreme")
    if dtype.is_floating_point:
        for number in (float("inf"), -float("inf"), float("nan"), -0.0, 0.1):
            yield sample(ops.Pad((1, 1), (1, 1), number), draw(dtype, 2, 3), kind="kink")


def _padded(op: ops.Pad, x: Array) -> Array:
    shape = tuple(a + n + b for a, n, b in zip(op.low, x.shape, op.high, strict=True))
    result = np.full(shape, op.value, x.dtype)
    result[tuple(slice(a, a + n) for a, n in zip(op.low, x.shape, strict=True))] = x
    return result


def _concat(dtype: DType) -> Iterator[Sample]:
    joins: tuple[tuple[int, tuple[Shape, ...]], ...] = (
        (0, ((2, 3), (1, 3))),
        (1, ((2, 3), (2, 0), (2, 2))),
        (1, ((2, 3),)),
        (2, ((2, 1, 3), (2, 1, 1))),
        (0, ((0,), (0,))),
    )
    for dim, shapes in joins:
        yield sample(ops.Concat(dim), *(draw(dtype, *s, seed=i) for i, s in enumerate(shapes)))
    for layout in VIEWS:
        x, y = draw(dtype, 3, 4), draw(dtype, 3, 4, seed=1)
        yield Sample(ops.Concat(1), (Operand(x, layout), Operand(y)))
    yield sample(ops.Concat(0), _limits(dtype), _limits(dtype, 3), kind="extreme")


def _strided(dtype: DType) -> Iterator[Sample]:
    yield from _of(dtype, (12,), Strided((3, 4), (4, 1), 0), Strided((2, 3), (1, 5), 0))
    yield from _of(dtype, (7,), Strided((3, 3), (1, 2), 0), Strided((2, 5), (0, 1), 2))
    yield from _of(dtype, (5,), Strided((), (), 3), Strided((0, 2), (1, 1), 5))
    yield from _of(dtype, (0,), Strided((2, 0), (1, 1), 0))
    for layout in VIEWS:
        yield sample(Strided((3, 2), (2, 1), 1), draw(dtype, 8, seed=7), layout=layout)
    numbers = extremes(dtype)
    count = numbers.size - 1
    yield sample(Strided((count, 2), (1, 1), 0), numbers, kind="extreme")


def _strides(op: Strided, x: Array) -> Array:
    distances = tuple(n * x.itemsize for n in op.strides)
    return np.lib.stride_tricks.as_strided(x.copy()[op.offset :], op.size, distances)


def _torch_pad(torch: Any, op: ops.Pad, x: Any) -> Any:
    widths = [n for pair in zip(reversed(op.low), reversed(op.high), strict=True) for n in pair]
    return torch.nn.functional.pad(x, widths, value=op.value)


def _torch_place(torch: Any, op: ops.Place, x: Any, value: Any) -> Any:
    result = x.clone()
    result[_cut(op)] = value
    return result


ROWS = (
    Row("strided", ALL, _strided, _strides,
        lambda torch, op, x: torch.as_strided(x.clone(), op.size, op.strides, op.offset),
        EXACT, True, signed_zeros=True),
    Row("reshape", ALL, _reshape, lambda op, x: x.reshape(op.shape),
        lambda torch, op, x: x.reshape(op.shape), EXACT, True, signed_zeros=True),
    Row("permute", ALL, _permute, lambda op, x: x.transpose(op.dims),
        lambda torch, op, x: x.permute(op.dims), EXACT, True, signed_zeros=True),
    Row("expand", ALL, _expand, lambda op, x: np.broadcast_to(x, op.shape),
        lambda torch, op, x: x.expand(op.shape), EXACT, True, signed_zeros=True),
    Row("slice", ALL, _slice, lambda op, x: x[_cut(op)], lambda torch, op, x: x[_cut(op)], EXACT,
        True, signed_zeros=True),
    Row("place", ALL, _place, _placed, _torch_place, EXACT, True, signed_zeros=True),
    Row("flip", ALL, _flip, lambda op, x: np.flip(x, op.dims),
        lambda torch, op, x: x.flip(op.dims), EXACT, True, signed_zeros=True),
    Row("pad", ALL, _pad, _padded, _torch_pad, EXACT, True, signed_zeros=True),
    Row("concat", ALL, _concat, lambda op, *x: np.concatenate(x, op.dim),
        lambda torch, op, *x: torch.cat(x, op.dim), EXACT, True, signed_zeros=True),
)  # fmt: skip
