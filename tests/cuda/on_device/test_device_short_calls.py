"""Calls on a device that are like the last one take a short way; other ones are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as torch
from graphc import nn
from graphc.compiled import Compiled
from tests.compile.test_short_calls import (
    CHANGES,
    Looks,
    Trained,
    change_between,
    global_and_cell,
    looks,
    same,
    settled,
)

__all__ = ["looks"]  # a fixture


def on_device(compile: bool) -> Trained:
    """A model on the device with its step."""
    trained = Trained(compile, momentum=0.9)
    trained.model.cuda()
    return trained


def batch(seed: int) -> tuple[Any, Any]:
    x = np.random.default_rng(seed).standard_normal((5, 4), dtype=np.float32)
    return torch.from_numpy(x).cuda(), torch.from_numpy(x.sum(1, keepdims=True)).cuda()


def test_calls_that_are_alike(looks: Looks) -> None:
    fast, plain = on_device(True), on_device(False)
    for trained in (plain, fast):  # what the plain one does is a change, after which is looked
        settled(trained.step, *batch(0))
    looks()
    losses = [fast.step(*batch(seed)) for seed in range(1, 9)]
    assert looks() == 0
    assert {(x.shape, x.requires_grad, str(x.device)) for x in losses} == {((), False, "cuda:0")}
    right = [plain.step(*batch(seed)).item() for seed in range(1, 9)]
    assert [x.item() for x in losses] == pytest.approx(right, rel=1e-5)
    compared(fast, plain)


def compared(fast: Trained, plain: Trained) -> None:
    for trained in (fast, plain):
        trained.model.cpu()
    same(fast, plain)


def test_numbers_of_a_generator_whose_state_is_on_the_cpu(looks: Looks) -> None:
    """Their program has a piece on the CPU, too."""

    def dropped(x: Any) -> Any:
        return nn.functional.dropout(x * 2, 0.5)

    x = torch.ones(64, device="cuda")
    torch.manual_seed(5)
    right = [dropped(x).tolist() for _ in range(8)]
    fast = torch.compile(dropped)
    settled(fast, x)
    looks()
    torch.manual_seed(5)
    assert [fast(x).tolist() for _ in range(8)] == right
    assert looks() <= 1  # that of the new seed
    assert right[0] != right[1]


def test_a_result_on_the_cpu() -> None:
    def both(x: Any, factor: Any) -> Any:
        return x * 2, factor + 1

    fast = torch.compile(both)
    x, factor = torch.ones(2, device="cuda"), torch.tensor([3.0, 4.0])
    settled(fast, x, factor)
    for number in range(3):
        factor[0] = number
        on_device, here = fast(x + number, factor)
        assert on_device.tolist() == [2.0 + 2 * number] * 2
        assert (str(here.device), here.tolist()) == ("cpu", [number + 1.0, 5.0])


def test_after_a_program_of_the_cpu(looks: Looks) -> None:
    """The native backend's library has a way in for all compiled functions: both are short."""
    double = torch.compile(lambda x: x * 2)
    here, there = torch.ones(3), torch.ones(3, device="cuda")
    settled(double, here)
    settled(double, there)
    looks()
    assert double(there).tolist() == [2, 2, 2]
    assert looks() == 0
    assert double(here).tolist() == [2, 2, 2]


@pytest.mark.parametrize("change", sorted(set(CHANGES) - {"gradient", "memory", "threads"}))
def test_a_change_between_two_calls(change: str, looks: Looks) -> None:
    fast, plain = on_device(True), on_device(False)
    change_between(change, fast, plain, batch(0), looks)
    compared(fast, plain)


def test_a_global_and_a_cell(looks: Looks) -> None:
    global_and_cell(torch.compile, torch.ones(2, device="cuda"), looks)


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x.double(),
        lambda x: x[:, :2],
        lambda x: x.t(),
        lambda x: x.cpu(),
        lambda x: x.clone().requires_grad_(),
        lambda x: (x.clone().requires_grad_() * 2).detach(),
        lambda x: x + 1,
        lambda x: nn.Parameter(x.clone()),
    ],
)
def test_arguments_of_another_kind(other: Callable[[Any], Any]) -> None:
    def function(x: Any) -> Any:
        return (x * 3 - 1) / 2

    fast = torch.compile(function)
    x = torch.arange(16.0, device="cuda").reshape(4, 4).clone()
    settled(fast, x)
    for _ in range(3):
        given = other(x)
        right, found = function(given), fast(given)
        assert (found.dtype, found.shape, found.device) == (right.dtype, right.shape, right.device)
        assert found.requires_grad == right.requires_grad
        np.testing.assert_allclose(found.detach().cpu().numpy(), right.detach().cpu().numpy())
        np.testing.assert_allclose(fast(x).cpu().numpy(), function(x).cpu().numpy())


def test_tensors_given_twice_and_what_is_no_tensor(looks: Looks) -> None:
    fast = torch.compile(lambda x, y, k: x - k * y)
    x, y = torch.full((2,), 1.0, device="cuda"), torch.full((2,), 5.0, device="cuda")
    settled(fast, x, y, 2)
    looks()
    assert fast(y, x, 2).tolist() == [3, 3]
    assert looks() == 0
    assert fast(x, x, 2).tolist() == [-1, -1]
    assert fast(x, y, 3).tolist() == [-14, -14]
    with pytest.raises(TypeError):
        fast(x)


def test_results_stay_as_they_are() -> None:
    double = torch.compile(lambda x: x * 2)
    given = [torch.full((3,), float(number), device="cuda") for number in range(12)]
    kept = [double(x) for x in given]
    assert [x.tolist() for x in kept] == [[2.0 * number] * 3 for number in range(12)]
    kept[0] += 1
    assert double(given[0]).tolist() == [0, 0, 0]
    assert kept[0].tolist() == [1, 1, 1]


def test_each_thread_looks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    double = torch.compile(lambda x: x * 2)
    x = torch.ones(2, device="cuda")
    settled(double, x)
    seen: list[int] = []
    look = Compiled._look

    def noted(compiled: Compiled, *args: Any, **kwargs: Any) -> Any:
        seen.append(threading.get_ident())
        return look(compiled, *args, **kwargs)

    monkeypatch.setattr(Compiled, "_look", noted)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(double(x).tolist()))
    thread.start()
    thread.join()
    assert found == [[2, 2]]
    assert seen == [thread.ident]
