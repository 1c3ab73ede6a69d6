"""Calls of arithmetic and of functions of several numbers."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

from tests.functions.calls import (
    Call,
    Operand,
    b,
    bf16,
    call,
    each,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    numbers,
    u8,
)

SPECIAL = numbers([0.0, -0.0, inf, -inf, nan, 1.0, -1.0, 2.5, -2.5, 1e-30, 1e30])
SPECIAL_64 = numbers([0.0, -0.0, inf, -inf, nan, 0.5, -0.5, 1.5, -1e-200, 1e200], "float64")
ROWS = numbers([[0.0, 1.0, -1.0, nan, inf], [-0.0, 3.0, 0.5, 2.0, -inf]])
TIES = numbers([[1.0, 2.0, 2.0], [0.0, -1.0, 3.0]])
COUNTS = [i64(4), i32(2, 2), i8(3), u8(5)]
KINDS = [f32(2, 3), f64(3), f16(4), bf16(4), f32(), f32(0), f32(2, 0, 3)]

PAIRS = [
    call(f32(2, 3), f32(2, 3)),
    call(f64(2, 3), f64(3)),
    call(f32(2, 1, 3), f32(4, 1)),
    call(f32(2, 3), f64(3)),
    call(f32(2, 3), f64()),
    call(f32(), f64(2)),
    call(f32(), f64()),
    call(f16(3), bf16(3)),
    call(f16(3), f16(3)),
    call(bf16(2, 2), f32(2)),
    call(f32(3), i64(3)),
    call(f16(3), i64(3)),
    call(f16(3), f32()),
    call(i64(3), f32()),
    call(f32(0, 3), f32(3)),
    call(f32(2, 0), f32(1, 1)),
    call(f32(2, 3), f32(2)),
    call(f32(2, 3), f32(4, 3)),
]
INTEGER_PAIRS = [
    call(i64(3), i64(3)),
    call(i32(3), i64(3)),
    call(u8(3), i8(3)),
    call(u8(3), i16(3)),
    call(i32(2, 3), i64()),
    call(b(4), b(4)),
    call(b(4), u8(4)),
    call(b(3), i64()),
    call(b(3), f32(3)),
]
NUMBERS = [
    call(f32(2, 3), 2),
    call(f32(2, 3), 1.5),
    call(f64(3), -1.5),
    call(f64(3), True),
    call(f16(3), 0.1),
    call(bf16(3), 3),
    call(i64(3), 2),
    call(i64(3), 2.5),
    call(i32(3), 3),
    call(u8(3), 4),
    call(i64(3), True),
    call(b(3), 2),
    call(b(3), 1.5),
    call(b(3), True),
    call(f32(3), nan),
    call(f32(), 2.0),
    call(SPECIAL, 2.0),
    call(SPECIAL, 0.0),
    call(f32(3), "word", says=False),
    call(f32(3), None, says=False),
]
BINARY = [*PAIRS, *INTEGER_PAIRS, *NUMBERS]


def tame(calls: list[Call], low: float, high: float) -> list[Call]:
    """The calls with the numbers of all operands within bounds; uint8 as it is where they are."""

    def fit(x: object) -> object:
        if isinstance(x, Operand) and x.values is None:
            return x.within(max(low, 0) if x.dtype == "uint8" else low, high)
        return x

    return [
        Call(tuple(map(fit, c.args)), c.kwargs, c.says, c.rounding)
        for c in calls
        if all(x.values is None for x in c.args if isinstance(x, Operand))
    ]


def fixed(calls: list[Call]) -> list[Call]:
    """The calls without gradients."""
    return [
        replace(c, args=tuple(x.fixed if isinstance(x, Operand) else x for x in c.args))
        for c in calls
    ]


def unary(low: float = -2.0, high: float = 2.0, **settings: Any) -> list[Call]:
    """Calls with one operand of each kind, floats from ``low`` to ``high``."""
    floats = [x.within(low, high) for x in KINDS]
    return each(*floats, *COUNTS, b(3), SPECIAL, SPECIAL_64, **settings)


POSITIVE = [c for c in tame(BINARY, 1, 3) if c.args != (b(3), True)]
DIVISIONS = [
    *tame(PAIRS, 1, 5),
    *tame(INTEGER_PAIRS, 1, 5),
    *[c for c in NUMBERS[:-2] if c.args[1] == c.args[1]],
]
SIGNS = [
    call(numbers([7, -7, 7, -7], dtype), numbers([3, 3, -3, -3], dtype))
    for dtype in ("int64", "int8", "float32", "float64", "float16")
]
BY_ZERO = [
    call(numbers([1.0, -1.0, 0.0, nan, inf]), numbers(0.0)),
    call(numbers([5.0, -5.0, 0.0]), numbers([inf, -inf, inf])),
]

ARITHMETIC: dict[str, list[Call]] = {
    "add": [*BINARY, call(f32(3), f32(3), alpha=2), call(i64(3), i64(3), alpha=3)],
    "sub": [*BINARY, call(f32(3), 2.0, alpha=0.5), call(i64(3), i64(3), alpha=0.5)],
    "subtract": [call(f64(2, 3), f64(3)), call(f32(3), 1)],
    "rsub": [call(f64(2, 3), f64(3)), call(f32(3), 1), call(i64(3), 2.5), call(f32(3), 2, alpha=3)],
    "mul": BINARY,
    "multiply": [call(f64(2, 3), f64(3)), call(f32(3), 2)],
    "div": [
        *BINARY,
        *BY_ZERO,
        *[
            Call(c.args, {"rounding_mode": mode})
            for mode in ("floor", "trunc")
            for c in (*SIGNS, *BY_ZERO, *DIVISIONS)
        ],
        call(f32(3), f32(3), rounding_mode="up"),
    ],
    "divide": [call(f64(2, 3), f64(3)), call(i64(3), 2), call(i64(3), 2, rounding_mode="floor")],
    "true_divide": [call(f64(2, 3), f64(3)), call(i64(3), 2)],
    "floor_divide": fixed([*DIVISIONS, *SIGNS, *BY_ZERO, call(f32(3), 0.1)]),
    "remainder": [*DIVISIONS, *SIGNS, *BY_ZERO, call(i64(4), -3), call(f32(4), -0.7)],
    "fmod": [*DIVISIONS, *SIGNS, *BY_ZERO, call(i64(4), -3), call(f32(4), -0.7)],
    "pow": [
        *POSITIVE,
        *[call(f64(4), exponent) for exponent in (0, 1, 2, 3, 0.5, -1, -2, 0.0, 2.5)],
        *[call(SPECIAL, exponent) for exponent in (0, 0.5, 1, 2, 3, -1, -0.5)],
        call(i64(4), -1),
        call(i64(4), 2),
        call(numbers([0.0, 2.0]), numbers([0.0, 0.0])),
        call(numbers([0.0, 0.0, 0.0]), numbers([2.0, 1.0, -1.0])),
        call(numbers([2, 3], "int64"), numbers([3, -1], "int64")),
        call(numbers([1, -1, 2, 0], "int64"), numbers([-1, -3, -2, 0], "int64")),
        call(2.0, f64(3)),
        call(2, i64(3).within(0, 5)),
        call(0.0, numbers([0.0, 1.0, 2.0])),
        call(1, f32(3)),
    ],
    "float_power": [
        call(f64(3).within(1, 2), 2),
        call(f64(3).within(1, 2), i64(3)),
        call(f32(3).within(1, 2), 2),
        call(i64(3), 2.0),
        call(f32(3).within(1, 2), f32(3).within(1, 2)),
    ],
    "square": unary(),
    "neg": unary(),
    "negative": each(f32(3)),
    "abs": unary(),
    "absolute": each(f32(3), i64(3)),
    "sign": unary(),
    "sgn": each(f32(3), i64(3), b(2)),
    "floor": unary(),
    "ceil": unary(),
    "trunc": unary(),
    "fix": each(f32(3)),
    "round": [
        *unary(),
        *each(numbers([0.5, 1.5, 2.5, -0.5, -1.5])),
        call(f64(5), decimals=2),
        call(f32(5).within(-200, 200), decimals=-1),
        call(i64(4), decimals=1, says=False),
    ],
    "frac": [*each(*KINDS, SPECIAL), call(i64(3))],
    "clamp": [
        call(f32(2, 3), -1, 1),
        call(f64(5), min=0.0),
        call(f64(5), max=0.5),
        call(f32(3), f32(3), f32(3)),
        call(f32(2, 3), min=f32(3)),
        call(f32(2, 3), max=f32(2, 1)),
        call(i64(4), -2, 2),
        call(i64(4), 0.5),
        call(i64(4), min=-1.5, max=1.5),
        call(u8(4), 2, 5),
        call(f16(4), -0.5, 0.5),
        call(TIES, 0.0, 2.0),
        call(SPECIAL, -1.0, 1.0),
        call(SPECIAL, nan),
        call(f32(3), min=2, max=1),
        call(f32(3)),
        call(f32(3), f64(3), f64(3)),
        call(b(3), 0, 1),
    ],
    "clip": [call(f32(4), -1, 1), call(i64(4), min=0)],
    "clamp_min": [call(f32(4), 0), call(f64(4), f64(4)), call(i64(4), 1), call(f32(2, 3), f32(3))],
    "clamp_max": [call(f32(4), 0), call(f64(4), f64(4)), call(i64(4), 1.5)],
    "lerp": [
        call(f64(3), f64(3), 0.25),
        call(f64(3), f64(3), 0.75),
        call(f64(2, 3), f64(3), f64(2, 1).within(0, 1)),
        call(f32(3), f32(3), f32().within(0, 1)),
        call(f32(3), f64(3), 0.5),
        call(i64(3), i64(3), 0.5),
    ],
    "addcmul": [
        call(f64(3), f64(3), f64(3)),
        call(f32(2, 3), f32(2, 1), f32(3), value=0.5),
        call(i64(3), i64(3), i64(3), value=2),
        call(f32(3), i64(3), f32(3)),
    ],
    "addcdiv": [
        call(f64(3), f64(3), f64(3)),
        call(f32(2, 3), f32(2, 1), f32(3).within(1, 2), value=0.5),
        call(i64(3), i64(3), i64(3)),
    ],
    "atan2": [
        *PAIRS,
        *INTEGER_PAIRS[:6],
        call(SPECIAL, numbers(1.0)),
        call(SPECIAL, numbers(-0.0)),
    ],
    "arctan2": [call(f64(3), f64(3))],
    "hypot": [*PAIRS[:6], call(f16(3), f16(3)), call(i64(3), i64(3))],
    "copysign": [
        *PAIRS,
        *NUMBERS[:6],
        call(SPECIAL, numbers(-0.0)),
        call(i64(3), i64(3)),
        call(f32(3), -0.0),
    ],
    "nextafter": [call(f32(3).fixed, f32(3).fixed), call(f64(3).fixed, f64().fixed)],
    "gcd": [
        call(i64(4), i64(4)),
        call(i32(2, 3), i32(3)),
        call(u8(4), u8(4)),
        call(f32(3), f32(3)),
    ],
    "lcm": [
        call(i64(4), i64(4)),
        call(i32(2, 3), i32(3)),
        call(u8(4), u8(4)),
        call(f32(3), f32(3)),
    ],
    "logaddexp": [
        *PAIRS[:6],
        call(SPECIAL, numbers(inf)),
        call(SPECIAL, numbers(-inf)),
        call(f32(3), f32(3)),
    ],
    "logaddexp2": [*PAIRS[:6], call(f32(3), f32(3))],
    "maximum": [
        *PAIRS,
        *INTEGER_PAIRS,
        call(SPECIAL, numbers(nan)),
        call(TIES, numbers(2.0)),
        call(f32(3), 1.0),
    ],
    "minimum": [*PAIRS, *INTEGER_PAIRS, call(SPECIAL, numbers(nan)), call(TIES, numbers(2.0))],
    "fmax": [*PAIRS, *INTEGER_PAIRS, call(SPECIAL, numbers(nan)), call(TIES, numbers(2.0))],
    "fmin": [*PAIRS, *INTEGER_PAIRS, call(SPECIAL, numbers(nan)), call(TIES, numbers(2.0))],
    "i0": each(SPECIAL, SPECIAL_64, f64(3).within(-20, 20), *KINDS, i64(3), b(2)),
    "polygamma": [
        # PyTorch's first derivative of digamma ends its series early.
        *(call(n, f64(4).within(0.1, 9), rounding=10 if n < 2 else 1) for n in range(5)),
        *(call(n, f32(4).within(0.1, 9), rounding=10) for n in (0, 1, 3)),
        call(2, SPECIAL_64, rounding=100),
        call(3, i64(3)),
        call(1, f16(3)),
        call(-1, f64(3)),
    ],
    "mvlgamma": [
        call(f64(4).within(2, 9), 3),
        call(f32(4).within(2, 9), p=1),
        call(i64(2).within(5, 9), 2, in_place=False),
        call(f64(3).within(2, 9), 0),
    ],
    "frexp": [
        *each(SPECIAL, SPECIAL_64, *KINDS, i64(3)),
        call(numbers([1.0, 0.5, 0.49999997, 0.99999994, 2.0, 1e-40, 3e38, -8.0, 7.9999995])),
        call(numbers([5e-324, 1e-310, 1.7e308, 2.0**52, -(2.0**-60)], "float64")),
    ],
    "ldexp": [
        call(f64(3), i64(3).within(0, 4)),
        call(f32(3), f32(3)),
        # PyTorch's message calls the result's type ldexp.
        call(i64(3), i64(3), in_place=False),
    ],
    "heaviside": [
        call(SPECIAL.fixed, numbers(0.5)),
        call(f64(3).fixed, f64(3).fixed),
        call(i64(3), i64(3)),
        call(f32(3), f64(3)),
    ],
    "xlogy": [
        *tame(PAIRS, 0.5, 2),
        call(f32(3), 2.0),
        call(2.0, f32(3).within(1, 2)),
        call(numbers([0.0, 0.0, 0.0, 1.0]).fixed, numbers([0.0, nan, inf, -1.0]).fixed),
        call(numbers([0.0, 0.0, 1.0]), numbers([0.0, 2.0, 3.0]).fixed),
        call(i64(3).within(1, 4), i64(3).within(1, 4)),
    ],
    "logit": [
        *each(*[x.within(0.1, 0.9) for x in KINDS], i64(3)),
        call(numbers([-0.5, 0.0, 0.3, 1.0, 1.5]), 0.1),
        call(numbers([-0.5, 0.0, 0.3, 1.0, 1.5])),
        call(numbers([0.0, 0.3, 1.0]), eps=1e-6),
    ],
    "sinc": [*unary(), *each(numbers([0.0, 1.0, 0.5], "float64"))],
    "deg2rad": unary(),
    "rad2deg": unary(),
    "nan_to_num": [
        *unary(),
        call(SPECIAL, 1.0, 2.0, -2.0),
        call(SPECIAL_64, nan=3.0),
        call(i64(3), 1.0),
    ],
    "clone": unary(),
}
ARITHMETIC |= {
    "where": [
        call(b(3), f32(3), f32(3)),
        call(b(2, 3), f64(3), f64(2, 1)),
        call(b(3), f32(3), 0.0),
        call(b(3), 1, f32(3)),
        call(b(3), 1.0, 2.0),
        call(b(3), 1, 2),
        call(b(3), 1, 2.5),
        call(b(3), i64(3), 2.5),
        call(b(3), i64(3), f32(3)),
        call(b(3), f32(3), f64()),
        call(b(), f32(3), f32(3)),
        call(i64(3), f32(3), f32(3)),
        call(b(2), f32(3), f32(3)),
        call(b(3), True, False),
    ],
    "masked_fill": [
        call(f32(2, 3), b(2, 3), 0.0),
        call(f64(2, 3), b(3), -inf),
        call(f64(2, 3), b(2, 1), f64()),
        call(i64(3), b(3), 7),
        call(i64(3), b(3), 7.0),
        call(i64(3), b(3), 7.5),
        call(b(3), b(3), True),
        call(f32(3), b(2, 3), 1.0),
        call(f32(3), i64(3), 1.0),
        call(f32(3), u8(3), 1.0),
        call(f32(3), b(3), f32(3)),
        call(f32(3), b(3), True),
    ],
    "fill": [
        call(f32(2, 3), 1.5),
        call(f32(2, 3).fixed, f32()),
        call(i64(3), 2),
        call(i64(3), 2.7),
        call(f32(3), f32(3)),
        call(b(3), 2),
        call(f64(2).fixed, f32()),
    ],
    "zero": each(f32(2, 3), i64(3), b(2), f32()),
    "copy": [
        call(f32(2, 3), f32(3)),
        call(f64(2), f32(2)),
        call(i64(3), f32(3)),
        call(f32(3), f32(2)),
    ],
}
