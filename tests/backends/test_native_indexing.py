"""Kernels of generated C that index, against the table's references and numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.backends.native.indexing import INDEXING
from graphc.backends.native.targets import TARGETS, host
from graphc.ir.node import Node
from graphc.ops.indexing import (
    CheckRange,
    Gather,
    GatherNd,
    IndexPut,
    IndexSum,
    Scatter,
    ScatterAdd,
    ScatterReduce,
)
from graphc.testing.table import ALL
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, check_samples, run_all, use_of
from tests.backends.test_native_movement import HERE, THREADS, node_of, numbers, permuted


def positions(size: int, *shape: int, low: int = 0) -> Array:
    """Positions from ``low`` to before ``size``."""
    found: Array = np.random.default_rng([size, *shape]).integers(low, size, shape)
    return found


def compare(
    cases: list[tuple[Any, list[Array], Array]], folder: Path, target: str, rounding: float = 0
) -> None:
    """Run each op by any number of threads; sums may be rounded otherwise than numpy's."""
    uses, wanted = [], []
    for op, given, right in cases:
        for threads in THREADS:
            uses.append(use_of(INDEXING[op.name], node_of(op, *given), *given, threads=threads))
            wanted.append(right)
    assert not any(run_all(uses, folder, TARGETS[target]))
    for each, right in zip(uses, wanted, strict=True):
        found, right = (x.astype(np.float64) for x in (each.results[0], right))
        np.testing.assert_allclose(found, right, rounding, rounding, err_msg=str(each.node))
    for i in range(0, len(uses), len(THREADS)):
        for other in uses[i + 1 : i + len(THREADS)]:
            np.testing.assert_array_equal(uses[i].results[0], other.results[0])


@pytest.mark.parametrize("dtype", [x.name for x in ALL])
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    """Every sample of the table."""
    assert check_samples(INDEXING, dtype, tmp_path, TARGETS[target]) > 20


