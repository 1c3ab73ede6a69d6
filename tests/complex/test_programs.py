"""Programs with complex numbers train as in PyTorch: step by step, and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.complex.programs import PROGRAMS, Program, batches
from tests.torch_peer import torch

STEPS = 5
BACKENDS = ("numpy", "native")


def trained(m: Any, program: Program, start: dict[str, Any] | None, backend: str = "") -> Any:
    """The losses of a few steps of Adam, the parameters before these and after."""
    model, loss_of = program(m)
    if start is not None:
        model.load_state_dict({name: m.tensor(x) for name, x in start.items()})
    before = {name: x.detach().numpy().copy() for name, x in model.state_dict().items()}
    optimizer = m.optim.Adam(model.parameters(), lr=1e-2)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        optimizer.step()
        return loss

    if backend:
        step = m.compile(step, backend=backend)
    losses = [step(m.tensor(x)).item() for x in batches(STEPS)]
    after = {name: x.detach().numpy() for name, x in model.state_dict().items()}
    return losses, before, after


@pytest.fixture(scope="module", params=list(PROGRAMS.values()), ids=list(PROGRAMS))
def peer(request: pytest.FixtureRequest) -> Any:
    """A program, and how PyTorch trains it."""
    torch.manual_seed(0)
    return request.param, trained(torch, request.param, None)


@pytest.mark.parametrize("backend", ["", *BACKENDS])
def test_training(peer: Any, backend: str) -> None:
    program, (losses, before, after) = peer
    found, _, parameters = trained(graphc, program, before, backend)
    np.testing.assert_allclose(found, losses, rtol=2e-4, atol=2e-5)
    for name, expected in after.items():
        np.testing.assert_allclose(parameters[name], expected, rtol=2e-3, atol=2e-3)
    assert max(abs(after[name] - before[name]).max() for name in after) > 1e-2
