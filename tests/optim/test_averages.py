"""Averaged models and their schedule, against PyTorch's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.optim.training import batches, torch

Averaged = Callable[[Any, Any], Any]
"""An averaged model of a module of ``package.optim.swa_utils`` for a model."""

MODELS: dict[str, Averaged] = {
    "mean": lambda s, m: s.AveragedModel(m),
    "mean, on a device": lambda s, m: s.AveragedModel(m, device="cpu", use_buffers=True),
    "mean, of lists": lambda s, m: s.AveragedModel(m, multi_avg_fn=s.get_swa_multi_avg_fn()),
    "decaying": lambda s, m: s.AveragedModel(m, avg_fn=s.get_ema_avg_fn(0.8)),
    "decaying, of lists": lambda s, m: s.AveragedModel(
        m, multi_avg_fn=s.get_ema_multi_avg_fn(0.8), use_buffers=True
    ),
    "own": lambda s, m: s.AveragedModel(m, avg_fn=lambda kept, new, n: kept * 0.5 + new / (n + 2)),
}

SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "cosine": lambda s, o: s.SWALR(o, 0.05, anneal_epochs=4),
    "linear": lambda s, o: s.SWALR(o, [0.05, 0.2], anneal_epochs=3, anneal_strategy="linear"),
    "at once": lambda s, o: s.SWALR(o, swa_lr=0.02, anneal_epochs=0),
}


def model(package: Any) -> Any:
    """A model with running statistics, and weights that are the same in either package."""
    nn = package.nn
    net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    draws = np.random.default_rng(0)
    with package.no_grad():
        for p in net.parameters():
            p.copy_(package.tensor(draws.standard_normal(tuple(p.shape)).astype("float32")))
    return net


def trained(package: Any, make: Averaged, anew: bool) -> dict[str, Any]:
    """The state of the averaged model after a training."""
    net = model(package)
    averaged = make(package.optim.swa_utils, net)
    optimizer = package.optim.SGD(net.parameters(), lr=0.1)
    data = [(package.tensor(x), package.tensor(y)) for x, y in batches(4)]
    for x, y in data:
        optimizer.zero_grad()
        package.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        averaged.update_parameters(net)
    if anew:
        averaged.eval()
        package.optim.swa_utils.update_bn(data, averaged, device="cpu")
        assert not averaged.training and averaged.module[1].momentum == 0.1
    averaged(data[0][0])
    return {name: x.numpy() for name, x in averaged.state_dict().items()}


@pytest.mark.parametrize("anew", (False, True), ids=("as they were", "statistics anew"))
@pytest.mark.parametrize("name", MODELS)
def test_averaged_models(name: str, anew: bool) -> None:
    mine, theirs = (trained(package, MODELS[name], anew) for package in (graphc, torch))
    assert list(mine) == list(theirs)
    for key, expected in theirs.items():
        np.testing.assert_allclose(mine[key], expected, rtol=1e-5, atol=1e-6, err_msg=key)


def rates(package: Any, make: Callable[[Any, Any], Any]) -> list[Any]:
    net = model(package)
    groups = [{"params": net[0].parameters()}, {"params": net[3].parameters(), "lr": 0.5}]
    optimizer = package.optim.SGD(groups, lr=0.1)
    schedule = make(package.optim.swa_utils, optimizer)
    found = [schedule.get_last_lr()]
    for step in range(7):
        optimizer.step()
        schedule.step()
        if step == 2:
            state = copy.deepcopy(schedule.state_dict())
            schedule = make(package.optim.swa_utils, optimizer)
            schedule.load_state_dict(state)
        found.append([group["lr"] for group in optimizer.param_groups])
    return found


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str) -> None:
    mine, theirs = (rates(package, SCHEDULES[name]) for package in (graphc, torch))
    np.testing.assert_allclose(mine, theirs, rtol=1e-12)


WRONG: dict[str, Callable[[Any], Any]] = {
    "decay": lambda m: m.optim.swa_utils.get_ema_avg_fn(1.5),
    "two averages": lambda m: m.optim.swa_utils.AveragedModel(model(m), None, max, max),
    "strategy": lambda m: m.optim.swa_utils.SWALR(
        m.optim.SGD(model(m).parameters(), 0.1), 0.05, anneal_strategy="square"
    ),
    "epochs": lambda m: m.optim.swa_utils.SWALR(m.optim.SGD(model(m).parameters(), 0.1), 0.05, -1),
    "rates": lambda m: m.optim.swa_utils.SWALR(m.optim.SGD(model(m).parameters(), 0.1), [0.1, 0.2]),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str) -> None:
    both_fail(WRONG[name])


def test_without_statistics_nothing_is_run() -> None:
    def program(m: Any) -> Any:
        net = m.nn.Linear(2, 2).eval()
        m.optim.swa_utils.update_bn(["no batch"], net)
        return net.training

    assert both(program) is False
