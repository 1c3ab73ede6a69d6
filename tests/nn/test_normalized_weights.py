"""Weights that are normalised before each forward pass, against PyTorch's."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.nn.peers import both, both_fail
from tests.torch_peer import torch

Layer = Callable[[Any], Any]
"""A layer of a package with normalised weights."""


def weighted(m: Any, layer: Any, *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return m.nn.utils.weight_norm(layer, *args, **kwargs)


LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "linear": (lambda m: m.nn.utils.spectral_norm(m.nn.Linear(4, 3)), (5, 4)),
    "convolution": (
        lambda m: m.nn.utils.spectral_norm(m.nn.Conv2d(2, 3, 3), n_power_iterations=3, eps=1e-6),
        (2, 2, 5, 5),
    ),
    "transposed": (lambda m: m.nn.utils.spectral_norm(m.nn.ConvTranspose1d(2, 3, 2)), (2, 2, 5)),
    "another dimension": (lambda m: m.nn.utils.spectral_norm(m.nn.Linear(4, 3), dim=1), (5, 4)),
    "lengths": (lambda m: weighted(m, m.nn.Linear(4, 3)), (5, 4)),
    "lengths of columns": (lambda m: weighted(m, m.nn.Conv1d(2, 3, 2), dim=1), (1, 2, 5)),
    "length": (lambda m: weighted(m, m.nn.Linear(4, 3), name="weight", dim=None), (5, 4)),
}


def pair(make: Layer) -> tuple[Any, Any]:
    """A layer of both packages, with PyTorch's parameters and buffers."""
    mine, theirs = make(graphc), make(torch)
    state = theirs.state_dict()
    assert list(mine.state_dict()) == list(state)
    mine.load_state_dict({name: graphc.tensor(x.numpy()) for name, x in state.items()})
    return mine, theirs


def same_state(mine: Any, theirs: Any) -> None:
    state = theirs.state_dict()
    assert list(mine.state_dict()) == list(state)
    for name, x in mine.state_dict().items():
        np.testing.assert_allclose(x.numpy(), state[name].numpy(), 1e-4, 1e-6, err_msg=name)


def trained(m: Any, layer: Any, shape: tuple[int, ...], call: Any) -> list[float]:
    """Losses of a few steps, in each of which the layer is called twice, and one for evaluation."""
    draws = np.random.default_rng(0)
    inputs = [m.tensor(draws.standard_normal(shape).astype("float32")) for _ in range(6)]
    optimizer = m.optim.SGD(layer.parameters(), lr=0.1)
    losses = []
    for first, second in zip(inputs[::2], inputs[1::2], strict=True):
        optimizer.zero_grad()
        loss = m.relu(1 - call(first)).mean() + m.relu(1 + call(second)).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    layer.eval()
    return [*losses, layer(inputs[0]).sum().item()]


@pytest.mark.parametrize("compiled", (False, True), ids=("plain", "compiled"))
@pytest.mark.parametrize("name", LAYERS)
def test_training(name: str, compiled: bool) -> None:
    make, shape = LAYERS[name]
    mine, theirs = pair(make)
    ours = trained(graphc, mine, shape, graphc.compile(mine) if compiled else mine)
    np.testing.assert_allclose(ours, trained(torch, theirs, shape, theirs), rtol=1e-4)
    same_state(mine, theirs)
    assert getattr(mine.state_dict(), "_metadata") == getattr(theirs.state_dict(), "_metadata")  # noqa: B009


@pytest.mark.parametrize("name", LAYERS)
def test_removal(name: str) -> None:
    make, shape = LAYERS[name]
    mine, theirs = pair(make)
    for m, layer in ((graphc, mine), (torch, theirs)):
        remove = "remove_weight_norm" if "length" in name else "remove_spectral_norm"
        assert getattr(m.nn.utils, remove)(layer) is layer
    same_state(mine, theirs)
    x = np.ones(shape, "float32")
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(mine(graphc.tensor(x)).detach().numpy(), expected, 1e-5, 1e-6)


def test_singular_vectors_begin_anywhere_on_the_sphere() -> None:
    layer = graphc.nn.utils.spectral_norm(graphc.nn.Linear(4, 3))
    assert layer.weight_u.norm().item() == pytest.approx(1.0)
    assert [tuple(x.shape) for x in layer.buffers()] == [(3,), (4,)]


def test_names() -> None:
    def program(m: Any) -> Any:
        net = m.nn.Sequential(
            weighted(m, m.nn.Linear(2, 2)), m.nn.utils.spectral_norm(m.nn.Linear(2, 2))
        )
        return [name for name, _ in net.named_parameters()], repr(net)

    both(program)


WRONG: dict[str, Callable[[Any], Any]] = {
    "twice": lambda m: m.nn.utils.spectral_norm(m.nn.utils.spectral_norm(m.nn.Linear(2, 2))),
    "lengths twice": lambda m: weighted(m, weighted(m, m.nn.Linear(2, 2))),
    "no iterations": lambda m: m.nn.utils.spectral_norm(m.nn.Linear(2, 2), n_power_iterations=0),
    "no parameter": lambda m: m.nn.utils.spectral_norm(m.nn.Linear(2, 2, bias=False), "bias"),
    "not there": lambda m: m.nn.utils.remove_spectral_norm(m.nn.Linear(2, 2)),
    "no lengths": lambda m: m.nn.utils.remove_weight_norm(m.nn.Linear(2, 2)),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str) -> None:
    both_fail(WRONG[name])


def test_the_hook_for_lengths_is_deprecated() -> None:
    for m in (graphc, torch):
        with pytest.warns(FutureWarning, match="in favor of"):
            m.nn.utils.weight_norm(m.nn.Linear(2, 2))
