"""Comparisons, bits and the choice between two operands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from graphc.ir.dtype import DType
from graphc.ops import elementwise as ops
from graphc.testing.operands import Array, Operand, draw, extremes
from graphc.testing.samples import ANY, Range, binary, unary
from graphc.testing.table import ALL, BOOL, EXACT, INTEGERS, Row, Sample

SHIFTS = Range(least=0, most=7)


def _two(op: type[ops.Elementwise], function: Callable[[Array, Array], Array], torch: str,
         *dtypes: DType) -> Row:  # fmt: skip
    return Row(
        op.name,
        dtypes or ALL,
        binary(op()),
        lambda op, x, y: function(x, y),
        lambda module, op, x, y: getattr(module, torch)(x, y),
    )


def _shift(op: type[ops.Elementwise], function: Callable[[Array, Array], Array], torch: str) -> Row:
    return Row(
        op.name,
        INTEGERS,
        binary(op(), ANY, SHIFTS, _small_shift),
        lambda op, x, y: function(x, y),
        lambda module, op, x, y: getattr(module, torch)(x, y),
    )


def _small_shift(x: Array, y: Array) -> Array:
    """Further shifts than the type has bits have no meaning in C."""
    return (y >= 0) & (y.astype(np.int64) < 8 * x.dtype.itemsize - 1)


def _where(dtype: DType) -> Iterator[Sample]:
    shapes: tuple[tuple[tuple[int, ...], ...], ...] = (
        ((), (), ()),
        ((3, 4), (3, 4), (3, 4)),
        ((3, 1), (1, 4), ()),
        ((4,), (2, 3, 4), (3, 1)),
        ((2, 3, 4), (4,), (4,)),
        ((0, 3), (1, 3), (0, 3)),
    )
    for seed, (a, b, c) in enumerate(shapes):
        yield _choice(draw(BOOL[0], *a, seed=seed), draw(dtype, *b), draw(dtype, *c, seed=seed))
    x, y, z = draw(BOOL[0], 3, 4), draw(dtype, 3, 4), draw(dtype, 3, 4, seed=9)
    op = ops.Where()
    yield Sample(op, (Operand(x, "transposed"), Operand(y, "stepped"), Operand(z, "expanded")))
    yield Sample(op, (Operand(x, "expanded"), Operand(y, "foreign"), Operand(z[0, 0], "number")))
    yield Sample(op, (Operand(x), Operand(y[0, 0], "number"), Operand(z, "flipped")))
    limits = extremes(dtype)
    mask = np.arange(limits.size) % 2 == 0
    yield Sample(op, (Operand(mask), Operand(limits), Operand(limits[::-1].copy())), "extreme")


def _choice(*arrays: Array) -> Sample:
    return Sample(ops.Where(), tuple(Operand(x) for x in arrays))


ROWS = (
    _two(ops.Lt, np.less, "lt"),
    _two(ops.Le, np.less_equal, "le"),
    _two(ops.Eq, np.equal, "eq"),
    _two(ops.Ne, np.not_equal, "ne"),
    _two(ops.And, lambda x, y: x & y, "bitwise_and", *BOOL, *INTEGERS),
    _two(ops.Or, lambda x, y: x | y, "bitwise_or", *BOOL, *INTEGERS),
    _two(ops.Xor, lambda x, y: x ^ y, "bitwise_xor", *BOOL, *INTEGERS),
    Row("not", (*BOOL, *INTEGERS), unary(ops.Not()), lambda op, x: ~x,
        lambda torch, op, x: torch.bitwise_not(x)),
    _shift(ops.ShiftLeft, lambda x, y: x << y, "bitwise_left_shift"),
    _shift(ops.ShiftRight, lambda x, y: x >> y, "bitwise_right_shift"),
    Row("where", ALL, _where, lambda op, c, x, y: np.where(c, x, y),
        lambda torch, op, c, x, y: torch.where(c, x, y), EXACT, True, signed_zeros=True),
)  # fmt: skip
