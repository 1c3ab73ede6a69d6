"""Schedules against PyTorch's: the same rates and momenta, step after step."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.optim.training import Make, network, same_weights, torch, train

Schedule = Callable[[Any, Any], Any]
"""A schedule of ``package.optim.lr_scheduler`` for an optimizer."""


class Root:
    """A factor that holds something, so that it is saved with the schedule."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, epoch: int) -> float:
        return self.scale / math.sqrt(1 + epoch)


SCHEDULES: dict[str, Schedule] = {
    "lambda": lambda s, o: s.LambdaLR(o, [lambda i: 0.9**i, Root(0.5)]),
    "lambda, one": lambda s, o: s.LambdaLR(o, lambda i: min(1.0, i / 4)),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda i: 0.95),
    "step": lambda s, o: s.StepLR(o, 3, gamma=0.5),
    "several steps": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], gamma=0.5),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=4),
    "linear": lambda s, o: s.LinearLR(o, start_factor=0.1, end_factor=0.8, total_iters=6),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=8, power=2.0),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, T_max=5, eta_min=0.001),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=2, eta_min=0.001),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.3], step_size_up=3, step_size_down=2),
    "cyclic, less": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=2, mode="triangular2"),
    "cyclic, decay": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=2, mode="exp_range", gamma=0.9, cycle_momentum=False
    ),
    "cyclic, scaled": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, scale_fn=lambda x: 1 / x),
    "one cycle": lambda s, o: s.OneCycleLR(o, max_lr=0.2, total_steps=12),
    "one cycle, linear": lambda s, o: s.OneCycleLR(
        o, [0.2, 0.1], epochs=3, steps_per_epoch=4, anneal_strategy="linear", pct_start=0.5
    ),
    "one cycle, three phases": lambda s, o: s.OneCycleLR(
        o, 0.2, total_steps=12, three_phase=True, cycle_momentum=False
    ),
    "sequential": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=3), s.CosineAnnealingLR(o, 6)], milestones=[3]
    ),
    "sequential, three": lambda s, o: s.SequentialLR(
        o,
        [s.ConstantLR(o, 0.5), s.ExponentialLR(o, 0.8), s.StepLR(o, 2)],
        milestones=[2, 6],
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.5, total_iters=3), s.ExponentialLR(o, 0.9)]
    ),
}
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda package, net: package.optim.SGD(
        [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.3}],
        lr=0.1,
        momentum=0.9,
    ),
    "adam": lambda package, net: package.optim.Adam(
        [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.03}], lr=0.01
    ),
}


def rates(optimizer: Any) -> list[Any]:
    """What schedules change, for each group."""
    return [
        (group["lr"], group.get("momentum"), group.get("betas")) for group in optimizer.param_groups
    ]


def scheduled(package: Any, make: Make, schedule: Schedule) -> tuple[Any, Any]:
    optimizer = make(package, network(package))
    scheduler = schedule(package.optim.lr_scheduler, optimizer)
    optimizer.step()
    return optimizer, scheduler


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", SCHEDULES)
def test_rates_are_as_in_pytorch(case: str, optimizer: str) -> None:
    make, schedule = OPTIMIZERS[optimizer], SCHEDULES[case]
    (mine, scheduler), (its, other) = (
        scheduled(package, make, schedule) for package in (graphc, torch)
    )
    assert rates(mine) == rates(its)
    for _ in range(11):
        scheduler.step()
        other.step()
        assert rates(mine) == rates(its)
        assert scheduler.get_last_lr() == other.get_last_lr() == [g["lr"] for g in its.param_groups]


@pytest.mark.parametrize("case", SCHEDULES)
def test_a_saved_schedule_goes_on(case: str) -> None:
    make, schedule = OPTIMIZERS["sgd"], SCHEDULES[case]
    optimizer, scheduler = scheduled(graphc, make, schedule)
    for _ in range(4):
        scheduler.step()
    fresh, other = scheduled(graphc, make, schedule)
    other.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    fresh.load_state_dict(optimizer.state_dict())
    for _ in range(5):
        scheduler.step()
        other.step()
        assert rates(fresh) == rates(optimizer)


NAMED = ["lambda", "step", "several steps", "constant", "linear", "exponential", "polynomial"]


@pytest.mark.parametrize("case", [*NAMED, "cosine", "restarts"])
def test_an_epoch_may_be_named(case: str) -> None:
    make, schedule = OPTIMIZERS["sgd"], SCHEDULES[case]
    (mine, scheduler), (its, other) = (
        scheduled(package, make, schedule) for package in (graphc, torch)
    )
    for epoch in (1, 4, 2, 9):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            scheduler.step(epoch)
            other.step(epoch)
        assert rates(mine) == rates(its)


