"""Memory that numpy made: graphc's own once nobody outside holds it, until then read anew."""

from __future__ import annotations

import numpy as np

import graphc
from graphc.recording import session


def test_memory_that_nobody_else_holds_is_read_once() -> None:
    x = graphc.from_numpy(np.ones(4, np.float32))
    assert session.trace.node_of(x) is session.trace.node_of(x)


def test_memory_that_somebody_holds_is_read_anew() -> None:
    array = np.ones(4, np.float32)
    x = graphc.from_numpy(array)
    before = x * 2
    array[:] = 5
    after = x * 2
    assert before.tolist() == [2.0] * 4
    assert after.tolist() == [10.0] * 4


def test_memory_that_is_handed_out_again_is_read_anew() -> None:
    x = graphc.from_numpy(np.ones(4, np.float32))
    before = x * 2
    array = x.numpy()
    array[:] = 5
    after = x * 2
    assert before.tolist() == [2.0] * 4
    assert after.tolist() == [10.0] * 4


def test_a_parameter_is_filled_from_passing_arrays_again_and_again() -> None:
    weight = graphc.nn.Parameter(graphc.zeros(4))

    def fill(value: float) -> None:
        with graphc.no_grad():
            weight.copy_(graphc.from_numpy(np.full(4, value, np.float32)))

    for value in (1.0, 2.0):
        fill(value)
        with graphc.no_grad():
            assert weight.sum().item() == 4 * value
        fill(value + 1)
        weight.grad = None
        loss = (weight * weight).sum()
        loss.backward()
        assert loss.item() == 4 * (value + 1) ** 2
        assert weight.grad is not None
        assert weight.grad.tolist() == [2 * (value + 1)] * 4
