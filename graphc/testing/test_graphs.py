"""Random whole graphs, and large ones, against the plain interpreter and between backends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from graphc.backend import Backend
from graphc.backends import find
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import elementwise, make_input
from graphc.ir.types import Shape, TensorType
from graphc.ops.reduce import Max, Sum
from graphc.testing.interpreter import interpret
from graphc.testing.operands import Array, draw
from graphc.testing.plugin import asked, usable
from graphc.testing.programs import check, run
from graphc.testing.random_graphs import gradient_graphs, graphs
from graphc.testing.table import Tolerance

CHAINED = Tolerance("some tens of well-conditioned operations on numbers up to 100", 400, 4000)
STEEP = Tolerance("derivatives multiply roundings; of the largest element, one in 10⁷", 0, 5e8)
ADDED = Tolerance("tens of thousands of numbers near one, added in any order", 400, 4000)


REPEATABLE = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="session")
def peers(backend: Backend, pytestconfig: pytest.Config) -> tuple[Backend, ...]:
    """What a backend is compared with: numpy, and those of this run that come before it."""
    chosen = {"numpy": find("numpy"), **(asked(pytestconfig) or usable())}
    return tuple(takewhile(lambda x: x is not backend, chosen.values()))


def answers(
    graph: Graph, arrays: list[Array], backends: Iterable[Backend]
) -> Iterator[tuple[str, list[Array]]]:
    """What the interpreter gives, node by node, and then what each backend does."""
    yield "the references", interpret(graph, dict(zip(graph.inputs, arrays, strict=True)))
    for each in backends:
        yield each.name, run(each, graph, arrays)


@REPEATABLE
@given(drawn=graphs())
def test_random_graph(
    backend: Backend, peers: tuple[Backend, ...], drawn: tuple[Graph, list[Array]]
) -> None:
    """Every output of the fused program equals what its nodes give one by one."""
    graph, arrays = drawn
    found = run(backend, graph, arrays)
    for name, wanted in answers(graph, arrays, peers):
        for got, right in zip(found, wanted, strict=True):
            check(f"{backend.name} and {name}: {graph}", got, right, CHAINED)


@REPEATABLE
@given(drawn=gradient_graphs())
def test_random_gradient(
    backend: Backend, peers: tuple[Backend, ...], drawn: tuple[Graph, list[Array]]
) -> None:
    """A backward pass shares much with its forward pass, and is fused with it."""
    graph, arrays = drawn
    found = run(backend, graph, arrays)
    for name, wanted in answers(graph, arrays, peers):
        for got, right in zip(found, wanted, strict=True):
            largest = float(np.max(np.abs(right), initial=1.0))
            what = f"{backend.name} and {name}: {graph}"
            check(what, got / largest, right / largest, STEEP)


@pytest.mark.parametrize("shape", [(700, 513), (1, 70000), (70000, 1), (2, 300, 301)], ids=str)
def test_large_arrays(shape: Shape, backend: Backend) -> None:
    """Larger than a tile, a cache or a block of threads, and no multiple of any."""
    x = make_input("x", TensorType(shape, float32))
    last = (len(shape) - 1,)
    powers = elementwise("exp", x - Max(last)(x))
    outputs = (powers / Sum(last)(powers), Sum((0,))(x * x), Sum(tuple(range(len(shape))))(x))
    array = draw(float32, *shape)
    graph = Graph((x,), outputs)
    for got, right in zip(run(backend, graph, [array]), interpret(graph, {x: array}), strict=True):
        check(f"{shape}", got, right, ADDED)
