"""Whole models train as in PyTorch: losses, parameters, buffers and optimizer state agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.programs import DROPPING, PROGRAMS, Program
from tests.torch_peer import torch

STEPS = 20
TOLERANCE = 1e-4
Wrap = Callable[[Any], Any]
WRAPS: dict[str, Wrap] = {
    "plain": lambda step: step,
    "compiled": lambda step: graphc.compile(step, backend="numpy"),
}


def train(
    package: Any, program: Program, wrap: Wrap, *, wide: bool = False
) -> tuple[list[float], Any, Any]:
    """The losses, the model and the optimizer after the steps; ``wide`` computes in float64."""
    model, optimizer, step = program.build(package)
    step = wrap(step)
    batches = list(program.batches(STEPS))
    if wide:
        model.double()
        batches = [(x.astype("f8") if x.dtype == "f4" else x, y) for x, y in batches]
    losses = [step(package.tensor(x), package.tensor(y)).item() for x, y in batches]
    return losses, model, optimizer


def close(what: str, mine: Any, peer: Any) -> None:
    """The arrays agree to a ten-thousandth of the greatest number in them."""
    mine, peer = np.asarray(mine), np.asarray(peer)
    assert mine.dtype == peer.dtype and mine.shape == peer.shape, what
    scale = float(np.abs(peer).max(initial=0.0))
    np.testing.assert_allclose(mine, peer, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=what)


def same_tensors(what: str, mine: dict[str, Any], peer: dict[str, Any]) -> None:
    assert list(mine) == list(peer)
    for name, x in peer.items():
        close(f"{what} {name}", mine[name].detach().numpy(), x.detach().numpy())


@pytest.fixture(scope="module")
def theirs() -> Callable[[str], Any]:
    """PyTorch's training of a program, once."""
    made: dict[str, Any] = {}

    def trained(name: str) -> Any:
        if name not in made:
            made[name] = train(torch, PROGRAMS[name], lambda step: step)
        return made[name]

    return trained


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_native_training_is_pytorchs(name: str, theirs: Callable[[str], Any]) -> None:
    """In float32 the losses, and in float64, where roundings do not add up, all there is."""
    native: Wrap = lambda step: graphc.compile(step, backend="native")  # noqa: E731
    losses, _, _ = train(graphc, PROGRAMS[name], native)
    np.testing.assert_allclose(losses, theirs(name)[0], rtol=1e-4)
    wide, model, _ = train(graphc, PROGRAMS[name], native, wide=True)
    expected, peer, _ = train(torch, PROGRAMS[name], lambda step: step, wide=True)
    np.testing.assert_allclose(wide, expected, rtol=1e-11)
    for key, x in peer.state_dict().items():
        mine = model.state_dict()[key].detach().numpy()
        np.testing.assert_allclose(mine, x.numpy(), rtol=1e-9, atol=1e-11, err_msg=key)


