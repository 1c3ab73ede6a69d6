"""Compiled models within plain loops, changes of the model, failures, threads."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as torch
from graphc import nn
from graphc.recording import session
from tests.compile.test_calls import Counted, reasons
from tests.compile.test_state import adam, batches, momentum, network, numbers, same, stepper

functional = nn.functional


def counted_network() -> tuple[Any, Any, list[int]]:
    """A network, its twin, and a list that grows with each run of the network's own Python."""
    model, twin = network(), network()
    runs: list[int] = []

    class Noted(nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            runs.append(1)
            return self.inner(x)

    return Noted(model), twin, runs


@pytest.mark.parametrize("make", [adam, momentum])
def test_gradients_flow_through_a_compiled_model(make: Callable[[Any], Any]) -> None:
    model, twin, runs = counted_network()
    compiled = torch.compile(model)
    first, second = make(twin), make(model)
    for x, y in batches(5):
        x, y = torch.tensor(x), torch.tensor(y)
        state = torch.get_rng_state()
        first.zero_grad()
        expected = functional.mse_loss(twin(x), y)
        expected.backward()
        first.step()
        expected_loss = expected.item()
        torch.set_rng_state(state)
        second.zero_grad()
        result = compiled(x)
        assert result.requires_grad and result.shape == (6, 2)
        assert result.grad_fn is not None
        loss = functional.mse_loss(result, y)
        loss.backward()
        for mine, peer in zip(model.parameters(), twin.parameters(), strict=True):
            np.testing.assert_allclose(mine.grad.numpy(), peer.grad.numpy(), rtol=2e-5, atol=1e-6)
        second.step()
        np.testing.assert_allclose(loss.item(), expected_loss, rtol=2e-5)
    same(numbers(model.inner.state_dict()), numbers(twin.state_dict()))
    assert len(runs) == 1
    assert reasons(compiled) == ["first call"]


def test_a_plain_loop_with_a_compiled_model_finds_its_programs_again() -> None:
    model, _, _ = counted_network()
    compiled, optimizer = torch.compile(model), adam(model)
    step = stepper(compiled, optimizer)
    steps = [(torch.tensor(x), torch.tensor(y)) for x, y in batches(6)]
    for x, y in steps[:3]:
        step(x, y).item()
    known = len(session.programs), len(session.memo)
    for x, y in steps[3:]:
        step(x, y).item()
    assert (len(session.programs), len(session.memo)) == known


def test_a_differentiable_function_and_its_arguments() -> None:
    counted = Counted(lambda x, w: (x * w["w"]).tanh())
    compiled = torch.compile(counted)
    x = torch.ones(3, requires_grad=True)
    w = torch.full((3,), 0.5, requires_grad=True)
    for _ in range(2):
        x.grad = w.grad = None
        h = x * 2
        y = compiled(h, {"w": w}) + compiled(h, {"w": w * 2})
        y.sum().backward()
        slope = [1 - np.tanh(1.0) ** 2, 1 - np.tanh(2.0) ** 2]
        assert x.grad is not None and w.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), 2 * (0.5 * slope[0] + slope[1]), rtol=1e-5)
        np.testing.assert_allclose(w.grad.numpy(), 2 * slope[0] + 4 * slope[1], rtol=1e-5)
    assert counted.calls <= 2


def test_second_derivatives_through_a_compiled_function() -> None:
    cube = torch.compile(lambda x: x**3)
    x = torch.tensor([2.0], requires_grad=True)
    (slope,) = torch.autograd.grad(cube(x), x, create_graph=True)
    assert slope is not None
    (curvature,) = torch.autograd.grad(slope, x)
    assert curvature is not None
    assert (slope.item(), curvature.item()) == (12.0, 12.0)


def test_a_result_that_is_not_differentiated_is_just_computed() -> None:
    model = network().eval()
    compiled = torch.compile(model)
    x = torch.tensor(batches(1)[0][0])
    np.testing.assert_allclose(
        compiled(x).detach().numpy(), model(x).detach().numpy(), rtol=1e-5, atol=1e-6
    )
    assert "linear" in compiled.source()


def test_module_hooks_of_a_compiled_model_run_at_each_call() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    seen: list[Any] = []
    model[0].register_full_backward_hook(lambda module, ins, outs: seen.append(outs[0].shape))
    compiled = torch.compile(model)
    for _ in range(3):
        compiled(torch.ones(1, 2, requires_grad=True)).sum().backward()
    assert seen == [(1, 2)] * 3


