"""Each rule of algebra, shown as graph text before and after."""

from __future__ import annotations

import pytest

from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Node, const, elementwise, make_input
from graphc.ir.types import TensorType
from graphc.ops.elementwise import Neg
from graphc.ops.matmul import MatMul
from graphc.ops.movement import Concat, Expand, Permute, Place, Reshape, Slice, zeros
from graphc.ops.reduce import Sum
from graphc.passes.fold_constants import fold_constants
from graphc.passes.merge_equal import merge_equal
from graphc.passes.simplify import simplify

X = make_input("x", TensorType((2, 3), float32))
Y = make_input("y", TensorType((3, 2), float32))


def body(graph: Graph) -> list[str]:
    return [line.strip() for line in str(graph).splitlines()[1:-1]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (X * 1.0, ["return %x"]),
        (1.0 * X, ["return %x"]),
        (X / 1.0, ["return %x"]),
        (X - 0.0, ["return %x"]),
        (X + X, ["%1: f32[2, 3] = mul(%x, 2.0)", "return %1"]),
        (Neg()(Neg()(X)), ["return %x"]),
        (
            X + Neg()(X * 2.0),
            ["%1: f32[2, 3] = mul(%x, 2.0)", "%2: f32[2, 3] = sub(%x, %1)", "return %2"],
        ),
        (elementwise("pow", X, 2.0), ["%1: f32[2, 3] = mul(%x, %x)", "return %1"]),
        (X * Expand((2, 3))(const(1.0, float32)), ["return %x"]),
        (Permute((1, 0))(Permute((1, 0))(X)), ["return %x"]),
        (Reshape((2, 3))(Reshape((6,))(X)), ["return %x"]),
        (
            Sum((0,))(Reshape((1, 2, 3))(X)),
            ["%1: f32[1, 2, 3] = reshape[1, 2, 3](%x)", "return %1"],
        ),
        (
            Permute((1, 0))(MatMul()(X, Y)),
            [
                "%1: f32[2, 3] = permute[1, 0](%y)",
                "%2: f32[3, 2] = permute[1, 0](%x)",
                "%3: f32[2, 2] = matmul(%1, %2)",
                "return %3",
            ],
        ),
    ],
    ids=str,
)
def test_rule(before: Node, after: list[str]) -> None:
    assert body(simplify(Graph((X, Y), (before,)))) == after


def test_plus_zero_stays_since_minus_zero_would_change() -> None:
    assert body(simplify(Graph((X,), (X + 0.0,)))) == ["%1: f32[2, 3] = add(%x, 0.0)", "return %1"]


def test_numbers_are_computed_in_their_own_type() -> None:
    third = const(1.0, float32) / const(3.0, float32)
    graph = fold_constants(Graph((), (third,)))
    assert str(graph.outputs[0].op) == "0.3333333432674408"


def test_equal_nodes_are_one() -> None:
    graph = merge_equal(Graph((X,), (elementwise("exp", X) + elementwise("exp", X),)))
    assert body(graph) == ["%1: f32[2, 3] = exp(%x)", "%2: f32[2, 3] = add(%1, %1)", "return %2"]


def test_an_op_of_numbers_that_were_broadcast_is_a_number() -> None:
    halves = Expand((2, 3))(const(0.125, float32)) * 0.5
    assert body(simplify(Graph((X,), (X + halves,)))) == [
        "%1: f32[2, 3] = add(%x, 0.0625)",
        "return %1",
    ]


def test_gradients_of_parts_are_put_side_by_side() -> None:
    """What is zero but for a part each is not added up."""
    x = make_input("x", TensorType((2, 6), float32))
    parts = [Slice((0, a), (2, b), (1, 1))(x) for a, b in ((0, 1), (1, 4), (4, 6))]
    sums = [Place((0, a), (2, b), (1, 1))(zeros(x.type), y) for (a, b), y in zip(
        ((0, 1), (1, 4), (4, 6)), parts, strict=True)]  # fmt: skip
    whole = simplify(Graph((x,), (sums[0] + sums[2] + sums[1],)))
    (output,) = whole.outputs
    assert isinstance(output.op, Concat)
    assert output.inputs == tuple(parts)
    some = simplify(Graph((x,), (sums[0] + sums[2],)))
    assert not any(node.op.name == "add" for node in some.nodes)
    meeting = simplify(Graph((x,), (sums[0] + sums[0],)))
    assert not any(isinstance(node.op, Concat) for node in meeting.nodes)
