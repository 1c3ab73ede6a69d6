"""Calls of reductions."""

from __future__ import annotations

from math import inf, nan

from tests.functions.calls import (
    Call,
    DTypeNamed,
    b,
    bf16,
    call,
    each,
    f16,
    f32,
    f64,
    i32,
    i64,
    numbers,
    u8,
)

HOLES = numbers([[1.0, nan, 3.0], [nan, -2.0, 0.5]])
TIES = numbers([[1.0, 2.0, 2.0], [0.0, -1.0, 0.0]])
ZEROS = numbers([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 4.0]], "float64")
F32, F64, I32, BOOL = (DTypeNamed(name) for name in ("float32", "float64", "int32", "bool"))

SHAPES = [
    call(f32(2, 3)),
    call(f64(2, 3, 4), 1),
    call(f64(2, 3, 4), -1, True),
    call(f32(2, 3), dim=0, keepdim=True),
    call(f16(5)),
    call(bf16(2, 5), 1),
    call(f32()),
    call(f32(), 0),
    call(f32(), -1, True),
    call(f32(2, 3), 2),
    call(f32(2, 3), -3),
    call(HOLES),
    call(HOLES, 1),
]
SEVERAL = [
    call(f64(2, 3, 4), (0, 2)),
    call(f32(2, 3, 4), [-1, 0], True),
    call(f32(2, 3), (1, 1)),
    call(f32(2, 3), (0, 5)),
]
EMPTY = [call(f32(0)), call(f32(0, 3), 0), call(f32(0, 3), 1), call(f32(2, 0, 3), 1, True)]
COUNTED = [call(i64(2, 3)), call(i32(4), 0), call(u8(3)), call(b(2, 3), 1)]
ALL = [call(f64(2, 3), ()), call(f32(2, 3), None), call(f32(2, 3), None, True)]

SPREAD: list[Call] = [
    *SHAPES,
    *SEVERAL,
    # PyTorch's gradient takes no dimensions for one element, and is infinite.
    call(f64(2, 3).fixed, ()),
    *ALL[1:],
    call(f64(2, 3), False),
    call(f64(2, 3), 1, False),
    call(f64(2, 3), 1, True, True),
    call(f64(2, 3), dim=1, correction=0),
    call(f64(2, 3), dim=1, correction=2, keepdim=True),
    call(f64(4), unbiased=False),
    call(f64(2, 3), correction=0),
    call(f64(2, 4), dim=(0, 1), unbiased=False),
    call(numbers([[2.0, 2.0], [1.0, 3.0]]), 1),
    call(i64(3), says=False),
]

EXTREMES: list[Call] = [
    *SHAPES,
    call(TIES),
    call(TIES, 1),
    call(TIES, 0, True),
    call(i64(2, 3)),
    call(i64(2, 3), 1),
    call(b(2, 3), 1),
    call(u8(4)),
    call(f32(0)),
    call(f32(0, 3), 1),
    call(f32(2, 0), 1),
    call(numbers([nan, 1.0, inf])),
    call(numbers([-inf, -inf])),
]

