"""Convolutions by cuDNN, where measuring finds that it is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.nn.functional as F
from graphc import nn
from graphc.backends.cuda import cudnn, tuning
from graphc.backends.cuda.correlation import Correlation
from tests.cuda.on_device import rivals
from tests.cuda.on_device.test_device_tuning import few, near, normal, nothing_is_known

__all__ = ["few", "nothing_is_known"]  # fixtures


@pytest.fixture
def library() -> None:
    if cudnn.library() is None:
        pytest.skip("there is no cuDNN")


needs_library = pytest.mark.usefixtures("library")


def take_library(monkeypatch: pytest.MonkeyPatch, number: int = 0) -> None:
    rivals.take(Correlation, monkeypatch, number)


def chosen(step: Any) -> int:
    """How many launches of a program are the library's."""
    return int(step.source().count("by cudnnConvolution"))


Case = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], dict[str, Any]]
CASES: dict[str, Case] = {
    "plain": (F.conv2d, (2, 3, 7, 9), (4, 3, 3, 3), {}),
    "strides": (F.conv2d, (2, 4, 9, 8), (8, 4, 3, 2), {"stride": (2, 1), "padding": (1, 0)}),
    "dilated": (F.conv2d, (1, 2, 9, 9), (4, 2, 3, 3), {"dilation": 2, "padding": 2}),
    "groups": (F.conv2d, (2, 4, 6, 6), (8, 2, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": (F.conv2d, (1, 4, 6, 6), (4, 1, 3, 3), {"groups": 4}),
    "pointwise": (F.conv2d, (2, 8, 4, 4), (4, 8, 1, 1), {}),
    "one dimension": (F.conv1d, (2, 4, 12), (4, 4, 3), {"stride": 2, "padding": 1}),
    "three dimensions": (F.conv3d, (1, 2, 4, 5, 4), (4, 2, 2, 3, 2), {"padding": 1}),
    "transposed": (F.conv_transpose2d, (1, 4, 5, 5), (4, 2, 3, 3), {"stride": 2}),
}


def plain(x: Any, w: Any) -> Any:
    return F.conv2d(x, w)


def operands(case: Case, dtype: Any = graphc.float32) -> tuple[Any, Any, dict[str, Any]]:
    _, x, w, settings = case
    return normal(*x, dtype=dtype), normal(*w, seed=1, dtype=dtype), settings


def with_gradients(convolve: Callable[..., Any], settings: dict[str, Any]) -> Callable[..., Any]:
    """A convolution and both of its gradients, which are three of the library's functions."""

    def run(x: Any, w: Any) -> Any:
        y = convolve(x, w, **settings)
        return y, *graphc.autograd.grad((y * y.detach().cos()).sum(), (x, w))

    return run


@needs_library
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("name", CASES)
def test_the_library_computes_the_same(
    name: str, last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w, settings = operands(CASES[name])
    if last and x.dim() == 4:
        x, w = (t.contiguous(memory_format=graphc.channels_last) for t in (x, w))
    x, w = x.requires_grad_(), w.requires_grad_()
    run = with_gradients(CASES[name][0], settings)
    right = graphc.compile(run)(x, w)
    take_library(monkeypatch)
    step = graphc.compile(run, tune=True)
    for _ in range(3):  # launch by launch, captured, and replayed
        for a, b in zip(step(x, w), right, strict=True):
            near(a.detach(), b.detach())
    assert chosen(step) == 3
    functions = ("Forward", "BackwardData", "BackwardFilter")
    assert all(f"by cudnnConvolution{x}(" in step.source() for x in functions)


@needs_library
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("dtype", [graphc.float16, graphc.bfloat16], ids=str)
def test_floats_of_two_bytes(dtype: Any, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the algorithm with a workspace, and by the one without."""
    x, w, _ = operands(CASES["plain"], dtype)
    right = graphc.compile(plain)(x, w)
    take_library(monkeypatch, number)
    step = graphc.compile(plain, tune=True)
    near(step(x, w), right)
    assert chosen(step) == 1


@needs_library
def test_the_library_is_told_of_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    take_library(monkeypatch)
    x, w, _ = operands(CASES["plain"])
    right = F.conv2d(x.cpu().double(), w.cpu().double()).numpy()
    errors = []
    for allowed in (False, True):
        monkeypatch.setattr(graphc.backends.cudnn, "allow_tf32", allowed)
        step = graphc.compile(plain, tune=True)
        errors.append(np.abs(step(x, w).cpu().numpy() - right).max())
        assert ("; in tf32" in step.source()) == allowed
        assert chosen(step) == 1
    assert errors[0] < 1e-5 < 1e-4 < errors[1] < 1e-1


OTHERS: dict[str, Callable[..., Any]] = {
    "finished": lambda x, w: F.relu(F.conv2d(x, w)),
    "double": lambda x, w: F.conv2d(x.double(), w.double()),
    "a repeated image": lambda x, w: F.conv2d(x[:1].expand(2, 3, 7, 9), w),
    "an odd address": lambda x, w: F.conv2d(x.reshape(-1)[1:190].reshape(1, 3, 7, 9), w),
    "a turned kernel": lambda x, w: F.conv2d(x, w.transpose(2, 3)),
}


@needs_library
@pytest.mark.parametrize("name", OTHERS)
def test_what_the_library_has_not_is_not_asked_of_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w, _ = operands(CASES["plain"])
    right = graphc.compile(OTHERS[name])(x, w)
    take_library(monkeypatch)
    step = graphc.compile(OTHERS[name], tune=True)
    near(step(x, w).float(), right.float())
    assert chosen(step) == 0
    assert "measured: " in step.source()


@needs_library
def test_what_the_library_had_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, _ = operands(CASES["plain"])
    take_library(monkeypatch)
    first = graphc.compile(plain, x, w, tune=True)
    assert "by cuDNN " in first.source()
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    again = graphc.compile(plain, x, w, tune=True)
    assert again.source() == first.source()
    found = cudnn.library()
    assert found is not None
    monkeypatch.setattr(found, "version", "1.2.3")
    assert chosen(graphc.compile(plain, x, w, tune=True)) == 0


def test_without_the_library_there_is_no_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cudnn, "library", lambda: None)
    x, w, _ = operands(CASES["plain"])
    step = graphc.compile(plain, x, w, tune=True)
    assert "the best of 3 cuts" in step.source()
    assert "cuDNN" not in step.source()


@needs_library
def test_a_training_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions among kernels, over weights that the step itself changes."""

    def trained(*, tune: bool) -> list[float]:
        graphc.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 2),
        ).cuda()  # fmt: skip
        optimizer = graphc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        x, y = normal(4, 3, 6, 6), normal(4, 2, seed=1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = ((net(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        compiled = graphc.compile(step, tune=tune)
        losses = [compiled(x, y).item() for _ in range(5)]
        assert chosen(compiled) >= (3 if tune else 0)
        return losses

    monkeypatch.setattr(graphc.backends.cudnn, "allow_tf32", False)
    right = trained(tune=False)
    take_library(monkeypatch)
    assert trained(tune=True) == pytest.approx(right, rel=1e-4)
