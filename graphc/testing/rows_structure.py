"""Numbers, ranges, conversions, and what matters to differentiation only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.node import Const, Op
from graphc.marks import ToDevice
from graphc.ops.composite import Border
from graphc.ops.creation import Arange
from graphc.ops.elementwise import Cast
from graphc.ops.sloped import Sloped
from graphc.recording import Detach, Variable
from graphc.testing.operands import LAYOUTS, VIEWS, Array, draw, extremes, strewn
from graphc.testing.samples import unary
from graphc.testing.table import ALL, EXACT, FLOATS, NUMBERS, ROUNDED, Row, Sample, sample


def _const(dtype: DType) -> Iterator[Sample]:
    for value in extremes(dtype).tolist():
        yield Sample(Const(value, dtype), (), "extreme")


def _arange(dtype: DType) -> Iterator[Sample]:
    for start, step, size in ((0, 1, 5), (3, 2, 4), (0, 1, 0), (100, 1, 1), (9, -3, 3)):
        if dtype.is_signed or step > 0:
            yield Sample(Arange(start, step, size, dtype), ())
    if dtype.is_floating_point:
        yield Sample(Arange(-1.5, 0.25, 9, dtype), ())
        yield Sample(Arange(2040, 3, 9, dtype), (), "extreme")
    else:
        yield Sample(Arange(int(np.iinfo(dtype.numpy).max) - 6, 3, 3, dtype), (), "extreme")


def _range(op: Arange) -> Array:
    numbers = [op.start + op.step * i for i in range(op.size)]
    return np.array(numbers, np.float64 if op.dtype.is_floating_point else op.dtype.numpy)


def _casts(dtype: DType) -> Iterator[Sample]:
    for target in ALL:
        op = Cast(target)
        x = draw(dtype, 3, 4, low=0, high=100)
        for layout in LAYOUTS[:-1]:
            yield sample(op, x, layout=layout)
        yield sample(op, draw(dtype, low=0, high=100))
        yield sample(op, draw(dtype, 0, 2))
        limits = extremes(dtype)
        if dtype.is_floating_point and target.category == 1:
            limits = np.array([-1.75, -0.5, -0.0, 0.5, 1.5, 2.99, 100.5]).astype(dtype.numpy)
            limits = limits[2:] if not target.is_signed else limits
        yield sample(op, limits, kind="extreme")


def _cast(op: Cast, x: Array) -> Array:
    if op.dtype.category == 0:
        return np.asarray(x != 0)
    if op.dtype.category == 1 and x.dtype.kind == "f":
        return np.trunc(x).astype(op.dtype.numpy)
    return x.astype(np.float64 if op.dtype.is_floating_point else op.dtype.numpy)


def _sloped(dtype: DType) -> Iterator[Sample]:
    value, x, slope = (draw(dtype, 3, 4, seed=i) for i in range(3))
    yield sample(Sloped(), value, x, slope)
    yield sample(Sloped(), value, x[0], slope[:, :1])
    yield sample(Sloped(), value[0, 0], x[0, 0], slope[0, 0])
    yield sample(Sloped(), value[:0], x[:0], slope[:0])
    yield sample(Sloped(), strewn(dtype, 3, 4), x, slope, kind="extreme")
    for layout in VIEWS:
        yield sample(Sloped(), value, x, slope, layout=layout)


def _slope(op: Op, value: Array, x: Array, slope: Array, dy: Array) -> tuple[Array | None, ...]:
    flow = dy * slope
    return None, flow if x.shape == flow.shape else flow.sum(0), None


def _torch_dtype(torch: Any, dtype: DType) -> Any:
    return getattr(torch, dtype.name)


def _same(op: Op, x: Array) -> Array:
    return x


ROWS = (
    Row("const", ALL, _const, lambda op: np.array(op.value),
        lambda torch, op: torch.tensor(op.value, dtype=_torch_dtype(torch, op.dtype)),
        signed_zeros=True),
    Row("arange", NUMBERS, _arange, _range,
        lambda torch, op: op.start + op.step * torch.arange(op.size).to(
            _torch_dtype(torch, op.dtype)), ROUNDED),
    Row("cast", ALL, _casts, _cast, lambda torch, op, x: x.to(_torch_dtype(torch, op.dtype)),
        ROUNDED, derivative=lambda op, x, dy: (dy.astype(x.dtype),)),
    Row("detach", ALL, unary(Detach()), _same, lambda torch, op, x: x.detach()),
    Row("to_device", ALL, unary(ToDevice("cpu")), _same,
        lambda torch, op, x: x.to(op.device).clone(), EXACT, True),
    Row("variable", ALL, unary(Variable(0)), _same, lambda torch, op, x: x.detach().clone(),
        derivative=lambda op, x, dy: (None,)),
    Row("border", ALL, unary(Border()), _same, lambda torch, op, x: x.clone(), EXACT, True),
    Row("sloped", FLOATS, _sloped, lambda op, value, x, slope: value, None,
        derivative=_slope, own="a derivative by formula is part of no function of PyTorch's"),
)  # fmt: skip
