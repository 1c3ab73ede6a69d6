"""Kernels that run at once do not meet in memory, and what is read is still there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc
from graphc import nn
from graphc.backends.native.heavy import can_finish, preferred
from graphc.backends.native.memory import Memory
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.lowering.epilogues import Finished, finish_products
from graphc.lowering.orders import chosen_orders
from graphc.lowering.recompute import recompute
from graphc.lowering.views import Result
from graphc.nn import functional as F


def training(model: nn.Module, x: graphc.Tensor, y: graphc.Tensor, optimizer: Any) -> Graph:
    """The fused graph of a training step."""

    def step(x: graphc.Tensor, y: graphc.Tensor) -> graphc.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = graphc.compile(step, backend="numpy")
    compiled(x, y)
    graph: Graph = compiled.graph
    return graph


def mlp() -> Graph:
    model = nn.Sequential(
        nn.Linear(20, 30), nn.GELU(), nn.Linear(30, 30), nn.LayerNorm(30), nn.Linear(30, 5)
    )
    x, y = graphc.randn(8, 20), graphc.randint(0, 5, (8,))
    return training(model, x, y, graphc.optim.Adam(model.parameters()))


def cnn() -> Graph:
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3),
        nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4 * 4, 5),
    )  # fmt: skip
    x, y = graphc.randn(3, 1, 14, 14), graphc.randint(0, 5, (3,))
    return training(model, x, y, graphc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))


PROGRAMS: dict[str, Callable[[], Graph]] = {"mlp": mlp, "cnn": cnn}


def lowered(name: str) -> Memory:
    graph = PROGRAMS[name]()
    graph = finish_products(recompute(graph, can_finish), can_finish)
    graph.verify()
    memory = Memory(graph, chosen_orders(graph, preferred))
    memory.plan({})
    return memory


def home(memory: Memory, result: Result) -> tuple[str, int, int]:
    """The bytes of a result: what they belong to, from where and to where."""
    node, number = result
    nbytes = node.types[number].nbytes
    target = memory.schedule.in_state.get(result)
    if target is not None:
        return f"state {memory.graph.state.index(target)}", 0, nbytes
    if node in memory.graph.state:
        return f"state {memory.graph.state.index(node)}", 0, nbytes
    if result in memory.schedule.in_output:
        return f"output {memory.schedule.in_output[result]}", 0, nbytes
    if result in memory.planned.offsets:
        low = memory.planned.offsets[result]
        return "arena", low, low + nbytes
    return f"other {id(node)}", 0, nbytes


def meet(a: tuple[str, int, int], b: tuple[str, int, int]) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


def touched(memory: Memory, kernel: Node) -> tuple[list[Any], list[Any]]:
    reads = [home(memory, x) for x in memory.schedule.reads(kernel)]
    writes = [home(memory, (kernel, i)) for i in range(len(kernel.types))]
    return reads, writes


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels_of_a_phase_do_not_meet(name: str) -> None:
    memory = lowered(name)
    order = memory.schedule.order
    pairs = [
        (a, b)
        for i, a in enumerate(order)
        for b in order[i + 1 :]
        if memory.phases[a] == memory.phases[b]
    ]
    assert pairs, "some kernels run at once"
    for a, b in pairs:
        reads_a, writes_a = touched(memory, a)
        reads_b, writes_b = touched(memory, b)
        assert not any(meet(x, y) for x in writes_a for y in (*reads_b, *writes_b))
        assert not any(meet(x, y) for x in reads_a for y in writes_b)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_read_has_not_been_written_over(name: str) -> None:
    memory = lowered(name)
    owner: list[tuple[tuple[str, int, int], Result]] = []
    for kernel in memory.schedule.order:
        for result in memory.schedule.reads(kernel):
            place = home(memory, result)
            if place[0] == "arena":
                latest = [x for bytes_, x in owner if meet(bytes_, place)]
                assert latest[-1] == result
        for i in range(len(kernel.types)):
            owner.append((home(memory, (kernel, i)), (kernel, i)))


def test_products_take_in_what_follows() -> None:
    """Bias and activation, and the update of a weight, are done where the product is."""
    memory = lowered("mlp")
    products = [x for x in memory.schedule.order if x.op.name == "matmul"]
    finished = [x.op for x in memory.schedule.order if isinstance(x.op, Finished)]
    members = [{y.op.name for y in op.group.body.computed} for op in finished]
    assert any("erf" in names for names in members)
    updates = [names for names in members if "sqrt" in names]
    assert len(updates) == 3, "each weight is updated where its gradient is computed"
    assert len(products) <= 4


def test_cheap_values_are_not_stored_for_the_backward_pass() -> None:
    """Layer norm and GELU store fewer arrays when what is cheap is computed again."""
    graph = PROGRAMS["mlp"]()
    before = sum(len(x.types) for x in graph.nodes if x.op.name == "fused")
    after = recompute(graph, can_finish)
    after.verify()
    assert sum(len(x.types) for x in after.nodes if x.op.name == "fused") < before


def test_a_product_is_stored_in_its_own_type_where_several_groups_widen_it() -> None:
    """A conversion to more bytes is done by each reader, and no kernel only copies."""

    def spread(x: graphc.Tensor, w: graphc.Tensor) -> Any:
        wide = (x @ w).float()
        return ((wide - wide.mean(0)) ** 2).mean(0)

    x, w = (graphc.randn(64, 64).to(graphc.bfloat16) for _ in range(2))
    graph: Graph = graphc.compile(spread, x, w, backend="numpy").graph
    after = finish_products(recompute(graph, can_finish), can_finish)
    after.verify()
    wide = [x for x in after.nodes if x.shape == (64, 64) and x.inputs]
    assert [(x.op.name, x.dtype.name) for x in wide] == [("matmul", "bfloat16")]