@pytest.mark.parametrize("target", HERE)
def test_slices_at_positions(target: str, tmp_path: Path) -> None:
    """Embeddings of all widths, of tables that lie in any order, at one and at several indices."""
    cases: list[tuple[Any, list[Array], Array]] = []
    for width in (1, 3, 17, 64, 300):
        x, index = numbers("float32", 500, width), positions(500, 40, 33)
        cases.append((GatherNd(False), [x, index], x[index]))
        wide = np.asfortranarray(x)
        cases.append((GatherNd(), [wide, index - 500], wide[index]))
    half = numbers("float16", 500, 77)
    cases.append((GatherNd(False), [half, index], half[index]))
    x = numbers("float32", 20, 30, 40)
    turned = permuted(x, (1, 2, 0))
    first, second = positions(20, 50, 1), positions(30, 60, low=-30)
    cases.append((GatherNd(), [turned, first, second], x[first, second]))
    third = positions(40, 50, 60)
    cases.append((GatherNd(), [turned, first, second, third], x[first, second, third]))
    few = positions(20, 3)
    long = numbers("float32", 20, 20000)
    cases.append((GatherNd(), [long, few], long[few]))
    compare(cases, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_sums_at_positions(target: str, tmp_path: Path) -> None:
    """Gradients of embeddings: parts of rows for each task, or rows of its own."""
    cases: list[tuple[Any, list[Array], Array]] = []
    for width, size in ((1, 50), (7, 50), (32, 1000), (256, 70), (1000, 30)):
        values, index = numbers("float32", 40, 33, width) - 50, positions(size, 40, 33)
        right = np.zeros((size, width))
        np.add.at(right, index, values)
        cases.append((IndexSum(right.shape, False), [values, index], right))
        right = right.copy()
        right[3] = 0
        cases.append((IndexSum(right.shape, False, 3), [values, index], right))
        cases.append((IndexSum(right.shape, False, 3 - size), [values, index], right))
        turned = permuted(values, (2, 0, 1))
        base = numbers("float32", *right.shape)
        right = base.astype(np.float64)
        np.add.at(right, index, values)
        cases.append((IndexPut(True), [base, turned, index - size], right))
    compare(cases, tmp_path, target, 1e-6)


@pytest.mark.parametrize("target", HERE)
def test_low_precision_sums_are_rounded_once(target: str, tmp_path: Path) -> None:
    """Of many small numbers, each of which alone would be lost."""
    values = np.full((50000, 4), 0.125, np.float16)
    index = np.zeros(50000, np.int64)
    right = np.zeros((3, 4), np.float16)
    right[0] = 6250
    base = np.full((3, 4), 2.0, np.float16)
    put = base.copy()
    put[0] = 6252
    cases: list[tuple[Any, list[Array], Array]] = [
        (IndexSum((3, 4), False), [values, index], right),
        (IndexPut(True), [base, values, index], put),
        (ScatterAdd(0, (3, 4)), [values, np.zeros((50000, 4), np.int64)], right),
    ]
    compare(cases, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_along_dimensions(target: str, tmp_path: Path) -> None:
    """Gathering and scattering along each dimension of large arrays, in order."""
    cases: list[tuple[Any, list[Array], Array]] = []
    shape = (30, 40, 50)
    x = numbers("float32", *shape)
    for dim in range(3):
        longer = tuple(70 if d == dim else n for d, n in enumerate(shape))
        index = positions(shape[dim], *longer)
        values = permuted(numbers("float32", *longer), (2, 0, 1))
        cases.append((Gather(dim), [x, index], np.take_along_axis(x, index, dim)))
        place = list(np.indices(longer))
        place[dim] = index
        last = x.copy()
        for step in range(70):
            at = tuple(np.take(p, [step], dim) for p in place)
            last[at] = np.take(values, [step], dim)
        cases.append((Scatter(dim), [x, values, index], last))
        total = np.zeros(shape)
        np.add.at(total, tuple(place), values)
        cases.append((ScatterAdd(dim, shape), [values, index], total))
        largest = x.copy()
        np.maximum.at(largest, tuple(place), values)
        cases.append((ScatterReduce(dim, "maximum"), [x, values, index], largest))
    compare(cases, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_written_at_positions(target: str, tmp_path: Path) -> None:
    """Slices, broadcast and whole; the last one stays."""
    cases: list[tuple[Any, list[Array], Array]] = []
    x = numbers("float32", 100, 40, 30)
    rows, columns = positions(100, 90, low=-100), positions(40, 20, 1)
    for values in (
        numbers("float32", 90, 40, 30),
        numbers("float32", 40, 30),
        numbers("float32"),
        numbers("float32", 90, 1, 1),
    ):
        right = x.copy()
        for place, value in zip(rows, np.broadcast_to(values, (90, 40, 30)), strict=True):
            right[place] = value
        cases.append((IndexPut(False), [x, values, rows], right))
    values = numbers("float32", 20, 90, 30)
    right = x.copy()
    for i, j in np.ndindex(20, 90):
        right[rows[j], columns[i, 0]] = values[i, j]
    cases.append((IndexPut(False), [x, values, rows, columns], right))
    compare(cases, tmp_path, target)


BAD: list[tuple[Any, list[Array], str]] = [
    (Gather(1), [numbers("float32", 2, 3), np.array([[0, 3]])],
     "RuntimeError: index 3 is out of bounds for dimension 1 with size 3"),
    (Gather(0), [numbers("float32", 4), np.array([2, -1, 9])],
     "RuntimeError: index -1 is out of bounds for dimension 0 with size 4"),
    (GatherNd(False), [numbers("float32", 4, 2), np.array([[1, 4]])],
     "IndexError: index out of range in self"),
    (GatherNd(False), [numbers("float32", 4, 2), np.array(-1)],
     "IndexError: index out of range in self"),
    (GatherNd(), [numbers("float32", 0, 2), np.array([0])],
     "IndexError: index 0 is out of bounds for dimension 0 with size 0"),
    (GatherNd(), [numbers("float32", 4, 2), np.array([-4, 3]), np.array([0, -3])],
     "IndexError: index -3 is out of bounds for dimension 1 with size 2"),
    (ScatterAdd(0, (3,)), [numbers("float32", 2), np.array([0, 3])],
     "RuntimeError: index 3 is out of bounds for dimension 0 with size 3"),
    (Scatter(0), [numbers("float32", 3), numbers("float32", 1), np.array([-3])],
     "RuntimeError: index -3 is out of bounds for dimension 0 with size 3"),
    (ScatterReduce(0, "mul"), [numbers("float32", 3), numbers("float32", 1), np.array([2**62])],
     f"RuntimeError: index {2**62} is out of bounds for dimension 0 with size 3"),
    (IndexSum((3, 2), False), [numbers("float32", 1, 2), np.array([3])],
     "IndexError: index out of range in self"),
    (IndexSum((0, 2)), [numbers("float32", 1, 2), np.array([0])],
     "IndexError: index 0 is out of bounds for dimension 0 with size 0"),
    (IndexPut(False), [numbers("float32", 3), numbers("float32", 1), np.array([-4])],
     "IndexError: index -4 is out of bounds for dimension 0 with size 3"),
    (CheckRange(2, 9, "no {} here", "ValueError"), [np.array([[3, 8], [9, 1]])],
     "ValueError: no 9 here"),
    (CheckRange(0, 2, "no {} here"), [np.array([1, 0, 1, -7], np.int8)[::-1]],
     "IndexError: no -7 here"),
]  # fmt: skip


@pytest.mark.parametrize("target", HERE)
def test_positions_out_of_range(target: str, tmp_path: Path) -> None:
    """Are reported, and nothing is read or written there."""
    uses = [use_of(INDEXING[op.name], node_of(op, *given), *given) for op, given, _ in BAD]
    assert run_all(uses, tmp_path, TARGETS[target]) == [message for *_, message in BAD]


@pytest.mark.parametrize("target", HERE)
def test_range_of_many(target: str, tmp_path: Path) -> None:
    """The one offender is found by any number of threads, in any order of memory."""
    uses, messages = [], []
    for dtype in ("uint8", "int32", "int64"):
        x = numbers(dtype, 300, 400)
        bad = x.copy()
        bad[277, 13] = 111
        for given, message in ((x, ""), (bad, "IndexError: 111"), (bad.T, "IndexError: 111")):
            node: Node = node_of(CheckRange(0, 100, "{}"), given)
            for threads in THREADS:
                y = np.full_like(given, 113)
                uses.append(Use(INDEXING["check_range"], node, [given], [y], threads))
                messages.append(message)
    assert run_all(uses, tmp_path, TARGETS[target]) == messages
    for each, message in zip(uses, messages, strict=True):
        if not message:
            np.testing.assert_array_equal(each.results[0], each.operands[0])


def test_tasks_own_parts_of_the_result() -> None:
    """Columns where rows are wide, else rows; few positions are not shared."""
    index = positions(70, 40, 33)
    for width, tasks in ((256, [1, 4]), (32, [1, 2]), (1, [1, 1])):
        values = numbers("float32", 40, 33, width)
        node = node_of(IndexSum((70, width), False), values, index)
        made = use_of(INDEXING["index_sum"], node, values, index).made("kernel", host())
        assert [stage.tasks for stage in made.stages] == tasks
