"""Calls of activations, and of what is made of lengths."""

from __future__ import annotations

from math import inf, nan
from typing import Any

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
    i64,
    numbers,
    u8,
)

F64 = DTypeNamed("float64")
EDGES = numbers([-inf, -200.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, 200.0, inf, nan])
KINDS = [f32(2, 3), f64(3), f16(4), bf16(4), f32(), f32(0), i64(4), b(3), EDGES]


def wide(**settings: Any) -> list[Call]:
    """Calls with one operand of each kind, over a wide range."""
    return each(*[x.within(-5, 5) if x.floating and x.values is None else x for x in KINDS],
                **settings)  # fmt: skip


TRUE_WRITE = [call(f32(3), inplace=True), call(i64(3), inplace=True)]

ACTIVATIONS: dict[str, list[Call]] = {
    "relu": [*wide(), call(f64(3).fixed, True), call(f64(3).fixed, inplace=True), call(u8(3))],
    "relu6": [*wide(), call(f64(3).fixed, True)],
    "hardtanh": [
        *wide(),
        call(f64(5), -0.5, 0.8),
        call(f64(5), min_val=0, max_val=1),
        call(f64(5), 1.0, -1.0),
        call(f64(5).fixed, -0.5, 0.5, True),
        call(i64(5), -2.0, 2.0),
    ],
    "leaky_relu": [*wide(), call(f64(5), 0.2), call(f64(5), negative_slope=-1), call(EDGES, 0.0)],
    "elu": [*wide(), call(f64(5), 0.7), call(f64(5), alpha=-1.0), call(f64(5).fixed, 1.0, True)],
    "selu": [*wide(), call(f64(5).fixed, inplace=True)],
    "celu": [*wide(), call(f64(5), 1.3), call(f64(5), alpha=0.0), call(f64(5), alpha=-0.7)],
    "gelu": [
        *wide(),
        *wide(approximate="tanh"),
        call(f64(3), approximate="sigmoid"),
        call(f64(3), "tanh"),
    ],
    "silu": [*wide(), call(f64(5).fixed, True)],
    "mish": [*wide(), call(f64(5).fixed, True)],
    "softplus": [
        *wide(),
        call(f64(5), 2.0, 1.5),
        call(f64(5), beta=0.5),
        call(f64(5), threshold=0),
        call(EDGES, 3.0),
        call(f64(5), 0.0),
    ],
    "softsign": [x for x in wide() if x.args[0] != b(3)],
    "hardswish": [*wide(), call(f64(5).fixed, True)],
    "hardsigmoid": [*wide(), call(f64(5).fixed, True)],
    "logsigmoid": wide(),
    "tanhshrink": wide(),
    "threshold": [
        call(f64(5), 0.1, 20.0),
        call(f64(5), threshold=0.1, value=-1),
        call(EDGES, 0.5, 1.0),
        call(f16(5), 0.1, 20.0),
        call(i64(5), 1, 9),
        call(i64(5), 1.5, 9.5),
        call(f64(5).fixed, 0.1, 20.0, True),
        call(f64(5)),
        call(f64(5), 1.0),
    ],
    "hardshrink": [*wide(), call(f64(5), 1.3), call(f64(5), lambd=0), call(EDGES, 1.0)],
    "softshrink": [*wide(), call(f64(5), 0.3), call(f64(5), lambd=-1.0), call(EDGES, 1.0)],
    "glu": [
        *each(f64(4), f64(3, 4), f16(2, 4), f32(0, 2), f32(), f64(3), i64(4)),
        call(f64(4, 3), 0),
        call(f64(4, 3), dim=-2),
        call(f64(4, 3), 2),
        call(numbers([[nan, 1.0, 2.0, inf], [inf, -inf, -inf, nan]])),
    ],
    "prelu": [
        call(f64(2, 3), f64(1)),
        call(f64(2, 3), f64(3)),
        call(f64(2, 3, 4), f64(3)),
        call(f64(), f64(1)),
        call(f64(4), f64()),
        call(f64(2, 3), weight=f64(3)),
        call(f16(2, 3), f16(3)),
        call(f64(2, 3), f64(2)),
        call(f64(3), f64(3)),
        call(f64(2, 3), f64(1, 3)),
        call(f64(2, 3), f32(3)),
        call(EDGES, numbers([0.25])),
    ],
    "sigmoid": each(f64(3), f16(3), i64(3), b(2)),
    "tanh": each(f64(3), f16(3), i64(3), b(2)),
}

