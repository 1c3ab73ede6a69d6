"""What follows from state that a program leaves is computed once, until the state is changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as torch
from graphc import nn
from graphc.backends.native.executable import _Prepared


class Prepared:
    """How often something was prepared since this was asked for last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        made = _Prepared.__init__

        def counting(step: Any, *args: Any) -> None:
            made(step, *args)
            prepare = step.prepare

            def counted(state: Any) -> None:
                self.count += 1
                prepare(state)

            step.prepare = counted

        monkeypatch.setattr(_Prepared, "__init__", counting)

    def __call__(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> Prepared:
    return Prepared(monkeypatch)


def network(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    layers = (
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, groups=2), nn.Flatten(),
        nn.Linear(32 * 9, 64), nn.Linear(64, 7),
    )  # fmt: skip
    return nn.Sequential(*layers).eval()


def run(function: Any, x: Any) -> Any:
    with torch.no_grad():
        return function(x).numpy()


def compiled(model: Any) -> Any:
    return torch.compile(model, backend="native")


def check(fast: Any, model: Any, x: Any) -> None:
    np.testing.assert_allclose(run(fast, x), run(model, x), rtol=1e-4, atol=1e-5)


def test_it_is_prepared_once(prepared: Prepared) -> None:
    model, x = network(), torch.randn(2, 3, 8, 8)
    fast = compiled(model)
    for _ in range(3):
        check(fast, model, x)
        check(fast, model, torch.randn(2, 3, 8, 8))
    assert prepared() == 1
    with torch.no_grad():
        source = fast.source()
    assert "void graphc_prepare(" in source
    before, step = source.split("static void prepare(void)")[1].split("static void step(void)")
    assert "_weights(" in before and "_weights(" not in step.split("\n}\n")[0]


def scaled(parameter: Any) -> None:
    parameter.detach().numpy()[...] *= 1.5


def stepped(model: Any) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(torch.ones(1, 3, 8, 8)).sum().backward()
    optimizer.step()


def trained(model: Any) -> None:
    """One step of a compiled function of its own."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @torch.compile(backend="native")
    def step(x: Any) -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    step(torch.ones(1, 3, 8, 8))


CHANGES: dict[str, Callable[[Any], Any]] = {
    "in place": lambda model: model[0].weight.data.mul_(2),
    "a part in place": lambda model: model[5].weight.data[3].fill_(0.5),
    "through a view": lambda model: model[5].weight.data.t()[0].add_(1.0),
    "as an array": lambda model: scaled(model[5].weight),
    "a buffer": lambda model: model[1].running_var.mul_(4.0),
    "loaded": lambda model: model.load_state_dict(network(1).state_dict()),
    "plain training": stepped,
    "compiled training": trained,
    "other memory": lambda model: setattr(model[3].weight, "data", torch.ones(32, 16, 3, 3)),
    "another layer": lambda model: model.__setitem__(5, nn.Linear(32 * 9, 64)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_state_is_seen(change: str) -> None:
    model, x = network(), torch.randn(2, 3, 8, 8)
    fast = compiled(model)
    check(fast, model, x)
    before = run(fast, x)
    CHANGES[change](model)
    check(fast, model, x)
    assert abs(run(fast, x) - before).max() > 1e-3


def test_an_array_that_somebody_holds_is_read_at_each_call(prepared: Prepared) -> None:
    model, x = network(), torch.randn(2, 3, 8, 8)
    fast = compiled(model)
    check(fast, model, x)
    held = model[5].weight.detach().numpy()
    prepared()
    for factor in (2, 3):
        held *= factor
        check(fast, model, x)
    assert prepared() == 2
    del held
    check(fast, model, x)
    prepared()
    check(fast, model, x)
    assert prepared() == 0


def test_two_models_of_one_program(prepared: Prepared) -> None:
    """They are one library with one memory."""
    models = [network(seed) for seed in range(2)]
    fast = [compiled(model) for model in models]
    x = torch.randn(2, 3, 8, 8)
    for _ in range(2):
        for f, model in zip(fast, models, strict=True):
            check(f, model, x)
    assert prepared() == 4


def test_several_threads_with_models_of_one_program() -> None:
    models = [network(seed) for seed in range(3)]
    fast = [compiled(model) for model in models]
    x = torch.randn(2, 3, 8, 8)
    right = [run(model, x) for model in models]
    found: list[list[Any]] = [[], [], []]

    def call(number: int) -> None:
        for _ in range(20):
            found[number].append(run(fast[number], x))

    threads = [threading.Thread(target=call, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results, expected in zip(found, right, strict=True):
        assert len(results) == 20
        for result in results:
            np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_a_setting_that_a_step_reads_is_no_settled_state(prepared: Prepared) -> None:
    """A learning rate is read again at each call, though nobody announces its changes."""
    torch.manual_seed(0)
    table = torch.randn(200, 200)  # settled, and large enough to be worth it
    w = torch.zeros(200, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)

    @torch.compile(backend="native")
    def step(x: Any) -> None:
        optimizer.zero_grad()
        ((table @ w) * x).sum().backward()
        optimizer.step()

    x = torch.ones(200)
    expected = np.zeros(200, np.float32)
    for rate in (1.0, 1.0, 0.5, 0.25):
        optimizer.param_groups[0]["lr"] = rate
        step(x)
        expected -= np.float32(rate) * table.numpy().sum(0)
        np.testing.assert_allclose(w.detach().numpy(), expected, rtol=1e-4, atol=1e-4)


def test_training_prepares_nothing(prepared: Prepared) -> None:
    model, x = network().train(), torch.randn(2, 3, 8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    @torch.compile(backend="native")
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x).item() for _ in range(4)]
    assert losses[-1] < losses[0]
    assert prepared() == 0
