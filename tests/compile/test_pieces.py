"""Programs over several devices: the pieces compute together what the whole program does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc import split_program
from graphc.backends import find
from graphc.compiler import Program
from graphc.ir.dtype import float32, float64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, const, make_input
from graphc.ir.types import TensorType
from graphc.marks import ToDevice
from graphc.ops.movement import full
from graphc.pieces import devices_of, split_devices
from graphc.split_program import SplitProgram, program_of

PLACES = ("cpu", "cuda:0", "cuda:1")
TYPE = TensorType((3,), float32)
NUMBER = TensorType((), float64)


@pytest.fixture(autouse=True)
def numpy_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every device is the CPU, so that the order and the wiring of pieces are what is tested."""
    monkeypatch.setattr(split_program, "backend_of", lambda device: find("numpy"))


def on(x: Node, place: str) -> Node:
    return x if x.device == place else ToDevice(place)(x)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A program of sums and products on three devices, with updates of its state."""
    inputs = [make_input(f"x{i}", TYPE, device=place) for i, place in enumerate(PLACES)]
    state = [make_input(f"s{i}", TYPE, device=place) for i, place in enumerate(PLACES)]
    rate = make_input("rate", NUMBER)
    nodes: list[Node] = [*inputs, *state, full((3,), const(2.0, float32))]
    for _ in range(draw(st.integers(1, 12))):
        place = draw(st.sampled_from(PLACES))
        a, b = (on(draw(st.sampled_from(nodes)), place) for _ in range(2))
        nodes.append(draw(st.sampled_from([a + b, a * b, a * (rate * 2.0) - b])))
    outputs = tuple(draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=4)))
    updates = tuple(
        (x, on(draw(st.sampled_from(nodes)), x.device))
        for x in draw(st.lists(st.sampled_from([*state, *inputs]), unique=True, max_size=3))
    )
    return Graph((*inputs, rate), outputs, tuple(state), updates)


def run(program: Any, graph: Graph) -> list[Any]:
    """The outputs, and what inputs and state hold afterwards, of two runs."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(x.shape).astype(x.dtype.numpy) for x in graph.inputs]
    state = [rng.standard_normal(x.shape).astype(x.dtype.numpy) for x in graph.state]
    step = program.executable.bind(state)
    first = step(*arrays)
    return [*first, *step(*arrays), *arrays, *state]


@settings(deadline=None)
@given(graphs())
def test_pieces_compute_what_the_whole_does(graph: Graph) -> None:
    expected = run(Program(graph, find("numpy")), graph)
    found = run(SplitProgram(graph, find("numpy")), graph)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


@settings(deadline=None)
@given(graphs())
def test_each_piece_computes_on_one_device(graph: Graph) -> None:
    for piece in split_devices(graph).pieces:
        part = piece.program([x for x in piece.reads if x not in graph.state], graph.state)
        assert not any(x.op.name == "to_device" for x in part.nodes)
        assert {x.device or "cpu" for x in part.computed} <= {piece.device, "cpu"}


def test_what_runs_on_one_device_is_one_program() -> None:
    x = make_input("x", TYPE, device="cuda:0")
    rate = make_input("rate", NUMBER)
    graph = Graph((x, rate), (x * (rate * 3.0) + full((3,), const(1.0, float32)),))
    assert devices_of(graph) == {"cpu", "cuda:0"}
    (piece,) = split_devices(graph).pieces
    assert piece.device == "cuda:0"
    assert type(program_of(graph, find("numpy"))) is Program
    y = make_input("y", TYPE)
    assert type(program_of(Graph((y,), (y + y,)), find("numpy"))) is Program
    moved = Graph((y,), (ToDevice("cuda:0")(y) * 2.0,))
    assert type(program_of(moved, find("numpy"))) is Program
    assert type(program_of(Graph((x,), (ToDevice("cpu")(x),)), find("numpy"))) is not Program
