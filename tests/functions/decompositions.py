"""Calls of determinants, inverses, decompositions and equations of the package's namespace."""

from __future__ import annotations

from typing import Any

from tests.functions.calls import Call, Operand, call, each, f16, f64, i64, numbers

POSITIVE = [[4.0, 1, 0], [1, 3, 1], [0, 1, 2]]
TURNED = [[2.0, 0.5, -1], [0, 1.5, 0.25], [0, 0, 1]]
FACTOR = [[2.0, 0, 0], [0.5, 1.5, 0], [-1, 0.25, 1]]


def real(values: Any, dtype: str = "float64") -> Operand:
    return numbers(values, dtype)


NOT_SQUARE = [f64(3, 2), f64(3), i64(2, 2), f16(2, 2)]

DECOMPOSITIONS: dict[str, list[Call]] = {
    "det": [
        *each(f64(3, 3), f64(2, 4, 4), f64(0, 0), f64(2, 0, 0), real(POSITIVE, "float32")),
        *each(real([[1.0, 2], [2, 4]]), *NOT_SQUARE),
    ],
    "slogdet": each(f64(3, 3), f64(2, 4, 4), f64(0, 0), real(POSITIVE, "float32"), *NOT_SQUARE),
    "logdet": [
        *each(real(POSITIVE), real([POSITIVE, [[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]])),
        *each(f64(0, 0), *NOT_SQUARE),
    ],
    "inverse": [
        *each(f64(3, 3), f64(2, 4, 4), f64(0, 0), real(POSITIVE, "float32"), *NOT_SQUARE),
        call(real([[1.0, 1], [1, 1]])),
        call(real([[[1.0, 0], [0, 1]], [[1.0, 1], [1, 1]]])),
    ],
    "cholesky": [
        *each(real(POSITIVE), real([POSITIVE, POSITIVE], "float32"), f64(0, 0), *NOT_SQUARE),
        call(real(POSITIVE), True),
        call(real(POSITIVE), upper=True),
        call(real([[1.0, 2], [2, 1]])),
        call(real([[[1.0, 0], [0, 1]], [[-1.0, 0], [0, 1]]])),
    ],
    "cholesky_solve": [
        call(f64(3, 2), real(FACTOR)),
        call(f64(3, 2), real(TURNED), upper=True),
        call(f64(2, 3, 2), real([FACTOR, FACTOR])),
        call(f64(3, 2), f64(3, 2)),
        call(f64(2, 2), real(FACTOR)),
        call(f64(3), real(FACTOR)),
    ],
    "cholesky_inverse": [
        *each(real(FACTOR), real([FACTOR, FACTOR], "float32"), f64(3, 2), f64(3)),
        call(real(TURNED), True),
    ],
    "lu": [
        *each(f64(3, 3), f64(2, 4, 3), f64(2, 5), real(POSITIVE, "float32"), f64(3), i64(2, 2)),
        call(f64(3, 3), True, True),
        call(f64(3, 3), get_infos=True),
        call(real([[1.0, 1], [1, 1]])),
        call(f64(3, 3), pivot=False),
    ],
    "lu_solve": [
        call(f64(3, 2), real(POSITIVE), numbers([2, 2, 3], "int32")),
        call(f64(2, 3, 2), real([POSITIVE, POSITIVE]), numbers([[3, 2, 3], [1, 3, 3]], "int32")),
        call(f64(2, 2), real(POSITIVE), numbers([2, 2, 3], "int32")),
    ],
    "lu_unpack": [
        call(f64(3, 3), numbers([2, 3, 3], "int32")),
        call(f64(4, 2), numbers([4, 3], "int32")),
        call(f64(2, 2, 3), numbers([[2, 2], [1, 2]], "int32")),
        call(f64(3, 3).fixed, numbers([2, 3, 3], "int32"), unpack_data=False),
        call(f64(3, 3), numbers([2, 3, 3], "int32"), True, False),
        call(f64(3, 3), f64(3)),
    ],
    "geqrf": [
        *each(*(x.fixed for x in (f64(3, 3), f64(2, 4, 3), f64(2, 3, 5), f64(0, 2)))),
        *each(real([[1.0, 2], [0, 0], [0, 0]]).fixed, f64(3), f16(2, 2)),
    ],
    "orgqr": [call(f64(4, 3), f64(3)), call(f64(2, 4, 3), f64(2, 2)), call(f64(2, 3), f64(2))],
    "ormqr": [
        call(f64(4, 3), f64(3), f64(4, 2)),
        call(f64(4, 3), f64(3), f64(2, 4), False),
        call(f64(4, 3), f64(2), f64(4, 2), True, True),
        call(f64(2, 4, 3), f64(2, 3), f64(2, 2, 4), left=False, transpose=True),
        call(f64(4, 3), f64(3), f64(2, 2)),
    ],
    "matrix_exp": each(
        *(f64(3, 3), f64(2, 4, 4).within(-8, 8), f64(1, 1), real(POSITIVE, "float32")),
        *(f64(2, 0, 0), f64(3, 2), f64(3), i64(2, 2)),
    ),
    "triangular_solve": [
        call(f64(3, 2), real(POSITIVE)),
        call(f64(3, 2), real(POSITIVE), False),
        call(f64(3, 2), real(POSITIVE), upper=False, transpose=True, unitriangular=True),
        call(f64(3, 2), real(POSITIVE), True, True),
        call(f64(3, 2), f64(3, 2), says=False),
    ],
    "svd": [
        call(f64(3, 2), compute_uv=False),
        call(f64(2, 3, 4), True, False),
        *each(f64(3), i64(2, 2), f16(2, 2)),
    ],
    "qr": [
        *each(f64(4, 3), f64(3, 3), f64(2, 3, 2), real(POSITIVE, "float32")),
        *each(f64(3, 4), f64(3), i64(2, 2), f16(2, 2)),
        call(f64(3, 4), False),
        call(f64(4, 3).fixed, some=False),
    ],
    "pinverse": [
        *each(f64(4, 3), f64(3, 4), f64(2, 3, 2), real(POSITIVE, "float32"), f64(3), i64(2, 2)),
        call(f64(4, 3), 0.5),
    ],
    "nuclear_norm": [
        *each(f64(3, 4), real(POSITIVE, "float32"), f64(3)),
        call(f64(3, 4), keepdim=True),
        call(f64(2, 3, 4), (0, 2)),
        call(f64(2, 3, 4), [1, -1], True),
    ],
    "frobenius_norm": [
        call(f64(3, 4), 0),
        call(f64(3, 4), (0, 1)),
        call(f64(2, 3, 4), dim=[1, 2], keepdim=True),
    ],
}
