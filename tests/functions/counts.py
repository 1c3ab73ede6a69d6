"""Calls of functions that count and choose by how often something stands."""

from __future__ import annotations

from tests.functions.calls import Call, b, call, each, f16, f32, f64, i64, numbers

NAN, INF = float("nan"), float("inf")
FEW = numbers([1.0, 2.0, 3.0, 4.0, 4.0])

COUNTS: dict[str, list[Call]] = {
    "mode": [
        *each(i64(7), i64(3, 9), b(2, 5), f64(4), f64(), f32(0, 2), f32(2, 0), f32(0)),
        call(i64(4, 9), 0),
        call(i64(4, 9), 0, True),
        call(i64(2, 3, 9), -2, keepdim=True),
        call(f64(2, 3), 2),
        call(numbers([3.0, 1.0, 1.0, 2.0, 3.0])),
        call(numbers([[2.0, 2.0, 1.0, 1.0], [5.0, 4.0, 3.0, 2.0]], "float64"), 1),
        call(f32(), 0, True),
    ],
    "histc": [
        *each(f64(40), f32(3, 9), f32(0), f32(), i64(3), f16(30), FEW),
        call(f64(50), 7),
        call(f32(50), bins=7, min=-1, max=1),
        call(FEW, 4),
        call(FEW, 4, 2, 4),
        call(FEW, 4, 2.5, 2.5),
        call(FEW, 4, 3, 2),
        call(FEW, 0),
        call(FEW, -2),
        call(FEW, 4, 0, INF),
        call(FEW, 4, NAN, 1),
        call(numbers([1.0, 1.0]), 4),
        call(numbers([1.0, 1.0]), 4, 2, 2),
        call(numbers([0.0, NAN, INF, 1.0]), 4, 0, 1),
        call(numbers([0.0, NAN]), 4, says=False),
        call(numbers([0.0, INF]), 4, says=False),
    ],
}