def test_a_replaced_parameter_or_child_is_seen() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU()).requires_grad_(False)
    compiled = torch.compile(model)
    x = torch.ones(1, 2)

    def check() -> None:
        np.testing.assert_allclose(compiled(x).numpy(), model(x).numpy(), rtol=1e-6)

    check()
    model[0].weight = nn.Parameter(torch.full((2, 2), 2.0), requires_grad=False)
    check()
    model[1] = nn.Sigmoid()
    check()
    model.append(nn.Linear(2, 3).requires_grad_(False))
    check()
    model[0].weight.data = torch.full((2, 2), -1.0)
    check()
    model[2].register_buffer("extra", torch.ones(1))
    check()
    assert reasons(compiled) == [
        "first call",
        "Linear has changed",
        "Sequential has changed",
        "Sequential has changed",
        "0.weight has other memory",
        "Linear has changed",
    ]
    assert len(compiled.specializations) == 1


def test_numbers_changed_from_outside_are_read() -> None:
    model = nn.Linear(2, 1, bias=False).requires_grad_(False)
    compiled = torch.compile(model)
    x = torch.ones(1, 2)
    for k in (1.0, 2.0, 3.0):
        model.weight.fill_(k)
        assert compiled(x).item() == 2 * k
    model.load_state_dict({"weight": torch.full((1, 2), 5.0)})
    assert compiled(x).item() == 10.0
    assert len(compiled.compilations) == 1


def test_another_parameter_group_is_seen() -> None:
    first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([first], lr=0.5)

    @torch.compile
    def step() -> None:
        optimizer.zero_grad()
        first.grad = second.grad = None
        (first + second).sum().backward()
        optimizer.step()

    step()
    assert (first.item(), second.item()) == (0.5, 1.0)
    optimizer.add_param_group({"params": [second], "lr": 0.25})
    step()
    assert (first.item(), second.item()) == (0.0, 0.75)
    assert reasons(step) == ["first call", "SGD has changed"]


def test_settings_changed_from_outside_are_seen() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = 2.0
            self.count = 0

        def forward(self, x: Any) -> Any:
            return x * self.by

    model = Scaled()
    power = 1

    @torch.compile
    def run(x: Any) -> Any:
        return model(x) ** power

    x = torch.full((1,), 3.0)
    assert run(x).item() == 6.0
    model.by = 1.0
    assert run(x).item() == 3.0
    power = 2
    assert run(x).item() == 9.0
    model.count += 1
    assert run(x).item() == 9.0
    assert reasons(run) == [
        "first call",
        "Scaled.by is 1.0, no longer 2.0",
        "power is 2, no longer 1",
    ]


class Recurrent(nn.Module):
    """It keeps its last state as an attribute, and a running mean as a buffer."""

    mean: Any

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.state: Any = None
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: Any) -> Any:
        if self.state is None:
            self.state = torch.zeros(2)
        self.state = (self.inner(x) + self.state).tanh().detach()
        self.mean = 0.9 * self.mean + 0.1 * self.state
        return self.state * self.inner.weight.sum()


@pytest.mark.parametrize("trained", [False, True])
def test_tensors_that_a_model_replaces_in_its_attributes(trained: bool) -> None:
    torch.manual_seed(0)
    model, twin = Recurrent(), Recurrent()
    twin.load_state_dict(model.state_dict())
    compiled = torch.compile(model)
    for number in range(6):
        if number == 4:
            model.state, twin.state = None, torch.zeros(2)
        x = torch.full((2,), float(number))
        with torch.set_grad_enabled(trained):
            expected, found = twin(x), compiled(x)
        np.testing.assert_allclose(
            found.detach().numpy(), expected.detach().numpy(), rtol=1e-5, err_msg=str(number)
        )
        np.testing.assert_allclose(model.state.numpy(), twin.state.numpy(), rtol=1e-5)
        np.testing.assert_allclose(model.mean.numpy(), twin.mean.numpy(), rtol=1e-5)
    assert len(compiled.compilations) == 2


def test_a_tensor_that_a_function_replaces_in_a_variable() -> None:
    total = torch.zeros(2)

    @torch.compile
    def add(x: Any) -> Any:
        nonlocal total
        total = total + x
        return total * 2

    first = total
    assert [add(torch.ones(2)).tolist() for _ in range(3)] == [[2.0] * 2, [4.0] * 2, [6.0] * 2]
    assert total.tolist() == [3.0, 3.0]
    assert first.tolist() == [0.0, 0.0]
    total = torch.full((2,), 10.0)
    assert add(torch.ones(2)).tolist() == [22.0, 22.0]
    assert len(add.compilations) == 1


def test_what_a_function_collects_takes_the_numbers_of_each_call() -> None:
    seen: list[Any] = []

    @torch.compile
    def run(x: Any) -> Any:
        y = x * 2
        seen.append(y.detach())
        return y.sum()

    run(torch.ones(2))
    assert [t.tolist() for t in seen] == [[2.0, 2.0]]
    run(torch.full((2,), 5.0))
    assert [t.tolist() for t in seen] == [[10.0, 10.0]]


