"""Running a rendered special kernel of the numpy backend on arrays, for its tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.backends.numpy.special import Rendered

Array = np.ndarray[Any, Any]
FLOATS = ["float32", "float64"]


def parallel(work: Callable[[int, int, int], None], count: int, parts: int) -> None:
    """Every part of a range in turn, as the prelude's pool would run them at once."""
    step = -(-count // parts)
    for part in range(parts):
        work(part, min(part * step, count), min((part + 1) * step, count))


def run(rendered: Rendered, *arrays: Array) -> None:
    """Run the one function of a text on the arrays, its scratch filled with rubbish."""
    scope: dict[str, Any] = {"np": np, "parallel": parallel}
    exec(compile(rendered.text, "<kernel>", "exec"), scope)
    assert max(map(len, rendered.text.splitlines())) <= 120
    function = next(v for k, v in scope.items() if k == "kernel")
    rubbish = []
    for shape, dtype in rendered.scratch:
        array = np.empty(shape, dtype)
        array.view(np.uint8)[...] = 0xFF if array.dtype.kind == "f" else 0x01
        rubbish.append(array)
    function(*arrays, *rubbish)


def rubbish(shape: tuple[int, ...], dtype: str) -> Array:
    """An output array that no kernel may read before it writes."""
    array = np.empty(shape, dtype)
    array.view(np.uint8)[...] = 0xFF
    return array


def close(ours: Array, theirs: Any, scale: float = 1.0) -> None:
    """Ours equal to PyTorch's within a few roundings of the dtype."""
    tolerance = scale * {"float32": 2e-4, "float64": 1e-10, "float16": 2e-2}[ours.dtype.name]
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """Normal variates of a shape."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)
