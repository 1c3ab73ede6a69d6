"""What optimizers offer besides steps: hooks, gradients, errors, optimizers of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.optim.training import network, same_weights, torch, train

Wrong = Callable[[Any, Any], Any]
"""Something that fails, given a package and a parameter."""

WRONG: dict[str, Wrong] = {
    "empty": lambda m, p: m.optim.SGD([], lr=0.1),
    "a tensor": lambda m, p: m.optim.SGD(m.ones(2), lr=0.1),
    "no tensors": lambda m, p: m.optim.SGD([1.0], lr=0.1),
    "a set": lambda m, p: m.optim.SGD([{"params": {p}}], lr=0.1),
    "no leaf": lambda m, p: m.optim.SGD([p * 2], lr=0.1),
    "twice": lambda m, p: m.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1),
    "no group": lambda m, p: m.optim.SGD([p], lr=0.1).add_param_group([p]),
    "names missing": lambda m, p: m.optim.SGD([("p", p), m.nn.Parameter(m.ones(1))], lr=0.1),
    "names in one group": lambda m, p: m.optim.SGD([("p", p)], lr=0.1).add_param_group(
        {"params": [m.nn.Parameter(m.ones(1))]}
    ),
    "rate": lambda m, p: m.optim.SGD([p], lr=-0.1),
    "rate of two": lambda m, p: m.optim.Adam([p], lr=m.ones(2)),
    "momentum": lambda m, p: m.optim.SGD([p], momentum=-1),
    "decay": lambda m, p: m.optim.SGD([p], weight_decay=-1.0),
    "nesterov": lambda m, p: m.optim.SGD([p], nesterov=True),
    "nesterov, dampened": lambda m, p: m.optim.SGD([p], 0.1, 0.9, dampening=0.1, nesterov=True),
    "epsilon": lambda m, p: m.optim.Adam([p], eps=-1.0),
    "first beta": lambda m, p: m.optim.AdamW([p], betas=(1.0, 0.9)),
    "second beta": lambda m, p: m.optim.AdamW([p], betas=(0.9, -0.1)),
    "kinds of betas": lambda m, p: m.optim.Adam([p], betas=(m.tensor(0.9), 0.9)),
    "adam's decay": lambda m, p: m.optim.Adam([p], weight_decay=-0.1),
    "alpha": lambda m, p: m.optim.RMSprop([p], alpha=-0.1),
    "decay of the rate": lambda m, p: m.optim.Adagrad([p], lr_decay=-0.1),
    "initial sum": lambda m, p: m.optim.Adagrad([p], initial_accumulator_value=-0.1),
    "nadam's momentum": lambda m, p: m.optim.NAdam([p], momentum_decay=-1.0),
    "radam's beta": lambda m, p: m.optim.RAdam([p], betas=(0.9, 1.0)),
    "adamax's epsilon": lambda m, p: m.optim.Adamax([p], eps=-1.0),
    "rho": lambda m, p: m.optim.Adadelta([p], rho=1.5),
    "asgd's decay": lambda m, p: m.optim.ASGD([p], weight_decay=-1.0),
    "muon's rate": lambda m, p: m.optim.Muon([p], lr=-1.0),
    "muon's momentum": lambda m, p: m.optim.Muon([p], momentum=-1.0),
    "muon's decay": lambda m, p: m.optim.Muon([p], weight_decay=-1.0),
    "muon's ratio": lambda m, p: m.optim.Muon([p], adjust_lr_fn="most"),
    "muon's vector": lambda m, p: m.optim.Muon([p, m.ones(3)]),
    "etas": lambda m, p: m.optim.Rprop([p], etas=(0.5, 0.9)),
    "adafactor's rate": lambda m, p: m.optim.Adafactor([p], lr=-1.0),
    "adafactor's first epsilon": lambda m, p: m.optim.Adafactor([p], eps=(-1.0, 0.0)),
    "adafactor's second epsilon": lambda m, p: m.optim.Adafactor([p], eps=(None, -1.0)),
    "adafactor's beta": lambda m, p: m.optim.Adafactor([p], beta2_decay=0.5),
    "adafactor's threshold": lambda m, p: m.optim.Adafactor([p], d=0.5),
    "adafactor's decay": lambda m, p: m.optim.Adafactor([p], weight_decay=-1.0),
    "fused and foreach": lambda m, p: m.optim.SGD([p], fused=True, foreach=True),
    "other groups": lambda m, p: m.optim.SGD([p]).load_state_dict(
        {"state": {}, "param_groups": []}
    ),
    "other parameters": lambda m, p: m.optim.SGD([p]).load_state_dict(
        {"state": {}, "param_groups": [{"params": [0, 1]}]}
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    found = []
    for package in (graphc, torch):
        parameter = package.nn.Parameter(package.ones(2))
        with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
            WRONG[case](package, parameter)
        found.append(caught.value)
    assert str(found[0]) == str(found[1])
    assert isinstance(found[0], type(found[1]))


def test_a_step_cannot_be_differentiated() -> None:
    p = graphc.nn.Parameter(graphc.ones(2))
    with pytest.raises(NotImplementedError, match="cannot be differentiated"):
        graphc.optim.SGD([p], differentiable=True)


def test_hooks_see_each_step() -> None:
    seen: dict[str, list[Any]] = {"graphc": [], "torch": []}
    for package in (graphc, torch):
        p = package.nn.Parameter(package.ones(2))
        optimizer = package.optim.SGD([p], lr=0.1)
        calls = seen[package.__name__]

        def note(name: str, calls: list[Any] = calls) -> Callable[..., None]:
            return lambda *args: calls.append((name, len(args)))

        first = optimizer.register_step_pre_hook(note("before"))
        optimizer.register_step_post_hook(note("after"))
        optimizer.register_state_dict_pre_hook(note("saving"))
        optimizer.register_state_dict_post_hook(note("saved"))
        optimizer.register_load_state_dict_pre_hook(note("loading"))
        optimizer.register_load_state_dict_post_hook(note("loaded"))
        optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        first.remove()
        optimizer.step()
    assert seen["graphc"] == seen["torch"]
    assert len(seen["graphc"]) == 7


def test_gradients_are_dropped_or_made_zero() -> None:
    p = graphc.nn.Parameter(graphc.ones(2))
    optimizer = graphc.optim.SGD([p], lr=0.1, momentum=0.9, dampening=0.5)
    (p * p).sum().backward()
    held = p.grad
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is held
    assert held is not None
    assert held.tolist() == [0.0, 0.0]
    assert optimizer.state[p]["momentum_buffer"].tolist() == [2.0, 2.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_parameters_may_have_names() -> None:
    found = []
    for package in (graphc, torch):
        net = network(package)
        optimizer = package.optim.SGD(net.named_parameters(), lr=0.1)
        found.append(optimizer.state_dict()["param_groups"])
    assert found[0] == found[1]
    assert found[0][0]["param_names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_the_same_parameter_twice_warns() -> None:
    p = graphc.nn.Parameter(graphc.ones(2))
    with pytest.warns(UserWarning, match="parameter group with duplicate parameters"):
        graphc.optim.SGD([p, p], lr=0.1)


def lion(package: Any) -> Any:
    """An optimizer as users write them: plain operations on tensors, without gradients."""

    class Lion(package.optim.Optimizer):  # type: ignore[misc]
        def __init__(self, params: Any, lr: float = 1e-2, beta: float = 0.9) -> None:
            super().__init__(params, {"lr": lr, "beta": beta})

        @package.no_grad()  # type: ignore[untyped-decorator]
        def step(self) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if not state:
                        state["mean"] = package.zeros_like(p)
                    mean = state["mean"]
                    mean.mul_(group["beta"]).add_(p.grad, alpha=1 - group["beta"])
                    p.add_(mean.sign(), alpha=-group["lr"])

    return Lion


def test_an_optimizer_of_ones_own() -> None:
    expected, peer, _ = train(torch, lambda m, net: lion(m)(net.parameters()))
    losses, net, _ = train(graphc, lambda m, net: lion(m)(net.parameters()))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    same_weights(net, peer)