@pytest.mark.parametrize("how", WRAPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_training_is_pytorchs(name: str, how: str, theirs: Callable[[str], Any]) -> None:
    losses, model, optimizer = train(graphc, PROGRAMS[name], WRAPS[how])
    expected, peer, peer_optimizer = theirs(name)
    np.testing.assert_allclose(losses, expected, rtol=TOLERANCE)
    assert losses[-1] != losses[0]
    same_tensors("state", model.state_dict(), peer.state_dict())
    ours, others = optimizer.state_dict(), peer_optimizer.state_dict()
    assert ours["state"].keys() == others["state"].keys()
    for number, state in others["state"].items():
        mine = ours["state"][number]
        assert list(mine) == list(state)
        for key, x in state.items():
            close(f"optimizer {number} {key}", mine[key].numpy(), x.numpy())


@pytest.mark.parametrize("how", WRAPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_in_float64_only_the_last_digits_differ(name: str, how: str) -> None:
    losses, model, _ = train(graphc, PROGRAMS[name], WRAPS[how], wide=True)
    expected, peer, _ = train(torch, PROGRAMS[name], WRAPS["plain"], wide=True)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    for mine, x in zip(model.parameters(), peer.parameters(), strict=True):
        assert mine.dtype is graphc.float64
        scale = x.detach().abs().max().item()
        np.testing.assert_allclose(
            mine.detach().numpy(), x.detach().numpy(), rtol=1e-11, atol=1e-11 * scale
        )


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_compiled_model_in_a_plain_loop_is_pytorchs(
    name: str, theirs: Callable[[str], Any]
) -> None:
    program = PROGRAMS[name]

    def compiled(package: Any) -> tuple[Any, Any]:
        model, optimizer = program.make(package)
        return package.compile(model), optimizer

    losses, model, _ = train(graphc, Program(compiled, program.batch), lambda step: step)
    expected, peer, _ = theirs(name)
    np.testing.assert_allclose(losses, expected, rtol=TOLERANCE)
    same_tensors("state", model._orig_mod.state_dict(), peer.state_dict())
    assert len(model.compilations) == 1


@pytest.mark.parametrize("name", PROGRAMS)
def test_evaluation_after_training_is_pytorchs(name: str, theirs: Callable[[str], Any]) -> None:
    _, model, _ = train(graphc, PROGRAMS[name], graphc.compile)
    _, peer, _ = theirs(name)
    (x, _), *_ = PROGRAMS[name].batches(1)
    model.eval(), peer.eval()
    with graphc.no_grad(), torch.no_grad():
        expected = peer(torch.tensor(x)).numpy()
        close("plain", model(graphc.tensor(x)).numpy(), expected)
        close("compiled", graphc.compile(model)(graphc.tensor(x)).numpy(), expected)
    peer.train()


def classifier(p: float) -> tuple[Any, Any]:
    graphc.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Dropout(p), nn.Linear(64, 3))
    return model, graphc.optim.Adam(model.parameters(), lr=1e-2)


@pytest.mark.parametrize("how", WRAPS)
def test_a_model_with_dropout_trains(how: str) -> None:
    model, optimizer = classifier(0.5)
    rng = np.random.default_rng(0)
    x = graphc.tensor(rng.standard_normal((32, 8)).astype("f4"))
    y = graphc.tensor(rng.integers(0, 3, 32))

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = WRAPS[how](step)
    losses = [run(x, y).item() for _ in range(80)]
    model.eval()
    with graphc.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    assert accuracy > 0.9
    assert len(set(losses)) == len(losses)


def test_dropout_is_the_same_compiled_and_plain() -> None:
    losses = {}
    for how, wrap in WRAPS.items():
        model, optimizer = classifier(0.25)
        graphc.manual_seed(5)

        def step(x: Any, model: Any = model, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = wrap(step)
        x = graphc.tensor(np.random.default_rng(0).standard_normal((4, 8)).astype("f4"))
        losses[how] = [run(x).item() for _ in range(10)]
    np.testing.assert_allclose(losses["compiled"], losses["plain"], rtol=1e-5)


def test_a_transformer_with_dropout_is_the_same_everywhere() -> None:
    """By its composites' bodies and by kernels that draw themselves, of the same numbers."""
    wraps: dict[str, Wrap] = {
        **WRAPS,
        "native": lambda step: graphc.compile(step, backend="native"),
    }
    runs = {how: train(graphc, DROPPING, wrap, wide=True) for how, wrap in wraps.items()}
    losses, model, _ = runs.pop("plain")
    assert losses[-1] < losses[0]
    for how, (found, other, _) in runs.items():
        np.testing.assert_allclose(found, losses, rtol=1e-10, err_msg=how)
        for key, x in model.state_dict().items():
            mine = other.state_dict()[key].numpy()
            np.testing.assert_allclose(mine, x.numpy(), rtol=1e-8, atol=1e-10, err_msg=how)
