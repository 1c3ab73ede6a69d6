"""L-BFGS against PyTorch's, with and without line search: losses, weights and state."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.torch_peer import torch

SETTINGS: dict[str, dict[str, Any]] = {
    "usual": {"lr": 0.05},
    "short": {"lr": 0.1, "max_iter": 3},
    "one at a time": {"lr": 0.1, "max_iter": 1},
    "forgetful": {"lr": 0.1, "history_size": 2},
    "few evaluations": {"lr": 0.1, "max_eval": 4},
    "tolerant": {"lr": 0.5, "tolerance_grad": 0.3},
    "content": {"lr": 0.05, "tolerance_change": 0.05},
    "search": {"line_search_fn": "strong_wolfe"},
    "short search": {"line_search_fn": "strong_wolfe", "max_iter": 3, "max_eval": 5},
    "long steps": {"lr": 30, "line_search_fn": "strong_wolfe", "max_iter": 6},
    "short steps": {"lr": 1e-3, "line_search_fn": "strong_wolfe", "max_iter": 6},
}


class Valley:
    """Rosenbrock's function of a matrix and a vector, the other parameter being of no use."""

    def __init__(self, package: Any, settings: dict[str, Any]) -> None:
        make = package.nn.Parameter
        self.x = make(package.tensor([[-1.0, 0.5], [0.3, 1.2]], dtype=package.float64))
        self.y = make(package.tensor([1.5, -0.7], dtype=package.float64))
        self.unused = make(package.zeros(2, dtype=package.float64))
        self.parameters = [self.x, self.unused, self.y]
        self.optimizer = package.optim.LBFGS(self.parameters, **settings)
        self.calls = 0

    def closure(self) -> Any:
        self.calls += 1
        self.optimizer.zero_grad()
        inner = (self.y - (self.x**2).sum(0)) ** 2
        loss = (5 * inner).sum() + ((1 - self.x) ** 2).sum()
        loss.backward()
        return loss

    def step(self) -> float:
        return float(self.optimizer.step(self.closure).item())


def same_state(mine: Any, peer: Any) -> None:
    """Both states have the same form and, up to rounding, the same numbers."""
    if isinstance(peer, dict):
        assert list(mine) == list(peer)
        for name in peer:
            same_state(mine[name], peer[name])
    elif isinstance(peer, list):
        assert len(mine) == len(peer)
        for a, b in zip(mine, peer, strict=True):
            same_state(a, b)
    elif isinstance(peer, torch.Tensor):
        assert str(mine.dtype) == str(peer.dtype)
        np.testing.assert_allclose(mine.numpy(), peer.numpy(), rtol=1e-6, atol=1e-9)
    elif isinstance(peer, float):
        np.testing.assert_allclose(mine, peer, rtol=1e-6)
    else:
        assert mine == peer


def same_valleys(mine: Valley, peer: Valley) -> None:
    assert mine.calls == peer.calls
    for a, b in zip(mine.parameters, peer.parameters, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-6, atol=1e-9)
    same_state(mine.optimizer.state_dict(), peer.optimizer.state_dict())


@pytest.mark.parametrize("case", SETTINGS)
def test_a_descent_goes_as_in_pytorch(case: str) -> None:
    mine, peer = (Valley(package, SETTINGS[case]) for package in (graphc, torch))
    assert repr(mine.optimizer) == repr(peer.optimizer)
    calls = max(2, 12 // SETTINGS[case].get("max_iter", 20))
    for _ in range(calls):
        np.testing.assert_allclose(mine.step(), peer.step(), rtol=1e-7)
        same_valleys(mine, peer)


def test_the_search_finds_the_bottom() -> None:
    valley = Valley(graphc, {"line_search_fn": "strong_wolfe", "max_iter": 100})
    valley.step()
    assert valley.step() < 1e-9


@pytest.mark.parametrize("case", ["usual", "search"])
def test_a_saved_state_goes_on(case: str) -> None:
    mine, peer = (Valley(package, SETTINGS[case]) for package in (graphc, torch))
    for valley in (mine, peer):
        valley.step()
        saved = copy.deepcopy(valley.optimizer.state_dict())
        if valley is mine:
            saved = pickle.loads(pickle.dumps(saved))
        fresh = type(valley.optimizer)(valley.parameters)
        fresh.load_state_dict(saved)
        valley.optimizer = fresh
    np.testing.assert_allclose(mine.step(), peer.step(), rtol=1e-7)
    same_valleys(mine, peer)


def test_a_flat_place_is_left_as_it_is() -> None:
    def program(m: Any) -> Any:
        p = m.nn.Parameter(m.zeros(2))
        optimizer = m.optim.LBFGS([p])

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        return optimizer.step(closure).item(), repr(p), repr(dict(optimizer.state[p]))

    both(program)


def test_single_precision() -> None:
    def descend(m: Any) -> Any:
        p = m.nn.Parameter(m.tensor([3.0, -2.0]))
        optimizer = m.optim.LBFGS([p], lr=m.tensor(0.5), max_iter=4)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (p**4).sum() + (p[0] - p[1]) ** 2
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(4)]
        return losses, p.detach().numpy()

    for mine, peer in zip(descend(graphc), descend(torch), strict=True):
        np.testing.assert_allclose(mine, peer, rtol=1e-4, atol=1e-6)


def test_errors_are_pytorchs() -> None:
    both_fail(lambda m: m.optim.LBFGS([m.ones(1)], lr=-1))
    both_fail(lambda m: m.optim.LBFGS([{"params": [m.ones(1)]}, {"params": [m.zeros(1)]}]))
    both_fail(lambda m: m.optim.LBFGS([m.ones(1)], lr=m.ones(2)))

    def search(m: Any) -> None:
        valley = Valley(m, {"line_search_fn": "golden"})
        valley.step()

    both_fail(search)
