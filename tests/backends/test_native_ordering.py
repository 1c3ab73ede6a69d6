"""Kernels of generated C that put in order, against the table's references and numpy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from graphc.backends.native.ordering import ORDERING
from graphc.backends.native.targets import TARGETS
from graphc.ops.reduce import ArgMax, ArgMin
from graphc.ops.sort import Ordered, Sort, TopK
from graphc.testing.table import NUMBERS
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, check_samples, run_all, use_of
from tests.backends.test_native_movement import HERE, THREADS, node_of, permuted

TYPES = [x.name for x in NUMBERS]
PLACES = [(HERE[0], x) for x in TYPES] + [(x, y) for x in HERE[1:] for y in ("int64", "bfloat16")]


def with_ties(dtype: str, *shape: int) -> Array:
    """Numbers among which there are many equal ones; floats with both zeros, infinities and nan."""
    rng = np.random.default_rng([len(dtype), *shape])
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    if dtype in ("uint8", "int8", "int16", "int32", "int64"):
        ends = np.iinfo(kind)
        found = rng.integers(ends.min, ends.max, shape, dtype=kind, endpoint=True)
        return np.where(rng.random(shape) < 0.5, found, rng.integers(0, 9, shape)).astype(kind)
    x = np.round(rng.normal(size=shape) * 50) / 4
    rare = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-7])
    x = np.where(rng.random(shape) < 0.05, rng.choice(rare, shape), x)
    return np.asarray(x).astype(kind)


def in_order(x: Array, dim: int, *, descending: bool) -> Array:
    """The places of a stable order, nan as the largest."""
    keys = x.astype(np.float64) if x.dtype.kind not in "iu" else x
    if not descending:
        return np.argsort(keys, axis=dim, kind="stable")
    size = x.shape[dim]
    places: Array = size - 1 - np.flip(np.argsort(np.flip(keys, dim), axis=dim, kind="stable"), dim)
    return places


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    """Every sample of the table."""
    assert check_samples(ORDERING, dtype, tmp_path, TARGETS[target]) > 30


@pytest.mark.parametrize(("target", "dtype"), PLACES)
def test_ties(target: str, dtype: str, tmp_path: Path) -> None:
    """Lines of all lengths, equal elements in order, whole and the first few."""
    uses: list[Use] = []
    wanted: list[tuple[Array, Array]] = []
    for shape in ((3, 2), (5, 39), (4, 300), (1, 40000)):
        x = with_ties(dtype, *shape)
        for descending in (False, True):
            places = in_order(x, 1, descending=descending)
            ops: list[Any] = [Sort(1, descending)]
            ops += [TopK(1, k, descending) for k in (1, 5, 101, 200) if k <= shape[1]]
            for op in ops:
                kept = places[:, : getattr(op, "k", shape[1])]
                uses.append(use_of(ORDERING[op.name], node_of(op, x), x))
                wanted.append((np.take_along_axis(x, kept, 1), kept))
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    for each, (values, kept) in zip(uses, wanted, strict=True):
        np.testing.assert_array_equal(each.results[1], kept, err_msg=str(each.node))
        bits = f"u{values.itemsize}"
        np.testing.assert_array_equal(each.results[0].view(bits), values.view(bits))


@pytest.mark.parametrize("target", HERE)
def test_large(target: str, tmp_path: Path) -> None:
    """Along each dimension, in any order of memory, by any number of threads."""
    uses: list[Use] = []
    wanted: list[Array] = []
    x = with_ties("float32", 50, 60, 70)
    for dim in range(3):
        for order in ((0, 1, 2), (2, 0, 1)):
            given = permuted(x, order)
            for threads in THREADS:
                ops: list[Any] = [Sort(dim, True), TopK(dim, 3, False), TopK(dim, 45, True)]
                for op in ops:
                    descending = op.descending if isinstance(op, Sort) else op.largest
                    places = in_order(x, dim, descending=descending)
                    count = getattr(op, "k", x.shape[dim])
                    node = node_of(op, given)
                    uses.append(use_of(ORDERING[op.name], node, given, threads=threads))
                    wanted.append(np.take(places, range(count), dim))
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    for each, right in zip(uses, wanted, strict=True):
        np.testing.assert_array_equal(each.results[1], right, err_msg=str(each.node))
        assert isinstance(each.node.op, Ordered)
        values = np.take_along_axis(x, right, each.node.op.dim)
        np.testing.assert_array_equal(each.results[0], values)


@pytest.mark.parametrize(("target", "dtype"), PLACES)
def test_extremes(target: str, dtype: str, tmp_path: Path) -> None:
    """Over one and several dimensions, next to each other in memory and not; the first wins."""
    uses: list[Use] = []
    wanted: list[Array] = []
    x = with_ties(dtype, 6, 40, 150)
    if x.dtype.kind not in "iu":
        # Where nan is rare, infinity decides.
        part = x[1:, ::3]
        x[1:, ::3] = np.where(part == part, part, x.dtype.type(1))
    for axes in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        rest = [a for a in range(3) if a not in axes]
        flat = x.transpose(*rest, *axes).reshape(*(x.shape[a] for a in rest), -1)
        if x.dtype.kind not in "iu":
            flat = flat.astype(np.float32)
        shape = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
        for order in ((0, 1, 2), (2, 1, 0)):
            given = permuted(x, order)
            for threads in (1, 3):
                for op, function in ((ArgMax(axes), np.argmax), (ArgMin(axes), np.argmin)):
                    node = node_of(op, given)
                    uses.append(use_of(ORDERING[op.name], node, given, threads=threads))
                    wanted.append(function(flat, -1).reshape(shape))
    assert not any(run_all(uses, tmp_path, TARGETS[target]))
    for each, right in zip(uses, wanted, strict=True):
        np.testing.assert_array_equal(each.results[0], right, err_msg=str(each.node))


def test_results_that_nothing_reads_are_not_written(tmp_path: Path) -> None:
    """The values alone, or the places alone."""
    x = with_ties("float32", 5, 100)
    for op in (Sort(1), TopK(1, 3)):
        for read in ((True, False), (False, True)):

            def maker(name: str, setting: Any, read: tuple[bool, bool] = read) -> Any:
                return ORDERING[setting.node.op.name](name, replace(setting, read=read))

            whole, part = (
                use_of(ORDERING[op.name], node_of(op, x), x),
                use_of(maker, node_of(op, x), x),
            )
            run_all([whole, part], tmp_path)
            for is_read, right, found in zip(read, whole.results, part.results, strict=True):
                np.testing.assert_array_equal(found, right if is_read else np.full_like(right, 113))
