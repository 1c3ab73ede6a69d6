"""Composites are left closed for the backends that claim them, and cost nothing where opened."""

from __future__ import annotations

from collections import Counter

import pytest

from graphc.autodiff import gradients
from graphc.backend import claims
from graphc.backends.numpy import NumpyBackend
from graphc.compiler import pipeline
from graphc.functions.attention import attention
from graphc.ir.dtype import bool_, float32, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_input
from graphc.ir.types import TensorType
from graphc.ops.composite import Composite
from graphc.ops.random import Advance
from graphc.passes import PASSES, run
from graphc.passes.fuse import fuse
from graphc.passes.open_composites import open_composites

UNFUSED = tuple(step for step in PASSES if step is not fuse)


class Choosing(NumpyBackend):
    """A backend that has kernels of attention without a mask."""

    composites = frozenset({"attention", "attention_grad"})

    def claims(self, node: Node) -> bool:
        assert isinstance(node.op, Composite)
        return not node.op.present[3]


class Naming(NumpyBackend):
    """A backend that has kernels of every attention."""

    composites = frozenset({"attention", "attention_grad"})


def given(label: str, *shape: int, requires_grad: bool = False) -> Node:
    return make_input(label, TensorType(shape, float32), requires_grad=requires_grad)


def step(mask: Node | None = None, *, causal: bool = False) -> Graph:
    """Attention, and the gradient of each operand that needs one."""
    operands = [given(label, 2, 6, 4, requires_grad=True) for label in "qkv"]
    options: dict[str, object] = {"causal": causal, "scale": 0.5, "dropout": 0.0}
    results = attention(*operands, mask, None, **options)
    assert isinstance(results, tuple)
    dy = given("dy", 2, 6, 4)
    leaves = [x for x in (*operands, mask) if x is not None and x.requires_grad]
    found = gradients(results[:1], (dy,), leaves)
    outputs = (results[0], *(x for x in found if x is not None))
    inputs = [*operands, dy] + ([mask] if mask is not None else [])
    return Graph(tuple(inputs), outputs)


def names(graph: Graph) -> Counter[str]:
    """How often each op is used; a composite by its own name."""
    return Counter(getattr(x.op, "key", x.op.name) for x in graph.nodes)


def masked(dtype_is_bool: bool, *, requires_grad: bool = False) -> Node:
    type_ = TensorType((6, 6), bool_ if dtype_is_bool else float32)
    return make_input("mask", type_, requires_grad=requires_grad)


@pytest.mark.parametrize("mask", [None, masked(True), masked(False)], ids=["none", "bool", "float"])
def test_an_opened_gradient_shares_the_forward_pass(mask: Node | None) -> None:
    found = names(run(step(mask), UNFUSED))
    assert found["exp"] == found["max"] == 1
    assert found["matmul"] == 6
    assert found["log"] == 0, "what only kernels read is not computed"
    assert not {"attention", "attention_grad", "border"} & found.keys()


def test_the_gradient_is_a_composite_as_the_value_is() -> None:
    recorded = names(step())
    assert (recorded["attention"], recorded["attention_grad"], recorded["exp"]) == (1, 1, 0)


def test_the_gradient_of_a_mask_goes_through_the_body() -> None:
    graph = step(masked(False, requires_grad=True))
    assert len(graph.outputs) == 5
    assert "attention_grad" not in names(graph)
    assert names(run(graph, UNFUSED))["exp"] == 1


def test_a_name_claims_every_use() -> None:
    opened, *_ = pipeline(Naming())
    for graph in (step(), step(masked(True))):
        assert names(opened(graph))["attention_grad"] == 1


def test_a_backend_claims_some_uses() -> None:
    opened, *_ = pipeline(Choosing())
    closed = names(opened(step(causal=True)))
    assert (closed["attention"], closed["attention_grad"], closed["matmul"]) == (1, 1, 0)
    assert not {"attention", "attention_grad"} & names(opened(step(masked(True)))).keys()


def test_claims_are_of_what_is_named() -> None:
    node = next(x for x in step().nodes if isinstance(x.op, Composite))
    assert claims(Naming(), node) and claims(Choosing(), node)
    assert not claims(NumpyBackend(), node)
    unnamed = Choosing()
    unnamed.composites = frozenset()
    assert not claims(unnamed, node)


def test_of_two_composites_one_may_be_claimed() -> None:
    """The gradient's kernel is given what the opened forward pass computes, and the other way."""
    for kept in ("attention", "attention_grad"):
        graph = open_composites(step(), lambda node, kept=kept: node.op.key == kept)  # type: ignore[misc]
        graph.verify()
        assert names(graph)[kept] == 1 and names(graph)["exp"]


def test_a_later_draw_of_attention_needs_no_state_of_its_own() -> None:
    """Its counters follow those of the draws before it, as those of other draws do."""
    state = make_input("state", TensorType((2,), int64))
    operands = [given(label, 2, 6, 4) for label in "qkv"]
    options: dict[str, object] = {"causal": False, "scale": 0.5, "dropout": 0.1, "offset": 2}
    found = attention(*operands, None, Advance(7)(Advance(3)(state)), **options)
    assert isinstance(found, tuple)
    graph = run(Graph((*operands, state), found), pipeline(Naming()))
    assert not names(graph)["advance"]
    (node,) = (x for x in graph.nodes if isinstance(x.op, Composite))
    assert isinstance(node.op, Composite) and dict(node.op.options)["offset"] == 12
    assert node.inputs[3] in graph.inputs
    opened = names(run(Graph((*operands, state), found), UNFUSED))
    assert opened["random_uniform"] == 1 and not opened["advance"]
