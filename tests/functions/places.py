"""Calls that read and write where tensors of integers or truth values say."""

from __future__ import annotations

from math import inf, nan

from tests.functions.calls import (
    Call,
    Operand,
    b,
    call,
    f16,
    f32,
    f64,
    i32,
    i64,
    numbers,
    u8,
)


def at(values: object) -> Operand:
    """Positions."""
    return numbers(values, "int64")


def short(values: object) -> Operand:
    """Positions of 32 bits."""
    return numbers(values, "int32")


NOWHERE = Operand("int64", (0,))
ROW, PAIR = at([[0, 1, 0]]), at([[0, 1, 0], [1, 1, 0]])
MASK = numbers([[True, False, True], [False, True, True]], "bool")

READS: dict[str, list[Call]] = {
    "gather": [
        call(f64(2, 3), 0, ROW),
        call(f64(2, 3), 1, at([[2], [0]])),
        call(f64(2, 3), -1, at([[2, 2, 0, 1], [0, 0, 0, 1]])),
        call(f64(2, 3, 2), 1, at([[[0, 2]]])),
        call(f64(2, 3), dim=0, index=PAIR),
        call(f64(2, 3), 0, PAIR, sparse_grad=False),
        call(f32(2, 3), 0, short([[0, 1, 0]])),
        call(i64(2, 3), 0, ROW),
        call(b(2, 3), 0, ROW),
        call(f16(2, 3), 0, ROW),
        call(f64(2, 3), 0, u8(0)),
        call(f64(2, 3), 0, u8(2, 3)),
        call(f64(), 0, at(0)),
        call(f64(), 0, at([0])),
        call(f64(), -1, at([0, 0])),
        call(f64(2, 3), 0, Operand("int64", (0, 3))),
        call(f64(2, 3), 0, NOWHERE),
        call(f64(0, 3), 0, Operand("int64", (0, 2))),
        call(f64(2, 3), 0, at([[0, 2, 0]])),
        call(f64(2, 3), 0, at([[0, -1, 0]])),
        call(f64(2, 3), 0, at([0, 1])),
        call(f64(2, 3), 0, Operand("int64", (3, 4), 0, 1)),
        call(f64(2, 3), 1, Operand("int64", (3, 1), 0, 1)),
        call(f64(2, 3), 0, f32(1, 3)),
        call(f64(2, 3), 0, u8(1, 3)),
        call(f64(2, 3), 2, ROW),
        call(f64(2, 3), 0, 1),
        call(f64(2, 3), 0),
    ],
    "take_along_dim": [
        call(f64(2, 3), ROW, 0),
        call(f64(2, 3), at([[2], [0]]), 1),
        call(f64(2, 3), at([[1]]), 1),
        call(f64(1, 3), at([[0], [0], [0]]), 1),
        call(f64(2, 3), at([[0, -1, 0]]), 0),
        call(f64(2, 3), at([0, 5, -1])),
        call(f64(2, 3), at([[0, 5], [1, 1]])),
        call(f64(2, 3), indices=ROW, dim=0),
        call(f64(), at(0), 0),
        call(f64(2, 3), short([[0, 1, 0]]), 0),
        call(f64(2, 3), at([0]), 0),
        call(f64(2, 3), at([0, 9])),
        call(f64(2, 3), ROW, 2),
        call(i64(2, 3), ROW, 0),
    ],
    "index_select": [
        call(f64(2, 3), 0, at([0, 1, 1])),
        call(f64(2, 3), 1, at([2, 0])),
        call(f64(2, 3, 2), -2, short([2, 0])),
        call(f64(2, 3), dim=0, index=at([1])),
        call(f64(2, 3), 0, at(1)),
        call(f64(), 0, at([0])),
        call(f64(), 0, at(0)),
        call(i64(4), 0, at([3, 3])),
        call(b(4), 0, at([3, 0])),
        call(f64(2, 3), 0, NOWHERE),
        call(f64(2, 0), 1, NOWHERE),
        call(f64(2, 3), 0, at([0, 5])),
        call(f64(2, 3), 0, at([0, -1])),
        call(f64(2, 3), 0, at([[0, 1]])),
        call(f64(2, 3), 0, f32(2)),
        call(f64(2, 3), 2, at([0])),
        call(f64(2, 3), 0, 1),
        call(f64(2, 3), at([0]), 0),
    ],
    "take": [
        call(f64(2, 3), at([0, -1, 5, 0])),
        call(f64(2, 3), at([[1, 2], [3, 3]])),
        call(f64(2, 3), at(4)),
        call(f64(), at([0, 0])),
        call(i64(4), index=at([1])),
        call(f64(2, 3), NOWHERE),
        call(f64(0), NOWHERE),
        call(f64(0), at([0])),
        call(f64(2, 3), at([6])),
        call(f64(2, 3), at([-7])),
        call(f64(2, 3), short([0])),
    ],
}

