"""Calls of comparison, logic and functions of one number."""

from __future__ import annotations

from tests.functions.calls import Call, b, call, each, f32, f64, i32, i64, numbers, u8
from tests.functions.pointwise import BINARY, COUNTS, INTEGER_PAIRS, SPECIAL, TIES, unary

COMPARED = [*BINARY, call(SPECIAL, SPECIAL), call(TIES, 2.0), call(i64(3), 0.5), call(u8(3), -1)]
BITS = [
    *INTEGER_PAIRS[:-1],
    call(i64(3), 3),
    call(u8(3), 5),
    call(b(3), True),
    call(b(3), 2),
    call(i32(3), True),
    call(f32(3), f32(3)),
    call(i64(3), 1.5, says=False),
    call(3, i64(3)),
]
SHIFTS = [
    call(numbers([1, 2, -8], dtype), numbers([0, 3, 2], dtype))
    for dtype in ("int64", "int32", "int8")
] + [
    call(numbers([1, 2, 200], "uint8"), numbers([0, 3, 2], "uint8")),
    call(i64(3), 2),
    call(i32(3), i64(3).within(0, 4)),
    call(2, i64(3).within(0, 4)),
    call(numbers([1, -5], "int32"), numbers([40, 40], "int32")),
    call(numbers([1, -5], "int32"), numbers([-1, -1], "int32")),
]
TRUTHS = [
    call(f32(3), f32(3)),
    call(b(2, 3), b(3)),
    call(i64(3).within(0, 1), f32(3)),
    call(SPECIAL, numbers(0.0)),
    call(u8(3), b(3)),
]
COMPARISONS: dict[str, list[Call]] = {
    **{name: COMPARED for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    **{
        name: [call(f32(3), 0.5), call(i64(3), i64(3))]
        for name in ("less", "less_equal", "greater", "greater_equal", "not_equal")
    },
    **{name: TRUTHS for name in ("logical_and", "logical_or", "logical_xor")},
    **{name: BITS for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    "bitwise_left_shift": SHIFTS,
    "bitwise_right_shift": SHIFTS,
    "logical_not": unary(),
    "bitwise_not": each(*COUNTS, b(3), f32(3)),
    **{
        name: unary()
        for name in ("isnan", "isinf", "isposinf", "isneginf", "isfinite", "isreal", "signbit")
    },
    "isclose": [
        call(f32(3), f32(3)),
        call(SPECIAL, SPECIAL),
        call(SPECIAL, SPECIAL, equal_nan=True),
        call(f64(2, 3), f64(3), rtol=0.5, atol=0.1),
        call(i64(3), i64(3)),
        call(i64(3), i64(3), 0.5, 1.0),
        call(f32(3), f64(3)),
        call(b(3), b(3)),
        call(numbers([1.0, 1.0]), numbers([1.000001, 1.1])),
    ],
}

TRANSCENDENTAL: dict[str, list[Call]] = {
    name: unary()
    for name in [
        "exp",
        "exp2",
        "expm1",
        "sin",
        "cos",
        "tan",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "sigmoid",
        "erf",
        "erfc",
        "relu",
    ]
}
TRANSCENDENTAL |= {
    name: unary(0.1, 3.0)
    for name in ["log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal"]
}
TRANSCENDENTAL |= {name: unary(-0.9, 0.9) for name in ("asin", "acos", "erfinv")}
TRANSCENDENTAL |= {
    "lgamma": unary(0.2, 4.0, rounding=4.0),
    "digamma": unary(0.2, 4.0, rounding=4.0),
    "asinh": unary(),
    "acosh": unary(1.1, 3.0),
    "atanh": unary(-0.9, 0.9),
}
TRANSCENDENTAL |= {
    name: each(f32(3).within(low, high))
    for name, low, high in (
        ("arcsin", -0.9, 0.9),
        ("arccos", -0.9, 0.9),
        ("arctan", -2, 2),
        ("arcsinh", -2, 2),
        ("arccosh", 1.1, 3),
        ("arctanh", -0.9, 0.9),
    )
}
