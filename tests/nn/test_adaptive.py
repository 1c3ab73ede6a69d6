"""The loss over many classes of which few are frequent, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import Program, both_fail
from tests.torch_peer import numbers, torch


def module(package: Any, **settings: Any) -> Any:
    made = package.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0, **settings)
    rng = np.random.default_rng(0)
    with package.no_grad():
        for p in made.parameters():
            p.copy_(package.tensor(rng.standard_normal(tuple(p.shape)).astype("float32")))
    return made


def outcome(package: Any, bias: bool, compiled: bool = False) -> list[Any]:
    made = module(package, head_bias=bias)
    call = graphc.compile(made) if compiled else made
    x = package.linspace(-1, 1, 40).reshape(5, 8).requires_grad_()
    found = call(x, package.tensor([0, 4, 11, 2, 7]))
    found.loss.backward()
    one = made(x[0], package.tensor(5))
    rest = [made.log_prob(x), made.predict(x), one.output, one.loss]
    return [found.output, found.loss, *rest, x.grad, *(p.grad for p in made.parameters())]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_values_and_gradients(bias: bool, compiled: bool) -> None:
    pairs = zip(outcome(graphc, bias, compiled), outcome(torch, bias), strict=True)
    for mine, theirs in pairs:
        assert tuple(mine.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(numbers(mine), numbers(theirs), 1e-4, 1e-5)


def test_it_prints_and_saves_as_pytorchs() -> None:
    mine, theirs = module(graphc, head_bias=True), module(torch, head_bias=True)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())


FAULTS: dict[str, Program] = {
    "no cutoffs": lambda p: p.nn.AdaptiveLogSoftmaxWithLoss(8, 12, []),
    "order": lambda p: p.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [7, 3]),
    "beyond": lambda p: p.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 12]),
    "rows": lambda p: module(p)(p.ones(2, 8), p.tensor([1, 2, 3])),
    "dimensions": lambda p: module(p)(p.ones(3), p.tensor([1, 2, 3])),
    "scalar": lambda p: module(p)(p.ones(2, 8), p.tensor(1)),
    "several targets": lambda p: module(p)(p.ones(2, 8), p.ones(2, 2).long()),
    "no class": lambda p: module(p)(p.ones(2, 8), p.tensor([1, 12])),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(name: str) -> None:
    both_fail(FAULTS[name])