WRITES: dict[str, list[Call]] = {
    "index_add": [
        call(f64(3, 2), 0, at([0, 2, 0]), f64(3, 2)),
        call(f64(3, 2), 1, at([1]), f64(3, 1)),
        call(f64(3, 2), -1, at([1, 0]), f64(3, 2), alpha=0.5),
        call(f64(3, 2), dim=0, index=at([1]), source=f64(1, 2)),
        call(i64(3), 0, at([0, 0]), i64(2), alpha=2),
        call(i64(3), 0, at([0, 0]), i64(2), alpha=0.5),
        call(f32(3), 0, short([0, 0]), f32(2)),
        call(b(3), 0, at([0, 0]), b(2)),
        call(f64(), 0, at([0]), f64(1)),
        call(f64(), 0, at(0), f64()),
        call(f64(3, 2), 0, NOWHERE, f64(0, 2)),
        call(f64(3, 2), 0, at([0, 5]), f64(2, 2)),
        call(f64(3, 2), 0, at([0, -1]), f64(2, 2)),
        call(f64(3, 2), 0, at([0, 1]), f64(3, 2)),
        call(f64(3, 2), 0, at([0, 1]), f64(2, 3)),
        call(f64(3, 2), 0, at([[0, 1]]), f64(2, 2)),
        call(f64(3, 2), 0, at([0, 1]), f32(2, 2)),
        call(f64(3, 2), 0, f32(2), f64(2, 2)),
        call(f64(3, 2), 2, at([0]), f64(1, 2)),
        call(f64(3, 2), 0, at([0]), 1.0),
    ],
    "index_copy": [
        call(f64(3, 2), 0, at([0, 2]), f64(2, 2)),
        call(f64(3, 2), 1, at([1]), f64(3, 1)),
        call(f64(3, 2), -1, at([1, 0]), f64(3, 2)),
        call(f64(3, 2), dim=0, index=at([1]), source=f64(1, 2)),
        call(i64(3), 0, at([2, 0]), i64(2)),
        call(b(3), 0, at([2, 0]), b(2)),
        call(f64(), 0, at([0]), f64(1)),
        call(f64(3), 0, at(1), f64()),
        call(f64(3, 2), 0, NOWHERE, f64(0, 2)),
        call(f64(3, 2), 0, at([0, 5]), f64(2, 2)),
        call(f64(3, 2), 0, at([0, 1]), f64(3, 2)),
        call(f64(3, 2), 0, at([0, 1]), f64(2, 3)),
        call(f64(3, 2), 0, at([[0, 1]]), f64(2, 2)),
        call(f64(3, 2), 0, at([0, 1]), f32(2, 2)),
        call(f64(3, 2), 0, short([0, 1]), f64(2, 2)),
        call(f64(3, 2), 0, at([0]), f64(2)),
        call(f64(3, 2), 2, at([0]), f64(1, 2)),
    ],
    "index_fill": [
        call(f64(3, 2), 0, at([0, 2]), 9.0),
        call(f64(3, 2), 1, at([-1]), -1),
        call(f64(3, 2), -1, at([1, 0]), f64()),
        call(f64(3, 2), dim=0, index=at([1]), value=2.0),
        call(f64(3, 2), 0, at(1), 3.0),
        call(i64(3), 0, at([0]), 2.5),
        call(i64(3), 0, at([0]), 2),
        call(b(3), 0, at([0]), True),
        call(f64(), 0, at([0]), 1.0),
        call(f64(3, 2), 0, NOWHERE, 1.0),
        call(f64(3, 2), 0, at([5]), 1.0),
        call(f64(3, 2), 0, at([[0]]), 1.0),
        call(f64(3, 2), 0, short([0]), 1.0),
        call(f64(3, 2), 0, at([0]), f64(1)),
        call(f64(3, 2), 2, at([0]), 1.0),
        call(f64(3, 2), 0, at([0]), "one"),
    ],
    "put": [
        call(f64(2, 3), at([0, -1]), f64(2)),
        call(f64(2, 3), at([[1, 2]]), f64(2, 1)),
        call(f64(2, 3), at([1, 1, 2]), f64(3), True),
        call(f64(2, 3), index=at([1]), source=f64(1), accumulate=True),
        call(i64(4), at([1]), i64(1)),
        call(f64(2, 3), NOWHERE, f64(0)),
        call(f64(2, 3), at([0, 9]), f64(2)),
        call(f64(2, 3), at([0, 1]), f64(3)),
        call(f64(2, 3), short([0]), f64(1)),
        call(f64(2, 3), at([0]), f32(1)),
    ],
    "masked_scatter": [
        call(f64(2, 3), MASK, f64(4)),
        call(f64(2, 3), MASK, f64(2, 3)),
        call(f64(2, 3), numbers([True, False, True], "bool"), f64(5)),
        call(f64(3), MASK, f64(6), in_place=False),
        call(i64(2, 3), MASK, i64(4)),
        call(f64(2, 3), mask=MASK, source=f64(4)),
        call(f64(2, 3), numbers(False, "bool"), f64(0)),
        call(f64(2, 3), MASK, f64(3)),
        call(f64(2, 3), MASK, f32(4)),
        call(f64(2, 3), u8(2, 3), f64(6)),
        call(f64(2, 3), numbers([True, False], "bool"), f64(5), in_place=False),
    ],
}

