"""Whether two runners computed the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.cases import Arrays


def difference(got: Sequence[Any], expected: Sequence[Any]) -> float:
    """The largest difference over the arrays, relative to each array's largest value."""
    worst = 0.0
    if len(got) != len(expected):
        return float("inf")
    for given, wanted in zip(got, expected, strict=True):
        a, b = np.asarray(given, np.float64), np.asarray(wanted, np.float64)
        if a.shape != b.shape or not np.isfinite(a).all():
            return float("inf")
        worst = max(worst, float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)))
    return worst


def update_difference(got: Arrays, expected: Arrays) -> tuple[float, str]:
    """The worst parameter: the norm of the difference over that of the expected update."""
    if got.keys() != expected.keys():
        return float("inf"), "the list of parameters"
    worst, where = 0.0, ""
    for name, wanted in expected.items():
        a, b = np.asarray(got[name], np.float64), np.asarray(wanted, np.float64)
        ratio = float("inf")
        if a.shape == b.shape:
            ratio = float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(b)), 1e-30)
        if not ratio <= worst:
            worst, where = ratio, name
    return worst, where
