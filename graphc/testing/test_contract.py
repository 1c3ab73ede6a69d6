"""What a backend promises of a program: its state, its inputs, its outputs, its errors."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.backend import Backend
from graphc.compiler import Program
from graphc.ir.dtype import float32, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, const, elementwise, make_input
from graphc.ir.types import TensorType
from graphc.ops.indexing import CheckRange
from graphc.ops.matmul import MatMul
from graphc.ops.movement import Permute, full
from graphc.ops.reduce import Sum
from graphc.testing.operands import Array, draw


def given(label: str, *shape: int, contiguous: bool = True) -> Node:
    """An input."""
    return make_input(label, TensorType(shape, float32), contiguous=contiguous)


def numbers(*shape: int, seed: int = 0) -> Array:
    """Numbers for one."""
    return draw(float32, *shape, seed=seed)


def test_outputs_are_arrays_of_their_own(backend: Backend) -> None:
    """An input that is returned, a value returned twice, numbers."""
    x = given("x", 3)
    y = x + 1.0
    outputs = (x, y, y, const(2.5, float32), full((2, 2), const(7, int64)))
    array = numbers(3)
    found = Program(Graph((x,), outputs), backend).executable.bind([])(array)
    for got, right in zip(
        found, (array, array + 1, array + 1, np.float32(2.5), np.full((2, 2), 7)), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(got), right)
    assert not np.shares_memory(np.asarray(found[0]), array)


def test_an_earlier_output_outlives_the_next_call(backend: Backend) -> None:
    x = given("x", 300, 400)
    step = Program(Graph((x,), (x * 2.0,)), backend).executable.bind([])
    first = np.asarray(step(numbers(300, 400))[0])
    kept = first.copy()
    for seed in range(1, 4):
        step(numbers(300, 400, seed=seed))
    np.testing.assert_array_equal(first, kept)


def test_inputs_are_left_alone(backend: Backend) -> None:
    x = given("x", 5, 5)
    array = numbers(5, 5)
    before = array.copy()
    graph = Graph((x,), (elementwise("relu", Permute((1, 0))(x)) * 2.0,))
    Program(graph, backend).executable.bind([])(array)
    np.testing.assert_array_equal(array, before)


def test_state_is_updated_in_place_after_all_reads(backend: Backend) -> None:
    p, x = given("p", 4, 4), given("x", 4, 4)
    graph = Graph((x,), (MatMul()(p, x), p), (p,), ((p, p - x * 0.5 + Permute((1, 0))(p)),))
    state, array = numbers(4, 4), numbers(4, 4, seed=1)
    before = state.copy()
    step = Program(graph, backend).executable.bind([state])
    product, old = step(array)
    np.testing.assert_allclose(np.asarray(product), before @ array, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(old), before)
    np.testing.assert_allclose(state, before - array * 0.5 + before.T, rtol=1e-6, atol=1e-6)
    again = state.copy()
    step(array)
    np.testing.assert_allclose(state, again - array * 0.5 + again.T, rtol=1e-6, atol=1e-6)


def test_states_are_exchanged(backend: Backend) -> None:
    p, q = given("p", 3), given("q", 3)
    graph = Graph((), (), (p, q), ((p, q), (q, p)))
    a, b = numbers(3), numbers(3, seed=1)
    first, second = a.copy(), b.copy()
    Program(graph, backend).executable.bind([a, b])()
    np.testing.assert_array_equal(a, second)
    np.testing.assert_array_equal(b, first)


def test_an_argument_is_updated(backend: Backend) -> None:
    x = given("x", 5)
    array = numbers(5)
    before = array.copy()
    graph = Graph((x,), (Sum((0,))(x),), (), ((x, x * 2.0),))
    (total,) = Program(graph, backend).executable.bind([])(array)
    np.testing.assert_allclose(np.asarray(total), before.sum(keepdims=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(array, before * 2)


def test_state_in_other_memory_order(backend: Backend) -> None:
    p, x = given("p", 3, 4, contiguous=False), given("x", 3, 4, contiguous=False)
    graph = Graph((x,), (p * x,), (p,), ((p, p + x),))
    state, array = numbers(4, 3).T, numbers(3, 8)[:, ::2]
    before = state.copy()
    (product,) = Program(graph, backend).executable.bind([state])(array)
    np.testing.assert_allclose(np.asarray(product), before * array, rtol=1e-6)
    np.testing.assert_allclose(state, before + array, rtol=1e-6)


def test_one_program_may_be_bound_twice(backend: Backend) -> None:
    p = given("p", 3)
    executable = Program(Graph((), (), (p,), ((p, p + 1.0),)), backend).executable
    a, b = np.zeros(3, np.float32), np.ones(3, np.float32)
    first, second = executable.bind([a]), executable.bind([b])
    first()
    second()
    first()
    assert a.tolist() == [2, 2, 2]
    assert b.tolist() == [2, 2, 2]


def test_what_is_out_of_range_is_an_error(backend: Backend) -> None:
    index = make_input("index", TensorType((3,), int64))
    checked = CheckRange(0, 4, "index {} is out of range")(index)
    step = Program(Graph((index,), (checked,)), backend).executable.bind([])
    np.testing.assert_array_equal(np.asarray(step(np.array([0, 3, 1]))[0]), [0, 3, 1])
    with pytest.raises(IndexError, match="index 7 is out of range"):
        step(np.array([0, 7, 9]))
    np.testing.assert_array_equal(np.asarray(step(np.array([2, 2, 2]))[0]), [2, 2, 2])


def test_equal_checks_have_errors_of_their_own(backend: Backend) -> None:
    """A kernel that serves both must not tell the one's error for the other."""
    a, b = (make_input(label, TensorType((3,), int64)) for label in "ab")
    checked = CheckRange(0, 4, "row {}")(a), CheckRange(0, 4, "size {}", "ValueError")(b)
    step = Program(Graph((a, b), checked), backend).executable.bind([])
    right, wrong = np.array([0, 1, 2]), np.array([0, 9, 2])
    with pytest.raises(IndexError, match="row 9"):
        step(wrong, right)
    with pytest.raises(ValueError, match="size 9"):
        step(right, wrong)
