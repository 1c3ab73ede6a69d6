"""What the samples of elementwise primitives have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from graphc.ir.dtype import DType
from graphc.ir.node import Op
from graphc.ir.types import Shape
from graphc.testing.operands import LAYOUTS, Array, Layout, Operand, distinct, draw, extremes
from graphc.testing.table import Sample

SHAPES: tuple[Shape, ...] = ((), (1,), (0, 3), (2, 1, 5))
PAIRS: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((3, 4), (3, 4)),
    ((3, 1), (1, 4)),
    ((4,), (2, 3, 4)),
    ((2, 3), ()),
    ((0, 3), (1, 3)),
)
MIXED: tuple[tuple[Layout, Layout], ...] = (
    ("transposed", "whole"),
    ("stepped", "expanded"),
    ("foreign", "transposed"),
    ("flipped", "flipped"),
    ("whole", "number"),
    ("number", "stepped"),
)


@dataclass(frozen=True)
class Range:
    """From where ordinary operands are taken: floats and integers, each to before the second."""

    low: float = -2.0
    high: float = 2.0
    least: int = -9
    most: int = 10
    spaced: bool = False
    """Whether floats keep off integers and halves, where a function may jump."""

    def draw(self, dtype: DType, shape: Shape, seed: int) -> Array:
        """An array of ordinary operands."""
        if dtype.category == 1:
            least = self.least if dtype.is_signed else max(0, self.least)
            return draw(dtype, *shape, low=least, high=self.most, seed=seed)
        if self.spaced and dtype.category == 2:
            return distinct(dtype, *shape, seed=seed)
        return draw(dtype, *shape, low=self.low, high=self.high, seed=seed)


ANY = Range()
Allowed = Callable[..., Array]
"""Given arrays of extreme operands, which of them have a meaning."""


def _of_shape(x: Array, layout: Layout) -> Operand:
    return Operand(x.reshape(-1)[:1].reshape(()) if layout == "number" else x, layout)


def unary(
    op: Op, range: Range = ANY, allowed: Allowed | None = None
) -> Callable[[DType], Iterable[Sample]]:
    """Samples of an op of one operand."""

    def samples(dtype: DType) -> Iterator[Sample]:
        for seed, shape in enumerate(SHAPES):
            yield Sample(op, (Operand(range.draw(dtype, shape, seed)),))
        for seed, layout in enumerate(LAYOUTS, 10):
            yield Sample(op, (_of_shape(range.draw(dtype, (3, 4), seed), layout),))
        x = extremes(dtype)
        yield Sample(op, (Operand(x if allowed is None else x[allowed(x)]),), "extreme")

    return samples


def binary(
    op: Op,
    range: Range = ANY,
    second: Range | None = None,
    allowed: Allowed | None = None,
) -> Callable[[DType], Iterable[Sample]]:
    """Samples of an op of two operands of one type."""
    other = second or range

    def samples(dtype: DType) -> Iterator[Sample]:
        for seed, (a, b) in enumerate(PAIRS):
            x, y = range.draw(dtype, a, seed), other.draw(dtype, b, seed + 100)
            yield Sample(op, (Operand(x), Operand(y)))
        for seed, (first, last) in enumerate(MIXED, 10):
            x, y = range.draw(dtype, (3, 4), seed), other.draw(dtype, (3, 4), seed + 100)
            yield Sample(op, (_of_shape(x, first), _of_shape(y, last)))
        yield grid(op, dtype, allowed)

    return samples


def grid(op: Op, dtype: DType, allowed: Allowed | None = None, unlike: str = "") -> Sample:
    """Every extreme number with every other."""
    numbers = extremes(dtype)
    x, y = (a.reshape(-1) for a in np.meshgrid(numbers, numbers, indexing="ij"))
    if allowed is not None:
        keep = allowed(x, y)
        x, y = x[keep], y[keep]
    return Sample(op, (Operand(x), Operand(y)), "extreme", unlike)


spaced = partial(Range, spaced=True)
