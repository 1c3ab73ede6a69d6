"""What compiled functions change outside: parameters, buffers, optimizers, random numbers."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import graphc as torch
from graphc import nn
from tests.compile.test_calls import Counted, reasons

functional = nn.functional
Make = Callable[[Any], Any]


def network(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    # No bias before the norm: its gradient is zero but for rounding, which Adam would scale up.
    return nn.Sequential(
        nn.Linear(3, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 2)
    )


def batches(count: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    return [
        (rng.standard_normal((6, 3)).astype("f4"), rng.standard_normal((6, 2)).astype("f4"))
        for _ in range(count)
    ]


def stepper(model: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def adam(model: Any) -> Any:
    return torch.optim.Adam(model.parameters(), lr=0.05)


def momentum(model: Any) -> Any:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)


def numbers(tensors: Any) -> dict[str, Any]:
    """A copy of the numbers of a state dict."""
    return {name: x.detach().numpy().copy() for name, x in tensors.items()}


def same(mine: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(mine) == list(other)
    for name, x in mine.items():
        np.testing.assert_allclose(x, other[name], rtol=2e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("make", [adam, momentum])
def test_a_step_changes_what_the_plain_one_changes(make: Make) -> None:
    plain, model = network(), network()
    first, second = make(plain), make(model)
    train, fast = stepper(plain, first), Counted(stepper(model, second))
    compiled = torch.compile(fast)
    state = torch.get_rng_state()
    expected = [train(torch.tensor(x), torch.tensor(y)).item() for x, y in batches(5)]
    after = torch.get_rng_state()
    torch.set_rng_state(state)
    losses = [compiled(x, y).item() for x, y in batches(5)]
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
    same(numbers(model.state_dict()), numbers(plain.state_dict()))
    assert model[1].num_batches_tracked.item() == 5
    assert torch.get_rng_state().tolist() == after.tolist()
    mine, peer = second.state_dict()["state"], first.state_dict()["state"]
    assert list(mine) == list(peer)
    for number in peer:
        same(numbers(mine[number]), numbers(peer[number]))
    assert fast.calls == len(compiled.compilations) <= 2


def test_parameters_and_buffers_stay_where_they_are() -> None:
    model = network()
    compiled = torch.compile(stepper(model, adam(model)))
    seen = {name: x.detach().numpy() for name, x in model.state_dict().items()}
    before = {name: x.copy() for name, x in seen.items()}
    for x, y in batches(2):
        compiled(x, y)
    for name, x in model.state_dict().items():
        np.testing.assert_array_equal(seen[name], x.numpy())
    assert not np.array_equal(seen["0.weight"], before["0.weight"])
    assert seen["1.num_batches_tracked"] == 2


def test_dropout_draws_anew_at_each_call_and_as_the_plain_one() -> None:
    drop = nn.Dropout(0.5)
    compiled = torch.compile(lambda x: drop(x))
    x = torch.ones(100)
    torch.manual_seed(1)
    plain = [drop(x).tolist() for _ in range(3)]
    torch.manual_seed(1)
    assert [compiled(x).tolist() for _ in range(3)] == plain
    assert plain[0] != plain[1]


def test_a_schedule_changes_the_rate_without_compiling() -> None:
    plain, model = network(), network()
    runs = []
    for net, wrap in ((plain, lambda f: f), (model, torch.compile)):
        net.eval()
        optimizer = adam(net)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
        step = wrap(stepper(net, optimizer))
        for x, y in batches(4):
            step(torch.tensor(x), torch.tensor(y))
            schedule.step()
        runs.append(step)
    same(numbers(model.state_dict()), numbers(plain.state_dict()))
    assert reasons(runs[1]) == ["first call"]


def test_the_rate_set_by_hand() -> None:
    w = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([w], lr=1.0)

    @torch.compile
    def step() -> None:
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()

    step()
    assert w.item() == 0.0
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    step()
    assert w.item() == -0.5
    assert len(step.compilations) == 1


def test_a_training_flag_chooses_the_program() -> None:
    model = network().requires_grad_(False)
    twin = deepcopy(model)
    counted = Counted(model)
    compiled = torch.compile(lambda x: counted(x))
    (x, _), (z, _) = batches(2)
    x, z = torch.tensor(x), torch.tensor(z)
    for _ in range(2):
        model.train(), twin.train()
        state = torch.get_rng_state()
        twin(x)
        torch.set_rng_state(state)
        compiled(x)
        model.eval(), twin.eval()
        np.testing.assert_allclose(compiled(z).numpy(), twin(z).numpy(), rtol=1e-5, atol=1e-6)
    same(numbers(model.state_dict()), numbers(twin.state_dict()))
    assert counted.calls == 2
    assert reasons(compiled) == ["first call", "Sequential was switched to evaluation"]
    model[3].train()
    compiled(x)
    assert reasons(compiled)[2:] == ["Dropout was switched to training"]


def test_a_flag_that_the_function_switches_itself() -> None:
    model = network().requires_grad_(False)

    @torch.compile
    def evaluate(x: Any) -> Any:
        model.eval()
        return model(x)

    x = torch.tensor(batches(1)[0][0])
    for _ in range(3):
        model.train()
        first = evaluate(x)
        assert not model.training and not model[3].training
        np.testing.assert_array_equal(first.numpy(), evaluate(x).numpy())
    assert len(evaluate.compilations) == 2
    assert model[1].num_batches_tracked.item() == 0


def test_evaluation_within_a_step() -> None:
    plain, model = network(), network()

    def both(net: Any) -> Callable[[Any, Any], Any]:
        step = stepper(net, momentum(net))

        def run(x: Any, y: Any) -> Any:
            net.train()
            loss = step(x, y)
            net.eval()
            with torch.no_grad():
                accuracy = (net(x) > 0).float().mean()
            net.train()
            return loss, {"accuracy": accuracy}

        return run

    train, compiled = both(plain), torch.compile(both(model))
    for x, y in batches(4):
        state = torch.get_rng_state()
        loss, report = train(torch.tensor(x), torch.tensor(y))
        expected = loss.item(), report["accuracy"].item()
        torch.set_rng_state(state)
        loss, report = compiled(x, y)
        np.testing.assert_allclose([loss.item(), report["accuracy"].item()], expected, rtol=2e-5)
    same(numbers(model.state_dict()), numbers(plain.state_dict()))
    assert len(compiled.compilations) <= 2


def test_a_step_may_return_more_than_the_loss() -> None:
    model = network().eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Any) -> Any:
        optimizer.zero_grad()
        logits = model(x)
        loss = logits.square().mean()
        loss.backward()
        optimizer.step()
        return loss, logits

    counted = Counted(step)
    compiled = torch.compile(counted)
    x = torch.ones(2, 3)
    for _ in range(3):
        with torch.no_grad():
            expected = model(x).numpy()
        loss, logits = compiled(x)
        np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-5)
        np.testing.assert_allclose(loss.item(), np.square(expected).mean(), rtol=1e-5)
    assert counted.calls == 1


def test_a_gradient_used_up_says_so_and_can_be_kept() -> None:
    for keep in (False, True):
        w = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([w], lr=0.5)

        def step(x: Any, w: Any = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (w * x).sum()
            loss.backward()
            optimizer.step()
            return loss

        compiled = torch.compile(step, keep_grads=keep)
        compiled(torch.ones(2))
        assert w.grad is not None
        if keep:
            assert w.grad.tolist() == [1.0, 1.0]
            compiled(torch.full((2,), 3.0))
            assert w.grad.tolist() == [3.0, 3.0]
        else:
            with pytest.raises(torch.GraphcError, match="keep_grads=True"):
                w.grad.tolist()


def test_gradients_accumulate_over_several_passes() -> None:
    def accumulate(net: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            total = 0.0
            for part in range(3):
                rows = slice(2 * part, 2 * part + 2)
                loss = functional.mse_loss(net(x[rows]), y[rows]) / 3
                loss.backward()
                total = total + loss.detach()
            optimizer.step()
            return total

        return step

    plain, model = network().eval(), network().eval()
    train = accumulate(plain, adam(plain))
    compiled = torch.compile(accumulate(model, adam(model)))
    for x, y in batches(3):
        expected = train(torch.tensor(x), torch.tensor(y)).item()
        np.testing.assert_allclose(compiled(x, y).item(), expected, rtol=2e-5)
    same(numbers(model.state_dict()), numbers(plain.state_dict()))
    assert len(compiled.compilations) == 1


def test_gradients_accumulate_over_several_calls() -> None:
    plain, model = network().eval(), network().eval()

    @torch.compile
    def backward(x: Any, y: Any) -> Any:
        loss = functional.mse_loss(model(x), y)
        loss.backward()
        return loss

    first, second = adam(plain), adam(model)
    for number, (x, y) in enumerate(batches(6)):
        functional.mse_loss(plain(torch.tensor(x)), torch.tensor(y)).backward()
        backward(x, y)
        for mine, peer in zip(model.parameters(), plain.parameters(), strict=True):
            np.testing.assert_allclose(mine.grad.numpy(), peer.grad.numpy(), rtol=2e-5, atol=1e-6)
        if number % 3 == 2:
            for optimizer in (first, second):
                optimizer.step()
                optimizer.zero_grad()
    same(numbers(model.state_dict()), numbers(plain.state_dict()))
    assert reasons(backward) == ["first call", "there is a gradient of 0.weight"]


def test_clipping_within_the_step() -> None:
    plain, model = network().eval(), network().eval()

    def clipped(net: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            functional.mse_loss(net(x), y).backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), 0.1)
            optimizer.step()
            return norm

        return step

    train, compiled = (
        clipped(plain, momentum(plain)),
        torch.compile(clipped(model, momentum(model))),
    )
    for x, y in batches(4):
        expected = train(torch.tensor(x), torch.tensor(y)).item()
        assert expected > 0.1
        np.testing.assert_allclose(compiled(x, y).item(), expected, rtol=2e-5)
    same(numbers(model.state_dict()), numbers(plain.state_dict()))


def test_gradients_of_arguments() -> None:
    @torch.compile
    def backward(x: Any) -> Any:
        loss = (x * x).sum()
        loss.backward()
        return loss

    for k in (1.0, 2.0):
        x = torch.full((2,), k, requires_grad=True)
        backward(x)
        assert x.grad is not None
        assert x.grad.tolist() == [2 * k] * 2
        backward(x)
        assert x.grad.tolist() == [4 * k] * 2


def test_two_functions_over_one_model() -> None:
    plain, model = network(), network()
    train = stepper(plain, adam(plain))
    step = torch.compile(stepper(model, adam(model)))
    forward = torch.compile(model)
    for x, y in batches(4):
        state = torch.get_rng_state()
        train(torch.tensor(x), torch.tensor(y))
        torch.set_rng_state(state)
        step(x, y)
        plain.eval(), model.eval()
        with torch.no_grad():
            expected = plain(torch.tensor(x)).numpy()
            np.testing.assert_allclose(forward(x).numpy(), expected, rtol=1e-4, atol=1e-5)
        plain.train(), model.train()
    assert len(forward.compilations) == 1
    assert len(step.compilations) == 1