@pytest.mark.parametrize("settings", [{}, {"mode": "max"}, {"threshold_mode": "abs"}])
def test_a_plateau_lowers_the_rate(settings: dict[str, Any]) -> None:
    def plateau(s: Any, o: Any) -> Any:
        return s.ReduceLROnPlateau(o, patience=1, cooldown=1, min_lr=[1e-3, 0.0], **settings)

    (mine, scheduler), (its, other) = (
        scheduled(package, OPTIMIZERS["sgd"], plateau) for package in (graphc, torch)
    )
    for measure in (3.0, 2.0, 2.0, 2.1, 1.9999, 1.5, 1.6, 1.7, 1.8, 1.4, 1.45, 1.5, 1.6, 1.7):
        scheduler.step(graphc.tensor(measure))
        other.step(torch.tensor(measure))
        assert rates(mine) == rates(its)
        assert scheduler.num_bad_epochs == other.num_bad_epochs


@pytest.mark.parametrize("compiled", [False, True], ids=["plain", "compiled"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", ["lambda, one", "one cycle", "sequential", "cyclic"])
def test_a_scheduled_training_goes_as_in_pytorch(case: str, optimizer: str, compiled: bool) -> None:
    def follow(package: Any) -> tuple[list[float], Any]:
        schedules: list[Any] = []

        def make(package: Any, net: Any) -> Any:
            found = OPTIMIZERS[optimizer](package, net)
            schedules.append(SCHEDULES[case](package.optim.lr_scheduler, found))
            return found

        def before(_: Any, number: int) -> None:
            if number:
                schedules[0].step()

        losses, net, _ = train(package, make, compiled=compiled, before=before)
        return losses, net

    losses, net = follow(graphc)
    expected, peer = follow(torch)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    same_weights(net, peer)


def test_the_rate_may_be_a_tensor() -> None:
    for package in (graphc, torch):
        p = package.nn.Parameter(package.ones(2))
        optimizer = package.optim.SGD([p], lr=package.tensor(0.5))
        held = optimizer.param_groups[0]["lr"]
        scheduler = package.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] is held
        assert held.item() == 0.25
        assert scheduler.get_last_lr()[0].item() == 0.25


def test_a_schedule_of_ones_own() -> None:
    found = []
    for package in (graphc, torch):

        class Halves(package.optim.lr_scheduler.LRScheduler):  # type: ignore[misc,name-defined]
            def get_lr(self) -> list[float]:
                return [base / 2**self.last_epoch for base in self.base_lrs]

        optimizer, scheduler = scheduled(package, OPTIMIZERS["sgd"], lambda _, o: Halves(o))
        for _ in range(3):
            scheduler.step()
        found.append(rates(optimizer))
    assert found[0] == found[1]


def test_stepping_the_schedule_first_warns() -> None:
    optimizer = OPTIMIZERS["sgd"](graphc, network(graphc))
    scheduler = graphc.optim.lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="`lr_scheduler.step\\(\\)` before `optimizer.step\\(\\)`"):
        scheduler.step()


def test_asking_for_the_next_rate_warns() -> None:
    _, scheduler = scheduled(graphc, OPTIMIZERS["sgd"], SCHEDULES["step"])
    with pytest.warns(UserWarning, match="please use `get_last_lr\\(\\)`"):
        scheduler.get_lr()


WRONG: dict[str, Schedule] = {
    "no optimizer": lambda s, o: s.StepLR(3, 1),
    "count of functions": lambda s, o: s.LambdaLR(o, [abs]),
    "no function": lambda s, o: s.MultiplicativeLR(o, 0.5),
    "constant": lambda s, o: s.ConstantLR(o, factor=1.5),
    "linear start": lambda s, o: s.LinearLR(o, start_factor=0),
    "linear end": lambda s, o: s.LinearLR(o, end_factor=2),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=0),
    "restarts factor": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=0),
    "plateau factor": lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda s, o: s.ReduceLROnPlateau(o, mode="best"),
    "plateau rates": lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]),
    "one cycle without steps": lambda s, o: s.OneCycleLR(o, 0.1),
    "one cycle, no steps": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=0),
    "one cycle share": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
    "one cycle way": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="up"),
    "one cycle too far": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5).step(6),
    "cyclic mode": lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="round"),
    "cyclic rates": lambda s, o: s.CyclicLR(o, [0.1], 0.2),
    "sequential": lambda s, o: s.SequentialLR(o, [], []),
    "sequential milestones": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]),
    "sequential plateau": lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    "resumed": lambda s, o: s.StepLR(o, 1, last_epoch=3),
    "chained": lambda s, o: s.ChainedScheduler([]),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_errors_are_pytorchs(case: str) -> None:
    found = []
    for package in (graphc, torch):
        optimizer = OPTIMIZERS["sgd"](package, network(package))
        with pytest.raises((ValueError, TypeError, KeyError)) as caught:
            WRONG[case](package.optim.lr_scheduler, optimizer)
        found.append(caught.value)
    assert str(found[0]) == str(found[1])
    assert isinstance(found[0], type(found[1]))
