"""The matrix product."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.ops.matmul import MatMul
from graphc.testing.operands import Layout, Operand, draw, extremes
from graphc.testing.table import NUMBERS, ONCE, Row, Sample, Tolerance, sample

PAIRS: tuple[tuple[Shape, Shape], ...] = (
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((2, 1), (1, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((2, 3), (2, 3, 2)),
    ((2, 2, 3), (3, 2)),
    ((3, 1, 2, 2), (2, 2, 3)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
    ((0, 2, 3), (3, 2)),
)
MIXED: tuple[tuple[Layout, Layout], ...] = (
    ("transposed", "whole"),
    ("whole", "transposed"),
    ("transposed", "transposed"),
    ("stepped", "expanded"),
    ("expanded", "stepped"),
    ("foreign", "foreign"),
    ("flipped", "whole"),
    ("whole", "flipped"),
)


def _samples(dtype: DType) -> Iterator[Sample]:
    for seed, (a, b) in enumerate(PAIRS):
        yield sample(MatMul(), draw(dtype, *a, seed=seed), draw(dtype, *b, seed=seed + 100))
    for first, second in MIXED:
        x, y = draw(dtype, 3, 4), draw(dtype, 4, 2, seed=1)
        yield Sample(MatMul(), (Operand(x, first), Operand(y, second)))
        x, y = draw(dtype, 2, 3, 3), draw(dtype, 2, 3, 3, seed=1)
        yield Sample(MatMul(), (Operand(x, first), Operand(y, second)))
    large = draw(dtype, 40, 70, high=1.0), draw(dtype, 70, 30, seed=1, high=1.0)
    yield sample(MatMul(), *large, kind="kink")
    if dtype.is_floating_point:
        x = np.array([[1, 2], [np.inf, 1], [np.nan, 0], [0, -0.0], [np.inf, -np.inf]])
        y = np.array([[1, 0, np.inf], [1, 2, np.nan]])
        yield sample(MatMul(), x.astype(dtype.numpy), y.astype(dtype.numpy), kind="extreme")
    else:
        limits = extremes(dtype)
        yield sample(MatMul(), limits[None], limits[:, None], kind="extreme")


ROWS = (
    Row("matmul", NUMBERS, _samples, lambda op, x, y: np.matmul(x, y),
        lambda torch, op, x, y: torch.matmul(x, y),
        Tolerance("some tens of products near one, added in any order", 4, 64), True, halves=ONCE),
)  # fmt: skip
