"""Calls of functions of matrices: blocks, powers, chains, covariances and distances."""

from __future__ import annotations

from typing import Any

from tests.functions.calls import Call, Operand, b, call, each, f16, f32, f64, i32, i64, numbers

MATRIX = f64(3, 4)
NAN, INF = float("nan"), float("inf")


def weights(*values: Any, dtype: str = "int64") -> Operand:
    return numbers(values, dtype)


MATRICES: dict[str, list[Call]] = {
    "block_diag": [
        call(MATRIX, f64(2), f64()),
        call(f64(2, 2), i64(2)),
        call(f64(2, 0), f64(0, 3), f64(1, 1)),
        call(i64(2, 3)),
        call(b(2, 3), b(1)),
        call(f32(2), f16(2, 2)),
        call(),
        call(f64(2), f64(2, 3, 4)),
    ],
    "vander": [
        # PyTorch overwrites what its gradient needs.
        *each(f64(4).fixed, i64(3), i32(3), b(2), f16(3).fixed, f64(1), f64(0), MATRIX),
        call(f64(4).fixed, 2),
        call(f64(4), 1),
        call(f64(4), 0),
        call(f64(3).fixed, N=5, increasing=True),
        call(f64(3).fixed, increasing=True),
        call(i64(3), 4, True),
        call(f64(4), -1),
    ],
    "chain_matmul": [
        call(MATRIX, f64(4, 2), f64(2, 5)),
        call(f64(2, 9), f64(9, 1), f64(1, 7), f64(7, 3)),
        call(MATRIX, f64(4, 2)),
        call(MATRIX),
        call(),
        call(MATRIX, MATRIX),
        call(MATRIX, f64(4)),
    ],
    "cov": [
        *each(MATRIX, f64(5), f32(4, 6), i64(3, 5), f64(1, 4), f64(), b(3), f64(2, 3, 4)),
        call(MATRIX, correction=0),
        call(MATRIX, correction=2),
        call(MATRIX, correction=9),
        call(MATRIX, fweights=weights(1, 2, 1, 3)),
        call(MATRIX, aweights=f64(4).within(0.5, 2)),
        call(MATRIX, aweights=f64(4).within(0.5, 2), correction=0),
        call(MATRIX, fweights=weights(1, 2, 1, 3), aweights=f64(4).within(0.5, 2)),
        call(MATRIX, fweights=weights(1, 2, 1, 3, dtype="int32"), aweights=f32(4).within(0.5, 2)),
        call(MATRIX, fweights=weights(1, 2, 1)),
        call(MATRIX, fweights=f64(4)),
        call(MATRIX, fweights=weights(1, 2, 1, -1)),
        call(MATRIX, fweights=i64(2, 2)),
        call(MATRIX, aweights=weights(1, 2, 1, 1)),
        call(MATRIX, aweights=numbers([0.5, 1, -1, 2], "float64")),
        call(MATRIX, aweights=f64(3)),
        call(f64(0, 3)),
        call(f64(3, 0)),
    ],
    "corrcoef": each(MATRIX, f32(4, 6), f64(5), i64(3, 7), f64(1, 4), f64(2, 3, 4)),
    "cdist": [
        *[call(MATRIX, f64(5, 4), p) for p in (2.0, 1.0, 1.5, 3, 0.5, 0, INF)],
        call(MATRIX, f64(5, 4)),
        call(f32(2, 3, 4), f32(2, 5, 4), p=1),
        call(f64(2, 1, 3, 4), f64(3, 5, 4)),
        call(f64(30, 4), f64(5, 4)),
        call(f64(2, 30, 4), f64(27, 4)),
        call(f64(30, 4), f64(5, 4), compute_mode="donot_use_mm_for_euclid_dist"),
        call(MATRIX, f64(5, 4), 2, "use_mm_for_euclid_dist"),
        call(numbers([[1.0, 2.0], [3.0, 3.0]]), numbers([[1.0, 2.0], [2.0, 2.0]])),
        call(numbers([[1.0, 2.0], [3.0, 3.0]]), numbers([[1.0, 2.0], [2.0, 2.0]]), INF),
        call(numbers([[1.0, NAN], [3.0, 3.0]]), numbers([[1.0, 2.0], [2.0, 2.0]])),
        call(f64(0, 4), MATRIX),
        call(f64(3, 0), f64(2, 0)),
        call(MATRIX, MATRIX, -1),
        call(MATRIX, f64(4)),
        call(f64(4), MATRIX),
        call(MATRIX, f64(3, 2)),
        call(i64(3, 4), MATRIX),
        call(MATRIX, f32(3, 4)),
        call(f16(3, 4), f16(3, 4)),
        call(f64(3, 2, 4), f64(2, 2, 4)),
        call(MATRIX, MATRIX, compute_mode="other"),
    ],
    "renorm": [
        call(MATRIX, 2, 0, 1.5),
        call(MATRIX, 1, 1, 3),
        call(f64(2, 3, 4), 1.5, -1, 2),
        call(MATRIX, INF, 0, 1),
        call(MATRIX, p=2, dim=0, maxnorm=100),
        call(f32(3, 4), 2.0, 0, 0),
        call(f16(3, 4), 2, 0, 1),
        call(MATRIX, -1, 0, 5),
        call(MATRIX, 2, 0, -5),
        call(MATRIX, 2, 7, 5),
        call(f64(4), 2, 0, 5),
        call(i64(2, 3), 2, 0, 5),
    ],
}
