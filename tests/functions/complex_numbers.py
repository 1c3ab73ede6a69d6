"""Calls of what makes complex numbers of real ones and takes them apart."""

from __future__ import annotations

from tests.functions.calls import Call, b, c64, c128, call, each, f16, f32, f64, i64

COMPLEX: dict[str, list[Call]] = {
    "complex": [
        call(f64(2, 3), f64(2, 3)),
        call(f32(2, 1), f32(3)),
        call(f64(), f64()),
        call(f64(2), f32(2), says=False),
        call(i64(2), i64(2)),
        call(f64(2), f64(3), says=False),
    ],
    "polar": [
        call(f64(2, 3).within(0.1, 2), f64(2, 3)),
        call(f32(2, 1).within(0.1, 2), f32(3)),
        call(f64(2), f32(2), says=False),
        call(i64(2), i64(2)),
    ],
    "real": each(c128(2, 3), c64(), f64(3), i64(2)),
    "imag": each(c128(2, 3), c64(), f64(3)),
    "view_as_real": each(c128(2, 3), c64(), c128(0), f64(3)),
    "view_as_complex": each(f64(3, 2), f32(2), f64(0, 2), f64(3), f64(), i64(2), f64(2, 3)),
    "conj": each(c128(2, 3), c64(), f64(3), i64(2), b(2)),
    "conj_physical": [*each(c128(2, 3), c64(), i64(2)), call(f64(3), in_place=False)],
    "resolve_conj": each(c128(2, 3), f64(3)),
    "resolve_neg": each(c128(2, 3), f64(3)),
    "angle": [*each(c128(2, 3), c64(), f64(3), f32(), i64(3)), *each(f16(3), b(2), says=False)],
}
