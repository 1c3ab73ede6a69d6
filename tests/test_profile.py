"""``profile``: how long each kernel of a compiled program takes, and that nothing else happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.profile import Profile
from tests.programs import training_step


def training() -> tuple[nn.Module, Any, Any, Any]:
    """A model, a function that is a step of its training, and a batch."""
    graphc.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 4))
    optimizer = graphc.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = training_step(graphc, model, optimizer)
    return model, step, graphc.randn(32, 16), graphc.randint(0, 4, (32,))


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_every_kernel_is_timed(backend: str) -> None:
    _, step, *batch = training()
    compiled = graphc.compile(step, backend=backend)
    found = compiled.profile(*batch, repeats=3)
    assert isinstance(found, Profile)
    timed = [name for row in found for name in row.kernels]
    missing = [k.name for k in compiled.kernels if not any(x.startswith(k.name) for x in timed)]
    assert not missing
    assert all(row.milliseconds >= 0 for row in found)
    assert sum(row.share for row in found) == pytest.approx(1)
    assert found.step_milliseconds > 0
    linear = next(row for row in found if any(x.startswith("linear_") for x in row.kernels))
    assert "linear, programs.py:" in linear.what


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_nothing_is_changed(backend: str) -> None:
    """Neither weights, nor the optimizer's state, nor random numbers, nor the next losses."""
    losses = []
    for profiles in (False, True):
        model, step, *batch = training()
        compiled = graphc.compile(step, backend=backend)
        compiled(*batch)
        before = {k: x.numpy().copy() for k, x in model.state_dict().items()}
        if profiles:
            compiled.profile(*batch, repeats=2)
            for key, x in model.state_dict().items():
                np.testing.assert_array_equal(x.numpy(), before[key])
        losses.append([compiled(*batch).item() for _ in range(3)])
    assert losses[0] == losses[1]


def test_arguments_that_are_written_to_stay() -> None:
    def add(x: Any) -> Any:
        x.add_(1)
        return x * 2

    x = graphc.zeros(4)
    graphc.compile(add).profile(x, repeats=2)
    assert x.tolist() == [0.0] * 4


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_a_long_program_in_sections(backend: str) -> None:
    """Steps of which one function would be too long are cut; all statements are timed."""

    def many(x: Any) -> list[Any]:
        return [(x * i).sum().cos() for i in range(1, 301)]

    compiled = graphc.compile(many, backend=backend)
    found = compiled.profile(graphc.randn(3, 4), repeats=2)
    functions = {name for row in found for name in row.kernels}
    assert len(found) > 200
    assert {k.name for k in compiled.kernels} <= functions


def test_a_module_is_profiled_and_the_slowest_comes_first() -> None:
    model = nn.Sequential(nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 1)).eval()
    found = graphc.compile(model).profile(graphc.randn(512, 256), repeats=5)
    lines = str(found).splitlines()
    assert "ms a step; medians of 5" in lines[0]
    shown = [float(line.split()[0]) for line in lines[1:]]
    assert len(shown) == len(found)
    assert shown == sorted(shown, reverse=True)


def test_what_cannot_be_profiled_says_so() -> None:
    compiled = graphc.compile(lambda x: x + 1, backend="cuda:sm_90")
    with pytest.raises(GraphcRuntimeError, match="cuda:sm_90: kernels are timed on the device"):
        compiled.profile(graphc.ones(2))
    with pytest.raises(GraphcValueError, match="repeats=0"):
        graphc.compile(lambda x: x + 1).profile(graphc.ones(2), repeats=0)


def test_an_error_of_a_kernel_is_told_as_ever() -> None:
    embedding = nn.Embedding(4, 2)
    compiled = graphc.compile(lambda x: embedding(x) * 2)
    with pytest.raises(IndexError):
        compiled.profile(graphc.tensor([7]))
