"""Calls of functions that replace parts, and that combine slices."""

from __future__ import annotations

from typing import Any

from tests.functions.calls import Call, Operand, call, f32, f64, i64, numbers, u8

MATRIX = f64(3, 4)


def at(values: Any, dtype: str = "int64") -> Operand:
    return numbers(values, dtype)


REPLACEMENTS: dict[str, list[Call]] = {
    "select_scatter": [
        call(MATRIX, f64(4), 0, 1),
        call(MATRIX, f64(3), 1, -1),
        call(f64(2, 3, 4), f64(2, 4), dim=-2, index=0),
        call(MATRIX, f32(4), 0, 1),
        call(i64(2, 3), u8(3), 0, 1),
        call(MATRIX, f64(4), 0, 5),
        call(MATRIX, f64(4), 3, 0),
        call(MATRIX, f64(2), 0, 1),
        call(f64(), f64(), 0, 0),
    ],
    "slice_scatter": [
        call(MATRIX, f64(1, 4), 0, 1, 2),
        call(MATRIX, f64(3, 2), 1, 0, 4, 2),
        call(MATRIX, f64(3, 2), 1, -2),
        call(MATRIX, f64(3, 1), 1, 3, 100),
        call(MATRIX, f64(3, 0), 1, 3, 1),
        call(MATRIX, MATRIX),
        call(MATRIX, i64(3, 4)),
        call(MATRIX, f64(3, 2), dim=1, start=1, end=-1, step=1),
        call(MATRIX, f64(3, 3), 1, -2),
        call(MATRIX, MATRIX, 1, step=-1),
        call(MATRIX, MATRIX, 2),
    ],
    "diagonal_scatter": [
        call(MATRIX, f64(3)),
        call(MATRIX, f64(3), 1),
        call(MATRIX, f64(2), -1),
        call(f64(2, 3, 4), f64(3, 2), 0, 0, 2),
        call(f64(2, 3, 4), f64(4, 2), offset=1, dim1=-2, dim2=0),
        call(MATRIX, f64(2)),
        call(MATRIX, f64(3), 0, 0, 0),
        call(MATRIX, f64(3), 0, 0, 2),
    ],
    "as_strided_scatter": [
        # PyTorch's gradient of the first operand is that of the places which are written.
        call(MATRIX.fixed, f64(2, 2), (2, 2), (1, 2)),
        call(MATRIX.fixed, f64(2, 2), (2, 2), (1, 3), 2),
        call(f64(6).fixed, f64(3), size=[3], stride=[2], storage_offset=1),
        call(MATRIX, f64(2, 3), (2, 2), (1, 2)),
        call(MATRIX, f64(2, 2), (2, 2), (9, 9)),
        call(MATRIX, f64(2, 2), (2, 2), (1,)),
        call(MATRIX, f64(2, 2), (2, 2), (-1, 1)),
        call(MATRIX, f64(2, 2), (-2, 2), (1, 1)),
    ],
    "narrow_copy": [
        call(MATRIX, 0, 1, 2),
        call(MATRIX.fixed, 1, -1, 1),
        call(MATRIX, dim=-1, start=0, length=4),
        call(MATRIX, 0, 1, 5),
    ],
    "index_reduce": [
        *[
            call(MATRIX, 0, at([0, 2, 0]), MATRIX, reduce, include_self=own)
            for reduce in ("prod", "mean", "amax", "amin")
            for own in (True, False)
        ],
        call(MATRIX, 1, at([3, 1]), f64(3, 2), "prod"),
        call(MATRIX, -1, at([3, 1], "int32"), f64(3, 2), reduce="amax"),
        call(f64(5), 0, at([4, 4, 1]), f64(3), "mean"),
        call(f64(5), 0, at(4), f64(1), "amin"),
        call(i64(5), 0, at([4, 4, 1]), i64(3), "mean"),
        call(i64(5), 0, at([4, 4, 1]), i64(3), "amax", include_self=False),
        call(MATRIX, 0, at([0, 2, 0]), MATRIX, "sum"),
        call(MATRIX, 0, at([0, 2]), MATRIX, "prod"),
        call(MATRIX, 1, at([0, 2]), MATRIX, "prod"),
        call(MATRIX, 0, f64(3), MATRIX, "prod"),
        call(MATRIX, 0, at([[0, 1, 2]]), MATRIX, "prod"),
        call(MATRIX, 0, at([0, 1, 2]), f32(3, 4), "prod"),
        call(MATRIX, 0, at([0, 1, 7]), MATRIX, "prod"),
        call(MATRIX, 0, at([0, 1, -1]), MATRIX, "prod"),
        call(MATRIX, 5, at([0, 1, 2]), MATRIX, "prod"),
    ],
}
