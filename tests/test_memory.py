"""Memory is given back at once: no array waits for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import graphc
from graphc import nn


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def one_training_step() -> Callable[[], Any]:
    model = nn.Linear(3, 2)
    optimizer = graphc.optim.SGD(model.parameters(), lr=0.1)
    x = graphc.ones(4, 3)

    def step() -> Any:
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    return step


def plain() -> Callable[[], Any]:
    x = graphc.ones(4, 3)
    return lambda: x * 2 + 1


def a_view() -> Callable[[], Any]:
    x = graphc.ones(4, 3)
    return lambda: (x * 2)[1:]


def with_history() -> Callable[[], Any]:
    x = graphc.ones(4, 3, requires_grad=True)
    return lambda: (x * 2).sum()


MAKERS = [one_training_step, plain, a_view, with_history]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_result_is_freed_with_its_last_reference(
    make: Callable[[], Callable[[], Any]], compiled: bool
) -> None:
    step = graphc.compile(make()) if compiled else make()
    result = step()
    array = weakref.ref(result.detach().numpy())
    del result
    step().detach().numpy()
    assert array() is None
