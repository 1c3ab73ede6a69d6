"""Calls of losses."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from tests.functions.calls import Call, Operand, b, bf16, call, f16, f32, f64, i64, numbers

X, Y = f64(3, 4), f64(3, 4)
SHARES, SIGNS = f64(3, 4).within(0.1, 0.9), numbers([[1.0, -1.0], [-1.0, 1.0]], "float64")
PICKED = numbers([1, 0, 3], "int64")
REDUCTIONS = ("mean", "sum", "none")


def reduced(*args: Any, **settings: Any) -> list[Call]:
    """The call with each reduction."""
    return [call(*args, reduction=name, **settings) for name in REDUCTIONS]


def plain(x: Operand, y: Operand, **settings: Any) -> list[Call]:
    """What all losses of two operands of one shape are called with."""
    low, high = x.low, x.high
    short = f16(3).within(low, high), f16(3).within(y.low, y.high)
    single = f32(3).within(low, high), f32(3).within(y.low, y.high)
    return [
        *reduced(x, y, **settings),
        call(x, y.fixed, **settings),
        call(x, y, None, None, **settings) if not settings else call(x, y, **settings),
        call(x, y, size_average=False, **settings),
        call(x, y, reduce=False, **settings),
        call(*single, **settings),
        call(*short, **settings),
        call(f64().within(low, high), f64().within(y.low, y.high), **settings),
        call(f32(0), f32(0), **settings),
        call(x, y, reduction="most", **settings),
    ]


DISTANCES: dict[str, list[Call]] = {
    "mse_loss": [
        *plain(X, Y),
        call(f64(3, 4), f64(4)),
        call(f64(3, 4), f64(3)),
        call(f32(3), f64(3)),
        call(i64(3), i64(3)),
        call(X, Y, weight=f64(3, 4).fixed),
    ],
    "l1_loss": [
        *plain(X, Y),
        call(f64(3, 4), f64(4)),
        call(f32(3), f64(3)),
        call(i64(3), i64(3), reduction="sum"),
        call(X, Y, weight=f64(3, 4).fixed),
    ],
    "smooth_l1_loss": [
        *plain(X, Y),
        *reduced(X, Y, beta=0.5),
        call(X, Y, beta=0.0),
        call(X, Y, beta=-1.0),
        call(f64(3, 4), f64(4)),
        call(f32(3), f64(3)),
        call(i64(3), i64(3)),
    ],
    "huber_loss": [
        *reduced(X, Y),
        *reduced(X, Y, delta=0.5),
        call(X, Y, "sum", 2.0),
        call(X, Y, delta=0.0),
        call(f64(3, 4), f64(4)),
        call(f16(3), f16(3)),
        call(i64(3), i64(3)),
        call(X, Y, weight=f64(3, 4).fixed),
    ],
    "binary_cross_entropy": [
        *reduced(SHARES, SHARES),
        *reduced(SHARES, SHARES, weight=f64(3, 4).fixed),
        call(SHARES, SHARES, f64(4).fixed),
        call(SHARES, SHARES.fixed, None, False),
        call(numbers([0.0, 1.0, 0.5]).fixed, numbers([0.0, 0.0, 1.0]).fixed),
        call(numbers([0.0, 1.0, 0.5]), numbers([1.0, 0.0, 1.0]).fixed),
        call(SHARES, f64(4).within(0.1, 0.9)),
        call(SHARES, f32(3, 4).within(0.1, 0.9)),
        call(f16(3).within(0.1, 0.9), f16(3).within(0.1, 0.9)),
        call(SHARES, SHARES, reduction="most"),
    ],
    "binary_cross_entropy_with_logits": [
        *reduced(X, SHARES),
        *reduced(X, SHARES, weight=f64(4).fixed),
        *reduced(X, SHARES, pos_weight=f64(4).fixed),
        call(X, SHARES, f64(3, 1).fixed, pos_weight=f64(3, 4).fixed),
        call(numbers([-inf, -200.0, 0.0, 200.0, nan]), numbers([0.0, 1.0, 1.0, 0.0, 1.0])),
        call(X, f64(4)),
        call(f16(3), f16(3)),
        call(bf16(3), bf16(3)),
        call(X, SHARES, reduction="most"),
        call(i64(3), i64(3)),
        call(f64(3), f32(3)),
        call(f32(3), f16(3)),
        call(f32(3), i64(3)),
        call(f32(3), b(3)),
    ],
    "kl_div": [
        *reduced(X, SHARES),
        *reduced(X, X, log_target=True),
        call(X, SHARES, reduction="batchmean"),
        call(X, SHARES, size_average=False),
        call(numbers([0.0, -1.0]), numbers([0.0, 1.0]).fixed),
        call(f64(3, 4), f64(4).within(0.1, 0.9)),
        call(f16(3), f16(3).within(0.1, 0.9), reduction="sum"),
        call(i64(3), i64(3), reduction="sum"),
    ],
    "poisson_nll_loss": [
        call(i64(3), i64(3)),
        call(i64(3), i64(3), reduction="none"),
        *reduced(X, Y.within(0, 4)),
        *reduced(X.within(0.1, 3), Y.within(0, 4), log_input=False),
        *reduced(X, Y.within(0, 4), full=True),
        call(X, Y.within(0, 4), True, False, None, 1e-3),
        call(X, Y.within(0, 4), reduction="most"),
        call(f32(3), f32(3)),
    ],
    "gaussian_nll_loss": [
        call(f64(4, 3), f64(4, 3), f64(1, 3).within(0.5, 2)),
        call(f64(4, 3), f64(4, 3), f64(1, 1).within(0.5, 2)),
        *reduced(X, Y, SHARES),
        *reduced(X, Y, SHARES, full=True),
        call(X, Y, f64(3).within(0.1, 0.9)),
        call(X, Y, f64(3, 1).within(0.1, 0.9)),
        call(X, Y, 0.5),
        call(X, Y, numbers([[0.0]] * 3, "float64").fixed, eps=0.1),
        call(X, Y, -0.5),
        call(X, Y, f64(4).within(0.1, 0.9)),
        call(X, Y, SHARES, reduction="most"),
    ],
}

PAIRED: dict[str, list[Call]] = {
    "hinge_embedding_loss": [
        *reduced(f64(2, 2), SIGNS.fixed),
        *reduced(f64(2, 2), SIGNS.fixed, margin=0.5),
        call(f64(2, 2), SIGNS.fixed, 0.5, False),
        call(f64(2, 2), SIGNS.fixed, reduction="most"),
    ],
    "soft_margin_loss": [
        *reduced(f64(2, 2), SIGNS.fixed),
        call(f64(2, 2), SIGNS),
        call(f16(2), f16(2).fixed),
        call(f64(2, 2), f64(2)),
        call(f64(2, 2), SIGNS.fixed, reduction="most"),
    ],
    "margin_ranking_loss": [
        *reduced(f64(2, 2), f64(2, 2), SIGNS.fixed),
        *reduced(f64(2, 2), f64(2, 2), SIGNS.fixed, margin=0.5),
        call(f64(2, 2), f64(2, 2), f64(2)),
        call(f64(2, 2), f64(2, 2), SIGNS.fixed, reduction="most"),
    ],
    "cosine_embedding_loss": [
        call(i64(2, 3), i64(2, 3), numbers([1, -1], "int64"), reduction="none"),
        *reduced(f64(2, 3), f64(2, 3), numbers([1, -1], "int64")),
        *reduced(f64(2, 3), f64(2, 3), numbers([1, -1], "int64"), margin=0.2),
        call(f64(3), f64(3), numbers(1, "int64")),
        call(f64(2, 3), f64(2, 3), numbers([[1, -1]], "int64")),
        call(f64(2, 3), f64(2, 3), numbers([1, -1], "int64"), reduction="most"),
    ],
    "triplet_margin_loss": [
        *reduced(X, Y, f64(3, 4)),
        *reduced(X, Y, f64(3, 4), swap=True),
        *reduced(X, Y, f64(3, 4), margin=0.5, p=1.0, eps=0.1),
        call(f64(4), f64(4), f64(4)),
        call(X, Y, f64(3, 4), margin=-1.0),
        call(X, f64(4), f64(3, 4)),
        call(X, Y, f64(3, 4), reduction="most"),
    ],
    "triplet_margin_with_distance_loss": [
        *reduced(X, Y, f64(3, 4)),
        *reduced(X, Y, f64(3, 4), swap=True, margin=0.5),
        call(X, Y, f64(3, 4), margin=-1.0),
        call(X, f64(4), f64(3, 4)),
    ],
}

CLASSES: dict[str, list[Call]] = {
    "cross_entropy": [
        *reduced(X, PICKED),
        *reduced(X, PICKED, weight=f64(4).within(0.1, 1).fixed),
        *reduced(X, PICKED, label_smoothing=0.1),
        *reduced(X, PICKED, ignore_index=3),
        call(X, PICKED, f64(4).within(0.1, 1).fixed, ignore_index=0, label_smoothing=0.2),
        *reduced(X, SHARES),
        *reduced(X, SHARES, weight=f64(4).within(0.1, 1).fixed, label_smoothing=0.1),
        *reduced(f64(2, 3, 2), numbers([[0, 2], [1, 1]], "int64")),
        call(f64(4), numbers(2, "int64")),
        call(f64(4), f64(4).within(0.1, 0.9)),
        call(f32(3, 4), PICKED),
        call(f16(3, 4), PICKED),
        call(f64(0, 4), Operand("int64", (0,))),
        call(X, numbers([1, 0, 4], "int64")),
        call(X, numbers([1, 0, -1], "int64")),
        call(X, numbers([1, 0], "int64")),
        call(X, f64(3)),
        call(X, PICKED, f64(3)),
        call(X, PICKED, reduction="most"),
        call(X, PICKED, label_smoothing=1.5),
        call(i64(3, 4), PICKED),
        call(numbers([[inf, 1.0], [nan, 1.0], [-inf, 1.0]]).fixed, numbers([0, 1, 0], "int64")),
    ],
    "nll_loss": [
        *reduced(X, PICKED),
        *reduced(X, PICKED, weight=f64(4).within(0.1, 1).fixed),
        *reduced(X, PICKED, ignore_index=1),
        *reduced(f64(2, 3, 2), numbers([[0, 2], [1, 1]], "int64")),
        *reduced(f64(2, 3, 1, 2), numbers([[[0, 2]], [[1, 1]]], "int64")),
        call(f64(4), numbers(2, "int64")),
        call(f64(0, 4), Operand("int64", (0,))),
        call(X, PICKED, size_average=False),
        call(f16(3, 4), PICKED),
        call(X, numbers([1, 0, 4], "int64")),
        call(X, numbers([1, 0], "int64")),
        call(X, f64(3)),
        call(X, PICKED, f64(3)),
        call(f64(), numbers(0, "int64")),
        call(X, PICKED, reduction="most"),
        call(i64(3, 4), PICKED),
    ],
    "multilabel_soft_margin_loss": [
        *reduced(X, b(3, 4)),
        *reduced(X, SHARES, weight=f64(4).fixed),
        call(f64(4), f64(4)),
        call(X, SHARES, reduction="most"),
    ],
    "multi_margin_loss": [
        *reduced(X, PICKED),
        *reduced(X, PICKED, p=2, margin=0.5),
        call(X, PICKED, 1, 1.0, f64(4).within(0.1, 1).fixed),
        call(f64(4), numbers(1, "int64")),
        call(X, PICKED, p=3),
        call(X, numbers([0, 1, 4], "int64")),
        call(X, f64(3)),
        call(X, numbers([0, 1], "int64")),
        call(X, PICKED, reduction="most"),
    ],
    "multilabel_margin_loss": [
        *reduced(X, numbers([[1, 3, -1, 0], [-1, 0, 1, 2], [2, -1, 2, -1]], "int64")),
        call(f64(4), numbers([2, 0, -1, 1], "int64")),
        call(X, numbers([[1, 3], [0, 1], [2, 2]], "int64")),
        call(X, f64(3, 4)),
        call(X, numbers([[1, 9, -1, 0], [-1, 0, 1, 2], [2, -1, 2, -1]], "int64")),
        call(f64(), numbers(0, "int64")),
    ],
}
LOSSES: dict[str, list[Call]] = {**DISTANCES, **PAIRED, **CLASSES}
