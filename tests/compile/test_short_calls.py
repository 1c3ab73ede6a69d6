"""Calls that are like the last one take a short way; whatever is another thing is looked at."""

from __future__ import annotations

import gc
import threading
import timeit
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as torch
from graphc import nn
from graphc.compiled import Compiled


class Looks:
    """How many calls were looked at closely since this was asked for last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        look = Compiled._look

        def counted(compiled: Compiled, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return look(compiled, *args, **kwargs)

        monkeypatch.setattr(Compiled, "_look", counted)

    def __call__(self) -> int:
        count, self.count = self.count, 0
        return count


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def compiled(function: Callable[..., Any]) -> Any:
    return torch.compile(function, backend="native")


class Trained:
    """A model with its step, compiled or plain."""

    def __init__(self, compile: bool, momentum: float = 0.0) -> None:
        torch.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=momentum)
        self.step = compiled(self._step) if compile else self._step

    def _step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = ((self.model(x) - y) ** 2).mean()
        loss.backward()
        self.optimizer.step()
        return loss

    def weights(self) -> list[Any]:
        return [p.detach().numpy().copy() for p in self.model.parameters()]


def batch(seed: int) -> tuple[Any, Any]:
    drawn = np.random.default_rng(seed)
    x = drawn.standard_normal((5, 4), dtype=np.float32)
    return torch.from_numpy(x), torch.from_numpy(x.sum(1, keepdims=True))


def settled(step: Callable[..., Any], *args: Any) -> None:
    """Call so often that the short way is open."""
    for _ in range(4):
        step(*args)


def pair() -> tuple[Trained, Trained]:
    return Trained(True), Trained(False)


def same(fast: Trained, plain: Trained) -> None:
    for a, b in zip(fast.weights(), plain.weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_same_tensors_again(looks: Looks) -> None:
    fast, plain = pair()
    x, y = batch(0)
    settled(plain.step, x, y)
    settled(fast.step, x, y)
    looks()
    losses = [fast.step(x, y).item() for _ in range(6)]
    assert looks() == 0
    assert losses == pytest.approx([plain.step(x, y).item() for _ in range(6)], rel=1e-5)
    same(fast, plain)


def test_other_tensors_of_the_same_types(looks: Looks) -> None:
    fast, plain = pair()
    settled(plain.step, *batch(0))
    settled(fast.step, *batch(0))
    looks()
    losses = [fast.step(*batch(seed)) for seed in range(1, 9)]
    assert looks() == 0
    assert {(x.shape, x.requires_grad) for x in losses} == {((), False)}
    right = [plain.step(*batch(seed)).item() for seed in range(1, 9)]
    assert [x.item() for x in losses] == pytest.approx(right, rel=1e-5)
    same(fast, plain)


def test_numbers_written_into_an_argument_are_read(looks: Looks) -> None:
    double = compiled(lambda x: x * 2)
    x = torch.ones(3)
    settled(double, x)
    looks()
    array = x.numpy()
    array[1] = 5
    assert double(x).tolist() == [2, 10, 2]
    assert looks() == 0
    x[0] = 7
    assert double(x).tolist() == [14, 10, 2]


CHANGES: dict[str, Callable[[Trained], Any]] = {
    "rate": lambda t: t.optimizer.param_groups[0].update(lr=0.02),
    "rate by hand": lambda t: t.optimizer.param_groups[0].__setitem__("lr", 0.02),
    "decay": lambda t: t.optimizer.param_groups[0].__setitem__("weight_decay", 0.1),
    "gradient": lambda t: setattr(t.model[0].weight, "grad", torch.ones(3, 4)),
    "frozen": lambda t: t.model[0].weight.requires_grad_(False),
    "replaced": lambda t: t.model.__setitem__(1, nn.Tanh()),
    "evaluated": lambda t: t.model.eval(),
    "memory": lambda t: setattr(t.model[0].weight, "data", torch.ones(3, 4)),
    "in place": lambda t: t.model[0].weight.data.fill_(0.5),
    "hook": lambda t: t.model.register_forward_hook(lambda *given: given[2] * 2),
    "threads": lambda _: torch.set_num_threads(torch.get_num_threads()),
}


def change_between(
    change: str, fast: Trained, plain: Trained, given: tuple[Any, Any], looks: Looks
) -> None:
    """Losses before and after a change are the plain one's, and the change is looked at."""
    for trained in (fast, plain):
        settled(trained.step, *given)
        CHANGES[change](trained)
    looks()
    for _ in range(3):
        assert fast.step(*given).item() == pytest.approx(plain.step(*given).item(), rel=1e-5)
    assert looks() >= (change != "in place")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_between_two_calls(change: str, looks: Looks) -> None:
    fast, plain = pair()
    change_between(change, fast, plain, batch(0), looks)
    same(fast, plain)
    if change != "gradient":
        assert all((a.grad is None) <= (b.grad is None) for a, b in parameters(fast, plain))


