"""Steps as people write them, compiled, plain and in PyTorch: what they return and leave behind."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import graphc
from tests.torch_peer import torch

CALLS = 5
Step = Callable[[Any], Any]
Made = tuple[Step, Callable[[], list[Any]]]
"""A step, and the tensors that it changes."""


def network(package: Any, seed: int = 0, hidden: int = 4) -> Any:
    """A perceptron with the same weights in either package."""
    nn = package.nn
    model = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2))
    rng = np.random.default_rng(seed)
    with package.no_grad():
        for p in model.parameters():
            p.copy_(package.tensor(rng.standard_normal(tuple(p.shape)).astype("f4")))
    return model


def parameters(*models: Any) -> Callable[[], list[Any]]:
    return lambda: [p for model in models for p in model.parameters()]


def views_of_parameters(package: Any) -> Made:
    model = network(package)
    optimizer = package.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad(set_to_none=False)
        loss = model(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        with package.no_grad():
            model[0].weight[0].fill_(0.5)
            model[2].weight.data[:, 1].mul_(0.9)
        return loss

    return step, parameters(model)


def running_mean_of_weights(package: Any) -> Made:
    model = network(package)
    mean = deepcopy(model)
    optimizer = package.optim.AdamW(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).pow(2).sum()
        loss.backward()
        for p in model.parameters():
            p.grad.data.clamp_(-0.5, 0.5)
        optimizer.step()
        with package.no_grad():
            for q, p in zip(mean.parameters(), model.parameters(), strict=True):
                q.mul_(0.9).add_(p, alpha=0.1)
        return loss

    return step, parameters(model, mean)


def two_optimizers(package: Any) -> Made:
    maker, judge = network(package), network(package, 1)
    first = package.optim.Adam(maker.parameters(), lr=0.01)
    second = package.optim.Adam(judge.parameters(), lr=0.01)

    def step(x: Any) -> Any:
        second.zero_grad()
        made = maker(x + 1)
        loss = (judge(x) - 1).pow(2).mean() + judge(made.detach()).pow(2).mean()
        loss.backward()
        second.step()
        first.zero_grad()
        other = (judge(made) - 1).pow(2).mean()
        other.backward()
        first.step()
        return loss, other

    return step, parameters(maker, judge)


def gradient_penalty(package: Any) -> Made:
    model = network(package)
    optimizer = package.optim.SGD(model.parameters(), lr=0.01)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        x = x.clone().requires_grad_()
        loss = model(x).pow(2).sum()
        (slope,) = package.autograd.grad(loss, x, create_graph=True)
        total = loss + (slope.norm() - 1) ** 2
        total.backward()
        optimizer.step()
        return loss, total

    return step, parameters(model)


def adversarial_example(package: Any) -> Made:
    model = network(package)

    def step(x: Any) -> Any:
        x = x.detach().clone()
        x.requires_grad = True
        model.zero_grad()
        model(x).pow(2).sum().backward()
        return x + 0.1 * x.grad.sign()

    return step, parameters(model)


def by_hand(package: Any) -> Made:
    model = network(package)
    weights = list(model.parameters())

    def step(x: Any) -> Any:
        loss = model(x).pow(2).sum()
        slopes = package.autograd.grad(loss, weights)
        with package.no_grad():
            for p, slope in zip(weights, slopes, strict=True):
                p -= 0.1 * slope
        return loss, slopes

    return step, parameters(model)


def by_data(package: Any) -> Made:
    model = network(package)

    def step(x: Any) -> Any:
        model.zero_grad()
        loss = model(x).pow(2).sum()
        loss.backward()
        for p in model.parameters():
            p.data = p.data - 0.05 * p.grad
        return loss

    return step, parameters(model)


def kept_graph_and_hook(package: Any) -> Made:
    model = network(package)
    scale = package.nn.Parameter(package.ones(2))
    scale.register_hook(lambda gradient: gradient * 2)

    def step(x: Any) -> Any:
        model.zero_grad()
        scale.grad = None
        loss = (model(x) * scale).sum()
        loss.backward(retain_graph=True)
        (loss * loss).backward()
        return loss, scale.grad

    return step, lambda: [scale.grad, *(p.grad for p in model.parameters())]


def frozen_part(package: Any) -> Made:
    model = network(package)
    optimizer = package.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        model[0].requires_grad_(False)
        optimizer.zero_grad()
        loss = model(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        model[0].requires_grad_(True)
        return loss

    return step, parameters(model)


def shared_weights(package: Any) -> Made:
    model = network(package, hidden=2)
    model[2].weight = model[0].weight
    optimizer = package.optim.Adagrad(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        return loss

    return step, parameters(model)


def several_losses(package: Any) -> Made:
    model = network(package)
    optimizer = package.optim.RMSprop(model.parameters(), lr=0.01)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        parts = model(x).pow(2).mean(0)
        package.autograd.backward([parts[0], parts[1]])
        norm = package.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {"parts": parts, "norm": norm}

    return step, parameters(model)


def clipped_policy(package: Any) -> Made:
    """The gradient of the greater of two, both of which are the same for some elements."""
    model = network(package)
    optimizer = package.optim.Adam(model.parameters(), lr=0.01)

    def step(x: Any) -> Any:
        policy = package.distributions.Categorical(logits=model(x))
        ratio = (policy.log_prob(package.tensor([0, 1, 1])) + 0.7).exp()
        gain = (x[:, 0] - x[:, 0].mean()) / (x[:, 0].std() + 1e-8)
        loss = package.max(-gain * ratio, -gain * ratio.clamp(0.8, 1.2)).mean()
        loss = loss - 0.01 * policy.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, parameters(model)


def loop_over_rows(package: Any) -> Made:
    total = package.zeros(2)

    def step(x: Any) -> Any:
        for number, row in enumerate(x):
            total.add_(row * number)
            x[number] = row * 2
        total[0] += 1
        return total + x[0], total.max()

    return step, lambda: [total]


def closure_of_an_optimizer(package: Any) -> Made:
    model = network(package)
    optimizer = package.optim.SGD(model.parameters(), lr=0.1, momentum=0.5, dampening=0.1)

    def step(x: Any) -> Any:
        def closure() -> Any:
            optimizer.zero_grad()
            loss = model(x).abs().sum()
            loss.backward()
            return loss

        return optimizer.step(closure)

    return step, parameters(model)


STEPS: dict[str, Callable[[Any], Made]] = {
    made.__name__: made
    for made in (
        views_of_parameters,
        running_mean_of_weights,
        two_optimizers,
        gradient_penalty,
        adversarial_example,
        by_hand,
        by_data,
        kept_graph_and_hook,
        frozen_part,
        shared_weights,
        several_losses,
        clipped_policy,
        loop_over_rows,
        closure_of_an_optimizer,
    )
}


def arrays(x: Any) -> list[Any]:
    """The numbers of all tensors in a nest."""
    if isinstance(x, dict):
        return arrays(list(x.values()))
    if isinstance(x, list | tuple):
        return [array for item in x for array in arrays(item)]
    return [np.array(x.detach().numpy())]


def history(package: Any, name: str, wrap: Callable[[Step], Step]) -> list[list[Any]]:
    """What each call returned and left behind."""
    step, changed = STEPS[name](package)
    step = wrap(step)
    rng = np.random.default_rng(3)
    found = []
    for _ in range(CALLS):
        x = package.tensor(rng.standard_normal((3, 2)).astype("f4"))
        found.append([*arrays(step(x)), *arrays(changed()), *arrays(x)])
    return found


@pytest.mark.parametrize("how", ["plain", "compiled"])
@pytest.mark.parametrize("name", STEPS)
def test_a_step_does_what_it_does_in_pytorch(name: str, how: str) -> None:
    wraps = []

    def wrap(step: Step) -> Step:
        if how == "compiled":
            step = graphc.compile(step)
            wraps.append(step)
        return step

    ours, theirs = history(graphc, name, wrap), history(torch, name, lambda step: step)
    for number, (mine, peer) in enumerate(zip(ours, theirs, strict=True)):
        assert len(mine) == len(peer)
        for a, b in zip(mine, peer, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5, err_msg=f"call {number}")
    for compiled in wraps:
        assert len(compiled.compilations) <= 2, compiled.compilations  # type: ignore[attr-defined]
