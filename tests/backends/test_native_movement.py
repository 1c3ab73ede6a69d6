"""Kernels of generated C that move elements, against the table's references and numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from graphc.backends.native.copying import copy
from graphc.backends.native.movement import MOVEMENT
from graphc.backends.native.targets import TARGETS, host
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.node import Node, make_input
from graphc.ir.types import TensorType
from graphc.ops.creation import Arange
from graphc.ops.movement import Concat, Expand, Pad, Permute, Place, Reshape
from graphc.ops.strided import Strided
from graphc.testing.table import ALL
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, check_samples, run_all, text_of, use_of

HERE = list(dict.fromkeys([host().name, "portable"]))
THREADS = (1, 2, 3)
SIZES = ("uint8", "float16", "float32", "float64")


def node_of(op: Any, *arrays: Array) -> Node:
    """A node of the op on inputs like the arrays."""
    inputs = []
    for i, x in enumerate(arrays):
        dtype = dtype_of_numpy(x.dtype)
        assert dtype is not None
        inputs.append(make_input(f"x{i}", TensorType(x.shape, dtype)))
    node: Node = op(*inputs)
    return node


def numbers(dtype: str, *shape: int) -> Array:
    """Numbers that differ from their neighbours."""
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    found: Array = np.random.default_rng([*shape]).integers(0, 100, shape).astype(kind)
    return found


def permuted(x: Array, order: tuple[int, ...]) -> Array:
    """The array with its dimensions in memory in another order."""
    found = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
    assert found.shape == x.shape
    return found


def result(shape: tuple[int, ...], dtype: Any, order: tuple[int, ...]) -> Array:
    """A result that lies in memory in another order, with numbers that are wrong everywhere."""
    return permuted(np.full(shape, 113, dtype), order)


def compare(uses: list[Use], wanted: list[Array], folder: Path, target: str) -> None:
    """Run the kernels and compare their results bit for bit."""
    assert not any(run_all(uses, folder, TARGETS[target]))
    for each, right in zip(uses, wanted, strict=True):
        np.testing.assert_array_equal(each.results[0], right, err_msg=str(each.node))


@pytest.mark.parametrize("order", ["C", "channels"])
@pytest.mark.parametrize("dtype", [x.name for x in ALL])
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, order: str, tmp_path: Path) -> None:
    """Every sample of the table."""
    assert check_samples(MOVEMENT, dtype, tmp_path, TARGETS[target], order) > 50


COPIES: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    # shape, order of the operand, order of the result
    ((200, 300), (1, 0), (0, 1)),
    ((7, 1000), (1, 0), (0, 1)),
    ((3, 50, 40, 21), (0, 2, 3, 1), (0, 1, 2, 3)),
    ((3, 50, 40, 21), (0, 1, 2, 3), (0, 2, 3, 1)),
    ((2, 3, 65, 70), (0, 2, 3, 1), (0, 1, 2, 3)),
    ((5, 6, 70, 33), (3, 2, 1, 0), (0, 1, 2, 3)),
    ((5, 6, 70, 33), (1, 3, 0, 2), (2, 0, 3, 1)),
    ((70000,), (0,), (0,)),
    ((16, 17, 18, 19), (0, 1, 2, 3), (0, 1, 2, 3)),
]


@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize("target", HERE)
def test_copies(target: str, dtype: str, tmp_path: Path) -> None:
    """From any order of dimensions to any other, by any number of threads."""
    uses, wanted = [], []
    for shape, given, order in COPIES:
        x = permuted(numbers(dtype, *shape), given)
        for threads in THREADS:
            y = result(shape, x.dtype, order)
            node = node_of(Permute(tuple(range(x.ndim))), x)
            uses.append(Use(copy, node, [x], [y], threads))
            wanted.append(x)
    compare(uses, wanted, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_copies_of_views(target: str, tmp_path: Path) -> None:
    """Steps, flips and broadcasts."""
    uses, wanted = [], []
    whole = numbers("float32", 100, 81, 90)
    for x in (
        whole[::2, :, ::3],
        whole[::-1, 5:50],
        whole[:, ::-1, ::-1],
        np.broadcast_to(whole[:1], whole.shape),
        np.broadcast_to(whole[:, :, :1], whole.shape),
        np.broadcast_to(whole[:, :, 3:4], whole.shape).transpose(2, 0, 1),
        whole.transpose(2, 1, 0)[::-1],
    ):
        for threads in THREADS:
            uses.append(use_of(copy, node_of(Permute((0, 1, 2)), x), x, threads=threads))
            wanted.append(x)
    compare(uses, wanted, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_reshapes(target: str, tmp_path: Path) -> None:
    """Where the operand's strides allow none, and where neither side's do."""
    uses: list[Use] = []
    wanted: list[Array] = []
    for dtype in SIZES:
        x = numbers(dtype, 60, 70, 12)
        turned = x.transpose(1, 2, 0)
        for threads in THREADS:
            node = node_of(Reshape((84, 10, 60)), turned)
            uses.append(use_of(MOVEMENT["reshape"], node, turned, threads=threads))
            wanted.append(turned.reshape(84, 10, 60))
            y = result((350, 144), x.dtype, (1, 0))
            node = node_of(Reshape((350, 144)), turned)
            uses.append(Use(MOVEMENT["reshape"], node, [turned], [y], threads))
            wanted.append(turned.reshape(350, 144))
    compare(uses, wanted, tmp_path, target)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 1, 0, 2)])
@pytest.mark.parametrize("target", HERE)
def test_joins(target: str, order: tuple[int, ...], tmp_path: Path) -> None:
    """Along each dimension, of operands in the result's order or in another."""
    uses, wanted = [], []
    for dim in range(4):
        shapes = [[6, 9, 30, 31] for _ in range(3)]
        shapes[1][dim] = 2
        shapes[2][dim] = 17
        for given in (order, (0, 1, 2, 3)):
            parts = [permuted(numbers("float32", *shape), given) for shape in shapes]
            parts.insert(1, parts[0].take([], axis=dim))
            right = np.concatenate(parts, dim)
            for threads in THREADS:
                y = result(right.shape, right.dtype, order)
                node = node_of(Concat(dim), *parts)
                uses.append(Use(MOVEMENT["concat"], node, parts, [y], threads))
                wanted.append(right)
    compare(uses, wanted, tmp_path, target)


