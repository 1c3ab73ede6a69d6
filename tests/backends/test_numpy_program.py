"""Programs of the numpy backend: what is written where, and that nothing is lost on the way."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from graphc.backends import find
from graphc.compiler import Program
from graphc.errors import GraphcNotImplementedError
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Op, Origin, elementwise, make_input, origin_of
from graphc.ir.types import TensorType
from graphc.ops.elementwise import Elementwise
from graphc.ops.matmul import MatMul
from graphc.ops.movement import Permute, Reshape, Slice
from graphc.ops.reduce import Max, Reduce, Sum

NUMPY = find("numpy")


def given(name: str, *shape: int, contiguous: bool = True) -> Node:
    return make_input(name, TensorType(shape, float32), contiguous=contiguous)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_an_update_is_written_in_place_after_the_last_reader() -> None:
    p, x = given("p", 4, 4), given("x", 4, 4)
    graph = Graph((x,), (MatMul()(p, x),), (p,), ((p, p - x * 0.5),))
    program = Program(graph, NUMPY)
    assert "copyto" not in program.sources.text
    state, argument = random(4, 4), random(4, 4) + 1
    before = state.copy()
    (y,) = program.executable.bind([state])(argument)
    np.testing.assert_allclose(y, before @ argument, rtol=1e-5)
    np.testing.assert_allclose(state, before - argument * 0.5, rtol=1e-5)


def test_state_read_transposed_is_not_overwritten_while_read() -> None:
    p = given("p", 64, 64)
    graph = Graph((), (), (p,), ((p, p + Permute((1, 0))(p)),))
    state = random(64, 64)
    before = state.copy()
    Program(graph, NUMPY).executable.bind([state])()
    np.testing.assert_array_equal(state, before + before.T)


def test_states_may_be_exchanged() -> None:
    p, q = given("p", 3), given("q", 3)
    graph = Graph((), (), (p, q), ((p, q), (q, p)))
    a, b = np.arange(3, dtype=np.float32), np.ones(3, np.float32)
    Program(graph, NUMPY).executable.bind([a, b])()
    assert a.tolist() == [1, 1, 1]
    assert b.tolist() == [0, 1, 2]


def test_an_argument_may_be_updated() -> None:
    x = given("x", 5)
    array = random(5)
    before = array.copy()
    graph = Graph((x,), (Sum((0,))(x),), (), ((x, x * 2.0),))
    (total,) = Program(graph, NUMPY).executable.bind([])(array)
    np.testing.assert_allclose(total, before.sum(keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(array, before * 2)


def test_the_old_value_can_be_returned_while_the_new_one_is_kept() -> None:
    p = given("p", 3)
    graph = Graph((), (p,), (p,), ((p, p * 2.0),))
    state = np.ones(3, np.float32)
    (old,) = Program(graph, NUMPY).executable.bind([state])()
    assert old.tolist() == [1, 1, 1]
    assert state.tolist() == [2, 2, 2]


@pytest.mark.parametrize("shape", [(700, 513), (3, 5), (1, 70000), (70000, 1), (2, 300, 301)])
def test_tiles_and_wholes_agree_with_numpy(shape: tuple[int, ...]) -> None:
    x = given("x", *shape)
    last = len(shape) - 1
    e = elementwise("exp", x - Max((last,))(x))
    outputs = (e / Sum((last,))(e), Sum((0,))(x * x), Sum(tuple(range(len(shape))))(x))
    array = random(*shape)
    got = Program(Graph((x,), outputs), NUMPY).executable.bind([])(array)
    wide = array.astype(np.float64)
    exp = np.exp(wide - wide.max(-1, keepdims=True))
    expected = (
        exp / exp.sum(-1, keepdims=True),
        (wide * wide).sum(0, keepdims=True),
        wide.sum(keepdims=True),
    )
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-3)


def test_broadcasts_and_views_are_read_where_they_lie() -> None:
    x, b = given("x", 300, 400), given("b", 400)
    y = Permute((1, 0))(Slice((0, 100), (300, 300), (1, 2))(x))
    y = elementwise("tanh", y + Reshape((100, 1))(Slice((0,), (100,), (1,))(b)))
    arrays = random(300, 400), random(400)
    (got,) = Program(Graph((x, b), (y,)), NUMPY).executable.bind([])(*arrays)
    expected = np.tanh(arrays[0][:, 100:300:2].T + arrays[1][:100, None])
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_returned_arrays_are_never_written_again_while_held() -> None:
    x = given("x", 1024, 1024)
    step = Program(Graph((x,), (x * 2.0,)), NUMPY).executable.bind([])
    array = random(1024, 1024)
    (first,) = step(array)
    kept = first.copy()
    for i in range(5):
        step(array + i)
    np.testing.assert_array_equal(first, kept)


def test_the_arena_is_close_to_what_is_alive_at_once() -> None:
    x = given("x", 128, 128)
    w = [given(f"w{i}", 128, 128) for i in range(10)]
    h, kept = x, []
    for weight in w:
        h = elementwise("tanh", MatMul()(h, weight))
        kept.append(h)
    for weight, value in zip(reversed(w), reversed(kept), strict=True):
        h = MatMul()(h * value, Permute((1, 0))(weight))
    sources = Program(Graph((x, *w), (h,)), NUMPY).sources
    assert sources.arena_bytes <= 1.15 * int(str(sources.facts["live_peak"]))


def test_the_text_is_the_same_every_time() -> None:
    x = given("x", 8, 8)
    graph = Graph((x,), (elementwise("exp", x) * 2.0,))
    assert Program(graph, NUMPY).sources.text == Program(graph, NUMPY).sources.text


class Strange(Elementwise):
    name: ClassVar[str] = "strange"


class StrangeTotal(Reduce):
    name: ClassVar[str] = "strange_total"


class StrangeView(Op):
    name: ClassVar[str] = "strange_view"

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]


@pytest.mark.parametrize("op", [Strange(), StrangeTotal((1,)), StrangeView()], ids=str)
def test_an_op_without_a_spelling_is_refused(op: Op) -> None:
    x = given("x", 3, 4)
    with origin_of(Origin("head.1", "Strange()", "strange", "model.py", 31)):
        y = op(x)
    with pytest.raises(GraphcNotImplementedError) as error:
        Program(Graph((x,), (y * 2.0,)), NUMPY)
    assert str(error.value) == (
        f"{op.name}: the backend 'numpy' cannot compute it of (f32[3, 4]); "
        "head.1: strange, model.py:31"
    )