SOFT = [
    call(f64(2, 3), 1),
    call(f64(2, 3), dim=0),
    call(f64(2, 3, 4), -2),
    call(f16(2, 5), 1),
    call(bf16(2, 5), 1),
    call(bf16(2, 5), 0),
    call(f32(), 0),
    call(f32(), -1),
    call(f32(0), 0),
    call(f32(0, 3), 1),
    call(f32(2, 0), 1),
    call(f32(2, 3), 2),
    call(i64(3), 0),
    call(i64(2, 3), 0),
    call(i64(3), 0, dtype=F64),
    call(f32(3), 0, dtype=F64),
    call(numbers([[inf, 1.0], [-inf, -inf], [nan, 0.0], [1e4, 9999.0]]), 1),
    call(f32(3), 0.0),
    call(f32(3), "dim"),
]

SOFTMAXES: dict[str, list[Call]] = {
    "softmax": [*SOFT, call(f32(3), 0, F64), call(f32(3)), call(f32(3), 0, 1)],
    "log_softmax": [*SOFT, call(f32(3), 0, F64), call(f32(3))],
}
IMPLIED = [
    *SOFT,
    call(f64(3)),
    call(f64(2, 3)),
    call(f64(2, 3, 4)),
    call(f64(2, 3, 2, 2)),
    call(f32(3), 0, 3, F64),
]

LENGTHS: dict[str, list[Call]] = {
    "normalize": [
        call(f64(3, 4)),
        call(f64(3, 4), 1, 0),
        call(f64(3, 4), 3.0, dim=-1),
        call(f64(3, 4), p=inf, dim=0),
        call(f64(2, 3, 4), dim=(1, 2)),
        call(f64(4), dim=0),
        call(f64(4)),
        call(f16(2, 4)),
        call(f32(0, 3)),
        call(numbers([[0.0, 0.0], [3.0, 4.0]])),
        call(numbers([[0.0, 0.0], [3.0, 4.0]]), eps=1.0),
        call(numbers([[inf, 1.0], [nan, 4.0]]).fixed),
        call(i64(2, 3)),
    ],
    "cosine_similarity": [
        call(f64(2, 4, 3), f64(1, 1, 3), dim=-2),
        call(f64(4, 3), f64(3), dim=0),
        call(f64(), f64(), dim=0),
        call(f64(3, 4), f64(3, 4)),
        call(f64(3, 4), f64(3, 4), 0),
        call(f64(3, 4), f64(1, 4), dim=-1),
        call(f64(4), f64(4), 0),
        call(f64(4), f64(4)),
        call(x1=f64(3, 4), x2=f64(3, 4), dim=1, eps=0.1),
        call(f32(3, 4), f64(3, 4)),
        call(f16(3, 4), f16(3, 4)),
        call(i64(3, 4), f32(3, 4)),
        call(i64(3, 4), i64(3, 4)),
        call(numbers([[0.0, 0.0]]).fixed, numbers([[1.0, 0.0]]).fixed),
        call(f64(3, 4), f64(3, 5)),
    ],
    "pairwise_distance": [
        call(f64(3, 4), f64(3, 4)),
        call(f64(3, 4), f64(4)),
        call(f64(4), f64(4)),
        call(f64(3, 4), f64(3, 4), 1),
        call(f64(3, 4), f64(3, 4), 1.0, 0.0, True),
        call(f64(3, 4), f64(3, 4), p=3.5, eps=0.1, keepdim=True),
        call(f64(3, 4), f64(3, 4), inf),
        # Without a derivative PyTorch leaves no gradient at all.
        call(f64(3, 4).fixed, f64(3, 4).fixed, 0.0),
        call(f64(3, 4), f64(3, 5)),
        call(f32(3, 4), f64(3, 4)),
        call(x1=f64(2, 2), x2=f64(2, 2)),
        call(i64(3, 4), i64(3, 4)),
    ],
}

FUNCTIONAL_ACTIVATIONS: dict[str, list[Call]] = {
    **ACTIVATIONS,
    "softmax": IMPLIED,
    "log_softmax": IMPLIED,
    "softmin": IMPLIED,
    **{f"{name}_": ACTIVATIONS[name][:1] for name in ("relu", "hardtanh", "leaky_relu")},
    **{f"{name}_": ACTIVATIONS[name][:1] for name in ("elu", "selu", "celu", "threshold")},
    **LENGTHS,
}