def test_reading_numbers_while_captured_is_an_error_at_that_line() -> None:
    reads: dict[str, Callable[[Any], Any]] = {
        "item": lambda x: x.sum().item(),
        "bool": lambda x: 1 if x.sum() > 0 else 2,
        "float": lambda x: float(x[0]),
        "numpy": lambda x: x.numpy(),
        "list": lambda x: x.tolist(),
        "print": lambda x: str(x),
        "array": lambda x: np.asarray(x),
        "range": lambda x: list(range(x.long()[0])),
    }
    for name, read in reads.items():
        compiled = torch.compile(read)
        with pytest.raises(torch.GraphcError, match="cannot read numbers") as caught:
            compiled(torch.ones(2))
        assert isinstance(caught.value, RuntimeError), name
        assert f"test_loops.py:{read.__code__.co_firstlineno}" in str(caught.value), name


def test_a_failure_leaves_the_world_as_it_was() -> None:
    model = network()
    optimizer = momentum(model)
    before = numbers(model.state_dict())
    state = torch.get_rng_state().tolist()
    h = torch.zeros(2)
    fail = True

    class Stop(Exception):
        pass

    def step(x: Any, y: Any) -> Any:
        nonlocal h
        optimizer.zero_grad()
        loss = functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        h = h + 1
        model.eval()
        x.add_(1)
        if fail:
            raise Stop
        return loss

    compiled = torch.compile(step)
    x, y = (torch.tensor(a) for a in batches(1)[0])
    with pytest.raises(Stop):
        compiled(x, y)
    same(numbers(model.state_dict()), before)
    np.testing.assert_array_equal(x.numpy(), batches(1)[0][0])
    assert all(p.grad is None for p in model.parameters())
    assert optimizer.state_dict()["state"] == {}
    assert torch.get_rng_state().tolist() == state
    assert h.tolist() == [0.0, 0.0]
    assert model.training
    assert compiled.compilations == []
    fail = False
    compiled(x, y)
    assert not np.array_equal(numbers(model.state_dict())["0.weight"], before["0.weight"])
    assert optimizer.state_dict()["state"] != {}


def test_a_failure_while_a_program_runs_can_be_tried_again() -> None:
    table = torch.arange(6.0).reshape(3, 2)
    compiled = torch.compile(lambda i: table[i] * 2)
    with pytest.raises(IndexError, match="out of bounds") as caught:
        compiled(torch.tensor([5]))
    assert isinstance(caught.value, torch.GraphcError)
    assert compiled(torch.tensor([1])).tolist() == [[4.0, 6.0]]


def test_a_compiled_function_lets_go_of_what_it_was_made_for() -> None:
    model = network()
    compiled = torch.compile(model.requires_grad_(False))
    compiled(torch.ones(4, 3))
    gone = weakref.ref(model), weakref.ref(compiled)
    del model, compiled
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_several_threads_call() -> None:
    model = network().eval().requires_grad_(False)
    compiled = torch.compile(model)
    shapes = [(n, 3) for n in (1, 2, 3, 4)]
    inputs = [
        np.random.default_rng(n).standard_normal(s).astype("f4") for n, s in enumerate(shapes)
    ]
    expected = [model(torch.tensor(x)).numpy() for x in inputs]
    wrong: list[Any] = []
    ready = threading.Barrier(4)

    def work(first: int) -> None:
        try:
            ready.wait()
            for turn in range(40):
                number = (first + turn) % 4
                result = compiled(torch.tensor(inputs[number])).numpy()
                np.testing.assert_allclose(result, expected[number], rtol=1e-5, atol=1e-6)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(compiled.compilations) == 4


def test_several_threads_train_models_of_their_own() -> None:
    expected = run_training(None)
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        found[number] = run_training(torch.compile)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for losses in found.values():
        np.testing.assert_allclose(losses, expected, rtol=2e-5)
    assert len(found) == 3


def run_training(wrap: Any) -> list[float]:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.tensor(rng.standard_normal(tuple(p.shape)).astype("f4")))
    step = stepper(model, adam(model))
    step = step if wrap is None else wrap(step)
    return [step(torch.tensor(x), torch.tensor(y)).item() for x, y in batches(5)]


def test_several_threads_share_a_model_without_compiling() -> None:
    model = network().eval()
    x = batches(1)[0][0]
    expected = model(torch.tensor(x)).detach().numpy()
    wrong: list[Any] = []

    def work() -> None:
        try:
            for _ in range(60):
                with torch.no_grad():
                    found = model(torch.tensor(x)).numpy()
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
