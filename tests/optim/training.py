"""The same small training over graphc and over PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc

torch = pytest.importorskip("torch", reason="the peers extra compares with PyTorch")

STEPS = 8
Make = Callable[[Any, Any], Any]
"""An optimizer of a package (graphc or torch) for a network."""


def network(package: Any) -> Any:
    """A classifier of 6 numbers with the same weights in either package."""
    nn = package.nn
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    draws = np.random.default_rng(0)
    with package.no_grad():
        for p in net.parameters():
            values = draws.standard_normal(tuple(p.shape)).astype("float32") * 0.4
            p.copy_(package.tensor(values))
    return net


def batches(steps: int = STEPS) -> list[tuple[Any, Any]]:
    """Numbers and classes for each step."""
    draws = np.random.default_rng(1)
    return [
        (draws.standard_normal((5, 6)).astype("float32"), draws.integers(0, 3, 5))
        for _ in range(steps)
    ]


def stepper(package: Any, net: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    """A training step that gives the loss."""
    loss_of = package.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(
    package: Any,
    make: Make,
    *,
    compiled: bool = False,
    before: Callable[[Any, int], None] | None = None,
) -> tuple[list[float], Any, Any]:
    """The losses of a training, the network and the optimizer; ``before`` sees each step."""
    net = network(package)
    optimizer = make(package, net)
    step = stepper(package, net, optimizer)
    if compiled and package is graphc:
        step = graphc.compile(step)
    losses = []
    for number, (x, y) in enumerate(batches()):
        if before is not None:
            before(optimizer, number)
        losses.append(step(package.tensor(x), package.tensor(y)).item())
    return losses, net, optimizer


def same_weights(mine: Any, peer: Any) -> None:
    """The parameters of both networks agree up to the rounding of float32."""
    for a, b in zip(mine.parameters(), peer.parameters(), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=3e-6)


def same_state(mine: Any, peer: Any) -> None:
    """Both optimizers give a state of the same form and, up to rounding, the same numbers."""
    ours, theirs = mine.state_dict(), peer.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for number, state in theirs["state"].items():
        assert list(ours["state"][number]) == list(state)
        for name, value in state.items():
            found = ours["state"][number][name]
            assert str(found.dtype) == str(value.dtype)
            assert tuple(found.shape) == tuple(value.shape)
            np.testing.assert_allclose(found.numpy(), value.numpy(), rtol=1e-5, atol=3e-6)
