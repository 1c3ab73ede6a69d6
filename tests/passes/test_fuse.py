"""Fusion, shown as graph text."""

from __future__ import annotations

from textwrap import dedent

from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Node, const, elementwise, make_input
from graphc.ir.types import TensorType
from graphc.ops.matmul import MatMul
from graphc.ops.movement import Expand, Flip, reshape
from graphc.ops.reduce import Max, Sum, mean
from graphc.passes.fuse import Fused, fuse


def given(name: str, *shape: int) -> Node:
    return make_input(name, TensorType(shape, float32))


def fused(graph: Graph) -> list[Fused]:
    result = fuse(graph)
    result.verify()
    return [x.op for x in result.nodes if isinstance(x.op, Fused)]


def test_a_chain_is_one_kernel() -> None:
    x = given("x", 2, 3)
    graph = fuse(Graph((x,), (elementwise("exp", x * 2.0 + 1.0),)))
    assert str(graph) == dedent("""\
        graph(%x: f32[2, 3]) {
          %1: f32[2, 3] = fused[mul+add+exp](%x)
          return %1
        }""")


def test_a_long_chain_is_several_kernels() -> None:
    def lengths(name: str, count: int) -> list[int]:
        x = y = given("x", 2, 3)
        for _ in range(count):
            y = elementwise(name, y)
        return [len(kernel.body.computed) for kernel in fused(Graph((x,), (y,)))]

    assert lengths("tanh", 12) == [12]
    assert lengths("tanh", 100) == [42, 42, 16]
    assert lengths("neg", 400) == [400]
    assert lengths("neg", 1000) == [400, 400, 200]


def test_softmax_is_one_row_kernel() -> None:
    x = given("x", 8, 16)
    e = elementwise("exp", x - Max((1,))(x))
    (kernel,) = fused(Graph((x,), (e / Sum((1,))(e),)))
    assert kernel.reduced == (1,)
    assert len(kernel.body.outputs) == 1


def test_what_follows_from_numbers_joins_no_rows() -> None:
    x = given("x", 8)
    number = Expand((8,))(elementwise("tanh", const(0.3, float32)))
    kernels = fused(Graph((x,), (elementwise("exp", x - mean(x, (0,))) * number,)))
    assert sorted((kernel.space, kernel.reduced) for kernel in kernels) == [((), ()), ((8,), (0,))]


def test_rows_without_their_reduced_axis_join_too() -> None:
    x = given("x", 8, 16)
    rows = elementwise("sqrt", reshape(mean(x, (1,)), (8,)))
    (kernel,) = fused(Graph((x,), (x * reshape(rows, (8, 1)),)))
    assert kernel.space == (8, 16)


def test_a_column_sum_is_taken_along_but_not_read() -> None:
    x = given("x", 8, 16)
    e = elementwise("exp", x - Max((1,))(x))
    columns = Sum((0,))(e)
    kernels = fused(Graph((x,), (e * columns,)))
    assert len(kernels) == 2


def test_no_kernel_waits_for_itself() -> None:
    x, w = given("x", 4, 4), given("w", 4, 4)
    h = elementwise("tanh", x)
    y = MatMul()(h, w)
    kernels = fused(Graph((x, w), (y + h * 2.0,)))
    assert [str(k) for k in kernels] == ["fused[tanh]", "fused[mul+add]"]


def test_no_kernel_waits_for_itself_by_way_of_another() -> None:
    p, q = given("p", 4, 4), given("q", 4, 4)
    early = elementwise("tanh", p)
    moved = Flip((0,))(early)
    first = elementwise("exp", q)
    late = early + Flip((0,))(first)
    kernels = fused(Graph((p, q), (moved, late, first * moved)))
    assert [str(k) for k in kernels] == ["fused[exp]", "fused[tanh+add]", "fused[mul]"]


def test_a_broadcast_axis_that_is_kept_is_in_the_result() -> None:
    x = given("x", 3)
    h = elementwise("tanh", x)
    spread = elementwise("tanh", Sum(())(Expand((2, 3))(h)))
    columns = Sum((0,))(spread * spread)
    kernels = fused(Graph((x,), (spread, reshape(columns, (3,)) * h)))
    assert (2, 3) in [y.shape for kernel in kernels for y in kernel.body.outputs]


def test_a_lone_reduction_joins_a_kernel_that_reads_the_same() -> None:
    x, w = given("x", 8, 8), given("w", 8, 8)
    h = MatMul()(x, w)
    (kernel,) = fused(Graph((x, w), (elementwise("tanh", h), Sum((0,))(h))))
    assert len(kernel.body.outputs) == 2
