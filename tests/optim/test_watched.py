"""Steps whose parameters, state and statistics somebody else looks at, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.optim.training import Make, batches, network, same_weights, torch

STEPS = 4
MAKERS: dict[str, Make] = {
    "sgd": lambda p, n: p.optim.SGD(
        [{"params": n[1].parameters()}, {"params": n[3].parameters(), "lr": 0.05}],
        lr=0.1,
        momentum=0.9,
    ),
    "adamw": lambda p, n: p.optim.AdamW(n.parameters(), lr=0.05),
    "adafactor": lambda p, n: p.optim.Adafactor(n.parameters(), lr=0.05),
}


def arrays(net: Any, optimizer: Any) -> list[Any]:
    """Everything that a step writes, as numpy sees it."""
    state = [x for held in optimizer.state.values() for x in held.values()]
    tensors = [*(p.detach() for p in net.parameters()), *net.buffers()]
    return [x.numpy() for x in (*tensors, *state) if hasattr(x, "numpy")]


def perturbed(package: Any, net: Any, _: Any) -> list[Any]:
    """The weights changed, and what they were put back in their place."""
    with package.no_grad():
        for p in net.parameters():
            before = p.data.clone()
            p.add_(0.1)
            p.data = before
    return []


WATCHERS: dict[str, Callable[[Any, Any, Any], list[Any]]] = {
    "numpy": lambda package, net, optimizer: arrays(net, optimizer),
    "put back": perturbed,
}


def trained(package: Any, make: Make, watch: Any, compiled: bool = False) -> tuple[Any, list[Any]]:
    """The network after a few steps, and what was seen of the last one."""
    net = package.nn.Sequential(package.nn.BatchNorm1d(6), *network(package))
    optimizer = make(package, net)
    call = graphc.compile(net) if compiled else net
    for x, y in batches(STEPS):
        optimizer.zero_grad()
        package.nn.functional.cross_entropy(call(package.tensor(x)), package.tensor(y)).backward()
        seen = watch(package, net, optimizer)
        optimizer.step()
    return net, seen


@pytest.mark.parametrize("compiled", (False, True), ids=("plain", "compiled"))
@pytest.mark.parametrize("watcher", WATCHERS)
@pytest.mark.parametrize("name", MAKERS)
def test_a_step_that_is_looked_at(name: str, watcher: str, compiled: bool) -> None:
    watch = WATCHERS[watcher]
    mine, ours = trained(graphc, MAKERS[name], watch, compiled)
    peer, theirs = trained(torch, MAKERS[name], watch)
    same_weights(mine, peer)
    for array, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)