REDUCTIONS: dict[str, list[Call]] = {
    "sum": [
        *SHAPES,
        *SEVERAL,
        *EMPTY,
        *COUNTED,
        *ALL,
        call(f32(2, 3), dtype=F64),
        call(i64(3), dtype=F32),
        call(f32(4), dtype=I32),
        call(f32(2, 3), 1, dtype=F64),
        call(f64(2, 3), axis=1),
        call(f64(2, 3), axis=1, keepdims=True),
    ],
    "nansum": [*SHAPES, *SEVERAL, *COUNTED[:2], call(f32(2, 3), dtype=F64)],
    "mean": [
        *SHAPES,
        *SEVERAL,
        *ALL,
        call(i64(3)),
        call(b(3)),
        call(i64(3), dtype=F32),
        call(f32(3), dtype=F64),
        call(f32(0)),
        call(f32(2, 0), 1),
        call(f64(2, 3), axis=0),
    ],
    "nanmean": [*SHAPES, *SEVERAL, call(f32(2, 3), dtype=F64), call(i64(3), says=False)],
    "prod": [
        *SHAPES,
        *EMPTY,
        *COUNTED,
        call(ZEROS),
        call(ZEROS, 1),
        call(ZEROS, 0, True),
        call(f32(3), dtype=F64),
        call(i64(3), dtype=F32),
    ],
    "var": SPREAD,
    "std": SPREAD,
    "var_mean": SPREAD,
    "std_mean": SPREAD,
    "norm": [
        call(f64(2, 3)),
        call(f64(2, 3), 1),
        call(f64(2, 3), 3),
        call(f64(2, 3), inf),
        call(f64(2, 3), -inf),
        call(f64(2, 3).fixed, 0),
        call(f64(2, 3), 2, 1),
        call(f64(2, 3), p=2, dim=-1, keepdim=True),
        call(f64(2, 3), p="fro", dim=(0, 1)),
        call(f64(2, 3, 4), dim=(0, 2)),
        call(f64(2, 3), 0.5),
        call(f32(2, 3), dim=0),
        call(numbers([[0.0, 0.0], [3.0, 4.0]]), dim=1),
        call(numbers([0.0, 0.0])),
        call(numbers([[0.0, 0.0], [3.0, 4.0]]), 1, 1),
        call(f16(4)),
        call(i64(3), says=False),
        call(f32(3), dtype=F64),
    ],
    "dist": [call(f64(3), f64(3)), call(f64(2, 3), f64(3), 1), call(f64(3), f64(3), p=3)],
    "logsumexp": [
        call(f64(2, 3), 1),
        call(f64(2, 3), -1, True),
        call(f64(2, 3, 4), (0, 2)),
        call(f32(2, 3), dim=0),
        call(f16(4), 0),
        call(f32(), 0),
        call(numbers([[inf, 1.0], [-inf, -inf], [1000.0, 999.0]]).fixed, 1),
        call(i64(3), 0),
        call(f32(2, 0), 0),
        call(f32(2, 0), 1),
    ],
    "max": [*EXTREMES, call(f64(2, 3), f64(3)), call(i64(3), f32(3)), call(f64(3), other=f64(3))],
    "min": [*EXTREMES, call(f64(2, 3), f64(3)), call(i64(3), f32(3)), call(f64(3), other=f64(3))],
    "amax": [*EXTREMES, *SEVERAL, *ALL[:1]],
    "amin": [*EXTREMES, *SEVERAL, *ALL[:1]],
    "aminmax": [
        call(f64(2, 3)),
        call(f64(2, 3), dim=1),
        call(f32(2, 3), dim=-1, keepdim=True),
        call(i64(3)),
        call(TIES, dim=1),
        call(TIES),
        call(HOLES),
        call(f32()),
        call(f32(0)),
    ],
    "argmax": [*EXTREMES, call(f32(2, 3), None, True), call(f32(2, 3), keepdim=True)],
    "argmin": [*EXTREMES, call(f32(2, 3), None, True), call(f32(2, 3), keepdim=True)],
    "any": [*SHAPES, *SEVERAL, *EMPTY, *COUNTED, *ALL, call(numbers([0.0, nan]))],
    "all": [*SHAPES, *SEVERAL, *EMPTY, *COUNTED, *ALL, call(numbers([0.0, nan]))],
    "count_nonzero": [
        *each(f32(2, 3), b(4), HOLES, f32(), f32(0)),
        call(i64(2, 3), 1),
        call(i64(2, 3), (0, 1)),
        call(i64(2, 3), dim=-1),
    ],
    "median": [
        *each(f64(5), f64(2, 3), f32(4), i64(5), f32(), HOLES),
        call(f64(2, 3), 1),
        call(f64(2, 4), -1, True),
        call(HOLES, 1),
        call(f32(), 0),
        call(f32(2, 0), 1),
    ],
    "nanmedian": [
        *each(f64(5), f64(2, 3), f32(4), i64(5), f32(), HOLES),
        call(f64(2, 3), 1),
        call(f64(2, 4), -1, True),
        call(HOLES, 1),
        call(HOLES, 0),
    ],
}