PADS: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    ((3, 8, 40, 45), (0, 0, 1, 1), (0, 0, 1, 1)),
    ((3, 8, 40, 45), (0, 0, 0, 2), (0, 0, 3, 0)),
    ((2, 3, 60, 80), (1, 0, 0, 0), (0, 2, 0, 0)),
    ((1, 1, 300, 200), (0, 0, 4, 5), (0, 0, 6, 7)),
    ((4, 16, 33, 20), (1, 1, 1, 1), (2, 2, 2, 2)),
    ((1, 1, 1, 70000), (0, 0, 0, 5), (0, 0, 0, 3)),
]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 3, 1)])
@pytest.mark.parametrize("target", HERE)
def test_borders(target: str, order: tuple[int, ...], tmp_path: Path) -> None:
    """Padding, and slices written into numbers, into arrays and every few elements."""
    uses, wanted = [], []
    for shape, low, high in PADS:
        x = permuted(numbers("float32", *shape), order)
        right = np.pad(x, list(zip(low, high, strict=True)), constant_values=-2.5)
        around = permuted(numbers("float32", *right.shape), order)
        stops = tuple(a + n for a, n in zip(low, shape, strict=True))
        cut = tuple(slice(a, b) for a, b in zip(low, stops, strict=True))
        written = around.copy()
        written[cut] = x
        zeros = np.broadcast_to(np.float32(0), right.shape)
        in_zeros = np.zeros(right.shape, np.float32)
        in_zeros[cut] = x
        some = permuted(x[:, :, ::2, ::3], order)
        every = around.copy()
        every[: shape[0], : shape[1], : shape[2] : 2, : shape[3] : 3] = some
        steps = ((0,) * 4, shape, (1, 1, 2, 3))
        for threads in THREADS:
            for op, given, found in (
                (Pad(low, high, -2.5), [x], right),
                (Place(low, stops, (1,) * 4), [around, x], written),
                (Place(low, stops, (1,) * 4), [zeros, x], in_zeros),
                (Place(*steps), [around, some], every),
            ):
                y = result(right.shape, np.float32, order)
                uses.append(Use(MOVEMENT[op.name], node_of(op, *given), given, [y], threads))
                wanted.append(found)
    compare(uses, wanted, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_padding_of_nothing(target: str, tmp_path: Path) -> None:
    x = numbers("float16", 0, 300)
    node = node_of(Pad((100, 0), (100, 7), 0.1), x)
    uses = [use_of(MOVEMENT["pad"], node, x, threads=threads) for threads in THREADS]
    compare(uses, [np.full((200, 307), 0.1, np.float16)] * 3, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_large_ranges_expansions_and_distances(target: str, tmp_path: Path) -> None:
    uses, wanted = [], []
    row = numbers("float32", 1, 999)
    column = numbers("float32", 300, 1)
    vector = numbers("float32", 50000)
    for threads in THREADS:
        for op, given, right in (
            (Arange(5, 3, 90001, np_int64()), [], 5 + 3 * np.arange(90001)),
            (Expand((301, 999)), [row], np.broadcast_to(row, (301, 999))),
            (Expand((3, 300, 98)), [column], np.broadcast_to(column, (3, 300, 98))),
            (
                Strided((999, 200), (30, 1), 77),
                [vector],
                np.lib.stride_tricks.sliding_window_view(vector[77:], 200)[: 999 * 30 : 30],
            ),
        ):
            node = node_of(op, *given)
            uses.append(use_of(MOVEMENT[op.name], node, *given, threads=threads))
            wanted.append(right)
    compare(uses, wanted, tmp_path, target)


def np_int64() -> Any:
    """The element type of positions."""
    return dtype_of_numpy(np.dtype(np.int64))


def test_large_copies_are_shared_by_threads() -> None:
    """And small ones are not; the text is the same each time."""
    large, small = numbers("float32", 256, 257), numbers("float32", 25, 25)
    for x, tasks in ((large, 4), (small, 1)):
        node = node_of(Reshape((x.size,)), x.T)
        made = [use_of(MOVEMENT["reshape"], node, x.T).made("kernel", host()) for _ in range(2)]
        assert [stage.tasks for stage in made[0].stages] == [tasks]
        assert text_of([made[0]], [2]) == text_of([made[1]], [2])
