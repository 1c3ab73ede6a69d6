"""Calls of functions that draw numbers, with settings for which the numbers do not matter."""

from __future__ import annotations

from tests.functions.calls import Call, Operand, call, f16, f32, f64, i64

ALWAYS, NEVER = 1.0, 0.0


def dropouts(x: Operand) -> list[Call]:
    """Calls of a dropout of any kind."""
    return [
        call(x, 0.5, False),
        call(x, p=0.5, training=False),
        call(x, NEVER, True),
        call(x, ALWAYS, True),
        call(x.fixed, ALWAYS, True, True),
        call(x.fixed, 0.5, False, inplace=True),
        call(x, 1.5),
        call(x, p=-0.1),
    ]


DROPOUTS: dict[str, list[Call]] = {
    "dropout": [*dropouts(f64(3, 4)), call(f16(4), ALWAYS), call(i64(4), NEVER), call(i64(4), 0.5)],
    "dropout1d": [*dropouts(f64(2, 3, 4)), call(f64(3, 4), ALWAYS), call(f64(4), 0.5)],
    "dropout2d": [*dropouts(f64(2, 3, 4, 2)), call(f64(3, 4), ALWAYS)],
    "dropout3d": [*dropouts(f64(2, 3, 4, 2, 2)), call(f64(3, 4, 2, 2), ALWAYS)],
    "alpha_dropout": [*dropouts(f64(3, 4)), call(f64(3, 4), 0.5), call(f64(3, 4), ALWAYS, False)],
    "feature_alpha_dropout": [*dropouts(f64(2, 3, 4)), call(f64(2, 3, 4), 0.5)],
    "rrelu": [
        call(f64(5)),
        call(f64(5), 0.1, 0.3, False),
        call(f64(5), 0.25, 0.25, True),
        call(f64(5), lower=0.2, upper=0.4),
        call(f64(5).fixed, 0.2, 0.4, False, True),
        call(f32(5), 0.25, 0.25, training=True),
        call(f64(5), 0.3, 0.1),
        call(i64(5)),
    ],
}