SCATTERED = [
    call(f64(2, 3), 0, ROW, f64(1, 3)),
    # PyTorch has no gradient of a source that is larger than the index.
    call(f64(3, 3), 0, at([[0, 1, 2]]), f64(2, 3).fixed),
    call(f64(2, 3), 1, at([[2], [0]]), f64(2, 1)),
    call(f64(2, 3), -1, at([[2, 1], [0, 1]]), f64(2, 3).fixed),
    call(f64(2, 3), dim=0, index=ROW, src=f64(1, 3)),
    call(i64(2, 3), 0, ROW, i64(1, 3)),
    call(f16(2, 3), 0, ROW, f16(1, 3)),
    call(f32(2, 3), 0, short([[0, 1, 0]]), f32(1, 3)),
    call(f64(), 0, at(0), f64()),
    call(f64(), 0, at([0]), f64(1)),
    call(f64(2, 3), 0, Operand("int64", (0, 3)), f64(1, 3)),
    call(f64(2, 3), 0, NOWHERE, f64(1, 3).fixed),
    call(f64(2, 3), 0, at([[0, 2, 0]]), f64(1, 3)),
    call(f64(2, 3), 0, at([[0, -1, 0]]), f64(1, 3)),
    call(f64(2, 3), 0, at([[0, 1, 0, 1]]), f64(1, 4)),
    call(f64(2, 3), 0, ROW, f64(1, 2)),
    call(f64(2, 3), 0, at([0, 1]), f64(2)),
    call(f64(2, 3), 0, ROW, f64(3)),
    call(f64(2, 3), 0, ROW, f32(1, 3)),
    call(f64(2, 3), 0, f32(1, 3), f64(1, 3)),
    call(f64(2, 3), 2, ROW, f64(1, 3)),
]
REDUCED = [
    call(x, 0, index, src, name, **settings)
    for name in ("sum", "prod", "mean", "amax", "amin")
    for settings in ({}, {"include_self": False})
    for x, index, src in (
        (f64(3), at([0, 0, 2]), f64(3)),
        (f32(2, 3), PAIR, f32(2, 3)),
        (i64(3), at([0, 0, 0, 2]), i64(4)),
        (numbers([2.0, 0.0, 3.0], "float64"), at([0, 0, 1]), numbers([0.0, 5.0, 4.0], "float64")),
    )
] + [
    # Left out, PyTorch still gives a part of the gradient to what equals the extreme.
    call(numbers([1.0, 1.0, 3.0]), 0, at([0, 0, 2]), numbers([1.0, 2.0, 3.0]), name)
    for name in ("sum", "prod", "mean", "amax", "amin")
]

SCATTERING: dict[str, list[Call]] = {
    "scatter": [
        *SCATTERED,
        call(f64(2, 3), 0, ROW, 5.0),
        call(f64(2, 3), 0, ROW, value=5),
        call(i64(2, 3), 0, ROW, 5),
        call(i64(2, 3), 0, ROW, 5.5),
        call(b(2, 3), 0, ROW, True),
        call(f64(2, 3), 0, at([[0, 2, 0]]), 5.0),
        call(f64(2, 3), 0, at([[0], [0]]), 1.5, reduce="add", in_place=False),
        call(f64(2, 3).fixed, 0, ROW, f64(1, 3).fixed, reduce="add"),
        call(f64(2, 3).fixed, 0, ROW, f64(1, 3).fixed, reduce="multiply"),
        call(f64(2, 3).fixed, 0, ROW, 2.0, reduce="multiply"),
        call(f64(2, 3).fixed, 0, ROW, value=2.0, reduce="add"),
        call(f64(2, 3).fixed, 0, ROW, 2.0, reduce="mean"),
        call(f64(2, 3), 0, ROW),
        call(f64(2, 3), 0, ROW, "five"),
    ],
    "scatter_add": [
        *SCATTERED,
        call(f64(3), 0, at([1, 1, 1]), f64(3)),
        call(b(3), 0, at([1, 1, 1]), b(3)),
        call(f64(3), 0, at([1, 1]), 2.0),
    ],
    "scatter_reduce": [
        *REDUCED,
        *[Call((*c.args, "sum"), c.kwargs) for c in SCATTERED if not c.kwargs],
        call(f64(3), 0, at([0, 0]), f64(2), reduce="amax", include_self=True),
        call(numbers([nan, 1.0, 2.0]).fixed, 0, at([0, 1]), numbers([3.0, nan]).fixed, "amax"),
        call(numbers([inf, 1.0, 2.0]).fixed, 0, at([0, 1]), numbers([3.0, -inf]).fixed, "mean"),
        call(f64(3), 0, at([0, 0]), f64(2), "median"),
        call(f64(3), 0, at([0, 0]), f64(2)),
        call(i32(3), 0, at([0, 0]), i32(2), "prod"),
        call(b(3), 0, at([0, 0]), b(2), "amax"),
    ],
}
