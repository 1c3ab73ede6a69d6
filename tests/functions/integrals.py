"""Calls of integrals and derivatives of samples."""

from __future__ import annotations

from tests.functions.calls import Call, b, call, each, f16, f32, f64, i64, numbers

MATRIX = f64(3, 4)
PLACES = numbers([0.0, 1.0, 3.0, 3.5], "float64")
INTEGRALS: dict[str, list[Call]] = {
    "trapezoid": [
        *each(MATRIX, f64(4), i64(5), f32(1), f64(0), f16(5), b(3), f64(2, 0)),
        call(MATRIX, dx=2),
        call(MATRIX, dx=0.5, dim=0),
        call(MATRIX, f64(4)),
        call(MATRIX, x=f64(3, 4)),
        call(MATRIX, f64(3, 1), dim=0),
        call(MATRIX, f64(3), dim=0),
        call(f64(2, 3, 4), f64(3, 4)),
        call(MATRIX, i64(4)),
        call(i64(4), f64(4)),
        call(MATRIX, f64(3)),
        call(MATRIX, f64(2, 3, 4), says=False),
        call(MATRIX, b(4)),
        call(MATRIX, f64(4), dx=2),
        call(MATRIX, 2),
        call(MATRIX, dim=4),
    ],
    "cumulative_trapezoid": [
        *each(MATRIX, f64(4), i64(5), f32(1), f64(0), b(3)),
        call(MATRIX, dx=2, dim=0),
        call(MATRIX, f64(4)),
        call(MATRIX, x=f64(3, 4), dim=-2),
        call(MATRIX, f64(3)),
        call(MATRIX, f64(4), dx=2),
    ],
    "gradient": [
        call(f64(5), spacing=None, dim=None),
        *each(f64(4), MATRIX, i64(5), f64(), f16(5), f64(2, 3, 4)),
        call(MATRIX, dim=0),
        call(MATRIX, dim=(0, 1), spacing=2.0),
        call(MATRIX, dim=[-1]),
        call(MATRIX, spacing=(2.0, 3.0)),
        call(MATRIX, spacing=2),
        call(MATRIX, spacing=[2, 3]),
        call(MATRIX, spacing=(PLACES,), dim=1),
        call(MATRIX, spacing=[PLACES], dim=-1, edge_order=2),
        call(f64(4, 4), spacing=(PLACES, PLACES)),
        call(MATRIX, edge_order=2),
        call(f64(2, 3)),
        call(MATRIX, spacing=(2.0, 3.0), dim=1),
        call(MATRIX, spacing=(2.0, 3.0, 4.0)),
        call(MATRIX, spacing=f64(4)),
        call(MATRIX, edge_order=3),
        call(f64(1, 4)),
        call(f64(2, 4), edge_order=2),
        call(MATRIX, dim=5),
        call(MATRIX, dim=(0, 0)),
    ],
}
INTEGRALS["trapz"] = INTEGRALS["trapezoid"]
