"""The conformance kit notices a backend that is wrong, and a rule that is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from graphc.backend import Sources
from graphc.backends.numpy import NumpyBackend
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Node, elementwise, make_input
from graphc.ir.types import TensorType
from graphc.ops.composite import Composite
from graphc.ops.transcendental import Tanh
from graphc.passes import PASSES, run
from graphc.recording import Detach
from graphc.testing import test_composites as composites
from graphc.testing import test_contract as contract
from graphc.testing import test_gradients as gradients
from graphc.testing import test_graphs as graphs
from graphc.testing import test_text as texts
from graphc.testing import test_values as values
from graphc.testing.table import table

NUMPY = NumpyBackend()


class Altered(NumpyBackend):
    """The numpy backend with another text."""

    def __init__(self, alter: Callable[[str], str]) -> None:
        self.alter = alter

    def emit(self, graph: Graph) -> Sources:
        found = super().emit(graph)
        return replace(found, text=self.alter(found.text))


def spelling(before: str, after: str) -> Altered:
    return Altered(lambda text: text.replace(before, after))


class Claiming(NumpyBackend):
    """A backend that keeps attention, and computes it by its body at another temperature."""

    composites = frozenset({"attention"})

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature
        self.claimed = 0

    def emit(self, graph: Graph) -> Sources:
        return super().emit(run(graph.rebuild(self._tempered), PASSES))

    def _tempered(self, node: Node, operands: tuple[Node, ...]) -> Node:
        op = node.op
        if not isinstance(op, Composite):
            return reuse(node, operands)
        self.claimed += 1
        options = {**dict(op.options), "scale": 0.5 / self.temperature}
        return replace(op, options=tuple(sorted(options.items())))(*operands)


def test_a_wrong_value_is_noticed() -> None:
    values.test_value((table()["tanh"], float32), NUMPY)
    with pytest.raises(AssertionError, match=r"tanh\(f32.* elements differ"):
        values.test_value((table()["tanh"], float32), spelling("np.tanh(", "np.sin("))


def test_a_value_off_by_a_few_roundings_is_noticed() -> None:
    call, wrong = r"np\.sqrt\((\w+), out=(\w+)\)", r"np.multiply(np.sqrt(\1), 1.000001, out=\2)"
    backend = Altered(lambda text: re.sub(call, wrong, text))
    with pytest.raises(AssertionError, match="rounded to nearest"):
        values.test_value((table()["sqrt"], float32), backend)


def test_a_graph_computed_wrongly_is_noticed() -> None:
    test: Any = graphs.test_random_graph
    check = test.hypothesis.inner_test
    x = make_input("x", TensorType((3,), float32))
    drawn = Graph((x,), (elementwise("tanh", x) * 2.0,)), [np.ones(3, np.float32)]
    wrong = spelling("np.tanh(", "np.sin(")
    check(NUMPY, (), drawn)
    with pytest.raises(AssertionError, match="numpy and the references"):
        check(wrong, (), drawn)
    with pytest.raises(AssertionError, match="numpy and numpy"):
        check(NUMPY, (wrong,), drawn)


def test_text_that_changes_is_noticed() -> None:
    numbers = count()
    with pytest.raises(AssertionError):
        texts.test_text_is_the_same_every_time(
            table()["tanh"], Altered(lambda text: f"{text}# {next(numbers)}\n")
        )


def test_a_composite_s_wrong_kernel_is_noticed() -> None:
    right, wrong = Claiming(1.0), Claiming(1.01)
    composites.test_kernel_against_body("attention", float32, right)
    with pytest.raises(AssertionError, match=r"attention.* elements differ"):
        composites.test_kernel_against_body("attention", float32, wrong)
    assert right.claimed and wrong.claimed


def test_a_wrong_gradient_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tanh, "grad", lambda self, node, dy: (dy * (1.0 - node),))
    with pytest.raises(AssertionError, match="gradient of tanh"):
        gradients.test_gradient(table()["tanh"], NUMPY)


def test_a_wrong_second_gradient_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def grad(self: Tanh, node: Node, dy: Node) -> tuple[Node, ...]:
        rest = 1.0 - Detach()(node * node)
        return (dy * rest + 0.0 * elementwise("exp", node.inputs[0]),)

    monkeypatch.setattr(Tanh, "grad", grad)
    gradients.test_gradient(table()["tanh"], NUMPY)
    with pytest.raises(AssertionError, match="second gradient of tanh"):
        gradients.test_second_gradient(table()["tanh"], NUMPY)


def test_an_input_that_is_returned_itself_is_noticed() -> None:
    with pytest.raises(AssertionError):
        contract.test_outputs_are_arrays_of_their_own(spelling("np.copyto(y0, x)", "y0 = x"))