def parameters(fast: Trained, plain: Trained) -> Iterator[tuple[Any, Any]]:
    return zip(fast.model.parameters(), plain.model.parameters(), strict=True)


def test_a_rate_that_changes_at_every_call() -> None:
    fast, plain = pair()
    for number in range(8):
        for trained in (fast, plain):
            rate = np.float64(0.1 / (1 + number)) if number % 2 else 0.1 / (1 + number)
            trained.optimizer.param_groups[0]["lr"] = rate
            trained.step(*batch(number))
    same(fast, plain)


scale = 2.0
"""A number that a function finds among its globals."""


def test_a_global_and_a_cell(looks: Looks) -> None:
    global_and_cell(compiled, torch.ones(2), looks)


def global_and_cell(compile: Callable[..., Any], x: Any, looks: Looks) -> None:
    """What is computed of two ones follows a global and a cell as they change."""
    global scale
    shift = 1.0
    fast = compile(lambda x: x * scale + shift)
    settled(fast, x)
    looks()
    assert fast(x).tolist() == [3, 3]
    assert looks() == 0
    scale = 4.0
    try:
        assert fast(x).tolist() == [5, 5]
        shift = 3.0
        assert fast(x).tolist() == [7, 7]
    finally:
        scale = 2.0
    shift = 1.0
    assert fast(x).tolist() == [3, 3]


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x.double(),
        lambda x: x[:, :2],
        lambda x: torch.from_numpy(x.numpy().T.copy().T),
        lambda x: torch.from_numpy(x.numpy().repeat(2, 0)[::2]),
        lambda x: x.clone().requires_grad_(),
        lambda x: (x.clone().requires_grad_() * 2).detach(),
        lambda x: x + 1,
        lambda x: x.numpy(),
        lambda x: x.view(4, 4).t(),
        lambda x: nn.Parameter(x.clone()),
    ],
)
def test_arguments_of_another_kind(other: Callable[[Any], Any]) -> None:
    def function(x: Any) -> Any:
        return (x * 3 - 1) / 2 if isinstance(x, torch.Tensor) else None

    fast = compiled(function)
    x = torch.arange(16.0).reshape(4, 4)
    settled(fast, x)
    for _ in range(3):
        given = other(x)
        right = function(torch.as_tensor(given))
        found = fast(given)
        assert (found.dtype, found.shape) == (right.dtype, right.shape)
        assert found.requires_grad == right.requires_grad
        np.testing.assert_allclose(found.detach().numpy(), right.detach().numpy())
        np.testing.assert_allclose(fast(x).numpy(), function(x).numpy())


def test_an_argument_that_begins_to_need_a_gradient(looks: Looks) -> None:
    double = compiled(lambda x: x * 2)
    x = torch.ones(2)
    settled(double, x)
    looks()
    x.requires_grad_()
    y = double(x)
    assert looks() == 1
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    x.requires_grad_(False)
    settled(double, x)
    with torch.no_grad():
        x.requires_grad_()
        assert not double(x).requires_grad
    assert double(x).requires_grad


def test_one_tensor_given_twice() -> None:
    fast = compiled(lambda x, y: x - 2 * y)
    x, y = torch.full((2,), 1.0), torch.full((2,), 5.0)
    settled(fast, x, y)
    assert fast(x, x).tolist() == [-1, -1]
    settled(fast, x, x)
    assert fast(x, y).tolist() == [-9, -9]
    assert fast(y, y).tolist() == [-5, -5]


def test_arguments_that_are_no_tensors(looks: Looks) -> None:
    fast = compiled(lambda x, k, name: x * k if name == "times" else x + k)
    x = torch.full((2,), 3.0)
    settled(fast, x, 2, "times")
    looks()
    assert fast(x, 2, "times").tolist() == [6, 6]
    assert looks() == 0
    assert fast(x, 2, "plus").tolist() == [5, 5]
    assert fast(x, 2.0, "times").tolist() == [6, 6]
    assert fast(x, True, "times").tolist() == [3, 3]
    assert fast(x, k=2, name="times").tolist() == [6, 6]
    with pytest.raises(TypeError):
        fast(x)


def test_a_default_dtype_is_looked_at() -> None:
    fast = compiled(lambda x: x + torch.ones(2))
    x = torch.ones(2)
    settled(fast, x)
    torch.set_default_dtype(torch.float64)
    try:
        assert fast(x).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert fast(x).dtype is torch.float32


