"""Random numbers of generated C, against the table's references and the numpy backend's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.backends.native.drawing import DRAWING
from graphc.backends.native.targets import TARGETS, host
from graphc.backends.numpy import special
from graphc.ir.dtype import dtype_named
from graphc.ops.random import RandomInteger, RandomNormal, RandomPermutation, RandomUniform
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, check_samples, run_all, use_of
from tests.backends.special_runner import run
from tests.backends.test_native_movement import HERE, THREADS, node_of

STATES = [np.array(x) for x in ((0, 0), (2**40 + 3, 2**33 - 700), (-1, -300))]
COUNTS = (1, 30, 255, 4096, 100003)


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "uint8", "int8", "int16", "int32", "int64"]
)
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    """Every sample of the table."""
    assert check_samples(DRAWING, dtype, tmp_path, TARGETS[target]) > 15


def drawn(
    make: Any, dtype: str, folder: Path, target: str, threads: int = 3
) -> list[tuple[Array, Array, int]]:
    """For each state and count what is drawn, with the state and the counters skipped."""
    uses, found = [], []
    for number, state in enumerate(STATES):
        for count in COUNTS:
            offset = 5 * number
            node = node_of(make((count,), dtype_named(dtype), offset), state)
            uses.append(use_of(DRAWING[node.op.name], node, state, threads=threads))
            found.append((state, offset))
    assert not any(run_all(uses, folder, TARGETS[target]))
    return [(x.results[0], *pair) for x, pair in zip(uses, found, strict=True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_uniform_numbers_are_those_of_the_numpy_backend(
    target: str, dtype: str, tmp_path: Path
) -> None:
    for found, state, offset in drawn(RandomUniform, dtype, tmp_path, target):
        right = np.empty_like(found)
        run(special.uniform("kernel", found.size, dtype, offset=offset), state, right)
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_normal_numbers(target: str, dtype: str, tmp_path: Path) -> None:
    """Those of the numpy backend, but for roundings of logarithm, sine and cosine."""
    for found, state, offset in drawn(RandomNormal, dtype, tmp_path, target):
        right = np.empty_like(found)
        run(special.normal("kernel", found.size, dtype, offset=offset), state, right)
        eps = float(np.finfo(dtype).eps)
        np.testing.assert_allclose(found, right, 16 * eps, 16 * eps)
    assert abs(found.mean()) < 0.02
    assert abs(found.std() - 1) < 0.02


@pytest.mark.parametrize("target", HERE)
def test_integers_and_permutations(target: str, tmp_path: Path) -> None:
    for low, high in ((-5, 1000), (0, 2**32), (-(2**62), 2**62 + 11)):

        def make(shape: Any, dtype: Any, offset: int, ends: Any = (low, high)) -> Any:
            return RandomInteger(shape, dtype, offset, *ends)

        for found, state, offset in drawn(make, "int64", tmp_path, target):
            right = np.empty_like(found)
            run(special.integers("kernel", found.size, low, high, offset=offset), state, right)
            np.testing.assert_array_equal(found, right)
    for found, state, offset in drawn(RandomPermutation, "int64", tmp_path, target):
        right = np.empty_like(found)
        run(special.permutation("kernel", found.size, offset=offset), state, right)
        np.testing.assert_array_equal(found, right)


def test_any_number_of_threads_draws_the_same(tmp_path: Path) -> None:
    uses: list[Use] = []
    for make in (RandomUniform, RandomNormal):
        node = node_of(make((70001,), dtype_named("float32"), 2), STATES[1])
        for threads in THREADS:
            uses.append(use_of(DRAWING[node.op.name], node, STATES[1], threads=threads))
    assert not any(run_all(uses, tmp_path))
    for one, *others in (uses[:3], uses[3:]):
        assert [x.made("kernel", host()).stages[0].tasks for x in (one, *others)] == [1, 8, 12]
        for other in others:
            np.testing.assert_array_equal(one.results[0], other.results[0])
