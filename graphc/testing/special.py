"""The error and gamma functions and their kin in float64, by the standard library and series."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from graphc.testing.operands import Array


def elementwise(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of a number as one of arrays; nan stays."""

    def of_array(x: Array) -> Array:
        values = [v if math.isnan(v) else function(v) for v in x.reshape(-1).tolist()]
        return np.array(values, np.float64).reshape(x.shape)

    return of_array


def _erfinv(y: float) -> float:
    if not -1 <= y <= 1:
        return math.nan
    if abs(y) == 1:
        return math.copysign(math.inf, y)
    if abs(y) < 1e-9:
        return y * math.sqrt(math.pi) / 2
    # erfc keeps its precision where erf comes close to one.
    rest, low, high = 1 - abs(y), 0.0, 7.0
    for _ in range(80):
        middle = (low + high) / 2
        below = math.erf(middle) < abs(y) if abs(y) < 0.5 else math.erfc(middle) > rest
        low, high = (middle, high) if below else (low, middle)
    return math.copysign((low + high) / 2, y)


def _lgamma(x: float) -> float:
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x) if abs(x) < 1e300 else math.inf


def _digamma(x: float) -> float:
    """ψ(x), by recurrence up to 12 and the asymptotic series, by reflection below zero."""
    if x == 0:
        return math.copysign(math.inf, -x)
    if math.isinf(x):
        return x if x > 0 else math.nan
    if x < 0:
        if x == math.floor(x):
            return math.nan
        return _digamma(1 - x) - math.pi / math.tan(math.pi * math.fmod(x, 1.0))
    result = 0.0
    while x < 12:
        result -= 1 / x
        x += 1
    bernoulli = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    series = sum(b / x ** (2 * k) for k, b in enumerate(bernoulli, 1)) if x < 1e8 else 0.0
    return result + math.log(x) - 1 / (2 * x) - series


erf = elementwise(math.erf)
erfc = elementwise(math.erfc)
erfinv = elementwise(_erfinv)
lgamma = elementwise(_lgamma)
digamma = elementwise(_digamma)