def test_what_is_pending_is_computed_before_it_is_overwritten() -> None:
    fast, plain = pair()
    x, y = batch(0)
    found = []
    for trained in (fast, plain):
        settled(trained.step, x, y)
        before = trained.model[0].weight * 2
        trained.step(x, y)
        found.append(before.detach().numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_step_counts_as_a_write_to_what_it_writes_to() -> None:
    fast = Trained(True)
    x, y = batch(0)
    settled(fast.step, x, y)
    weight = fast.model[0].weight
    loss = (weight * weight).sum()
    loss.item()
    version = weight._storage.version
    fast.step(x, y)
    assert weight._storage.version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_versions_outlive_the_programs() -> None:
    fast = Trained(True)
    weight = fast.model[0].weight
    for count in range(3):
        fast.step = compiled(fast._step)
        version = weight._storage.version
        settled(fast.step, *batch(count))
        assert weight._storage.version == version + 4
        gc.collect()
    assert len(weight._storage.root.writers) <= 2


def test_a_call_within_another_capture() -> None:
    inner = compiled(lambda x: x * 2)
    x = torch.ones(2)
    settled(inner, x)
    outer = compiled(lambda x: inner(x) + inner(x * 3))
    assert outer(x).tolist() == [8, 8]
    assert inner(x).tolist() == [2, 2]
    settled(outer, x)
    assert outer(torch.full((2,), 2.0)).tolist() == [16, 16]


def test_several_results() -> None:
    def results(x: Any) -> Any:
        return {"both": [x + 1, (x * 2, "text")], "given": x}

    for function in (results, lambda x: (x + 1, x * 2), lambda x: None, lambda x: (x + 1,)):
        fast = compiled(function)
        for number in range(5):
            x = torch.full((2,), float(number))
            assert shown(fast(x)) == shown(function(x))


def shown(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.tolist()
    if isinstance(x, dict):
        return {name: shown(value) for name, value in x.items()}
    return type(x)(map(shown, x)) if isinstance(x, list | tuple) else x


def test_results_stay_as_they_are(looks: Looks) -> None:
    double = compiled(lambda x: x * 2)
    kept = [double(torch.full((3,), float(number))) for number in range(12)]
    assert [x.tolist() for x in kept] == [[2.0 * number] * 3 for number in range(12)]
    zeros = torch.from_numpy(np.zeros(3, np.float32))
    settled(double, zeros)
    looks()
    first = double(zeros)
    assert looks() == 0
    first.label = "kept"
    first += 1
    assert double(zeros).tolist() == [0, 0, 0]
    assert first.tolist() == [1, 1, 1]
    assert (first.requires_grad, first.is_leaf, first.grad, first.grad_fn) == (
        False,
        True,
        None,
        None,
    )


def test_a_check_that_fails_tells_the_users_line() -> None:
    pick = compiled(lambda table, index: table[index])
    table = torch.arange(4.0)
    settled(pick, table, torch.tensor([1, 3]))
    with pytest.raises(IndexError, match="test_short_calls") as first:
        pick(table, torch.tensor([1, 9]))
    assert pick(table, torch.tensor([0, 2])).tolist() == [0, 2]
    fresh = compiled(lambda table, index: table[index])
    with pytest.raises(IndexError) as second:
        fresh(table, torch.tensor([1, 9]))
    said = [str(error.value).split("\n")[0] for error in (first, second)]
    assert said[0] == said[1]


def test_each_thread_looks_for_itself() -> None:
    double = compiled(lambda x: x * 2)
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        settled(double, x)
        found: list[Any] = []

        def call() -> None:
            found.append(double(x).requires_grad)
            with torch.no_grad():
                found.append(double(x).requires_grad)

        for _ in range(2):
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
        assert found == [True, False] * 2
        assert not double(x).requires_grad


def test_threads_at_once() -> None:
    double = compiled(lambda x: x * 2)
    wrong: list[Any] = []

    def call(number: int) -> None:
        for i in range(300):
            value = float(number * 1000 + i)
            found = double(torch.full((4,), value)).tolist()
            if found != [2 * value] * 4:
                wrong.append((value, found))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_arguments_and_functions_are_let_go() -> None:
    fast = Trained(True)
    x, y = batch(0)
    settled(fast.step, x, y)
    gc.collect()
    alive = [weakref.ref(item) for item in (x, x._storage.array, fast.model, fast.step)]
    del x, y
    assert alive[0]() is None
    assert alive[1]() is None
    del fast
    gc.collect()
    assert [reference() for reference in alive] == [None] * 4


def test_memory_does_not_grow() -> None:
    fast = Trained(True)
    x, y = batch(0)
    settled(fast.step, x, y)
    double = compiled(lambda x: (x * 2, x + 1))
    settled(double, x)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        fast.step(x, y)
        double(x)
        double(torch.from_numpy(np.zeros((5, 4), np.float32)))
    gc.collect()
    assert len(gc.get_objects()) < before + 60


def test_a_short_call_costs_less_than_a_microsecond_over_the_program() -> None:
    fast = Trained(True)
    x, y = batch(0)
    settled(fast.step, x, y)
    step: Any = fast.step
    found = step.last
    arrays = x._storage.array, y._storage.array
    call = min(timeit.repeat(lambda: fast.step(x, y), number=200, repeat=100)) / 200
    program = min(timeit.repeat(lambda: found.step(*arrays), number=200, repeat=100)) / 200
    assert call - program < 1e-6, f"{call * 1e9:.0f} ns, the program {program * 1e9:.0f} ns"
