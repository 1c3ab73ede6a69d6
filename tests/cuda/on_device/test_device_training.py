"""Whole models train on a CUDA device as on the CPU: losses agree within rounding."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.programs import DROPPING, PROGRAMS, Program, training_step

ROOT = Path(__file__).parents[3]
STEPS = 8
Wrap = Callable[[Any], Any]
WRAPS: dict[str, Wrap] = {"plain": lambda step: step, "compiled": graphc.compile}


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Convolutions in full precision, as on the CPU: by default they are in tf32."""
    graphc.backends.cudnn.allow_tf32 = False
    yield
    graphc.backends.cudnn.allow_tf32 = True


def train(program: Program, place: str, wrap: Wrap) -> tuple[list[float], dict[str, Any]]:
    """The losses of some steps, and all parameters and buffers after them."""
    model, optimizer, step = program.build(graphc)
    model.to(place)
    step = wrap(step)
    batches = [[graphc.tensor(x, device=place) for x in b] for b in program.batches(STEPS)]
    losses = [step(*batch).item() for batch in batches]
    state = optimizer.state_dict()["state"].values()
    assert {x.device.type for held in state for x in held.values()} <= {place}
    return losses, {k: x.cpu().numpy() for k, x in model.state_dict().items()}


@pytest.mark.parametrize("how", WRAPS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_training_is_the_cpus(name: str, how: str) -> None:
    same_training(PROGRAMS[name], how)


@pytest.mark.parametrize("how", WRAPS)
def test_a_training_with_dropout_is_the_cpus(how: str) -> None:
    """Attention's kernels draw the numbers by which the CPU's drop weights."""
    same_training(DROPPING, how)


def test_a_step_that_draws_often_is_one_program_of_the_device() -> None:
    """The CPU only moves the generator's state on."""
    model, _, step = DROPPING.build(graphc)
    model.to("cuda")
    step = graphc.compile(step)
    step(*(graphc.tensor(x, device="cuda") for x in next(DROPPING.batches(1))))
    pieces = step.last.program.split.pieces
    assert [piece.device for piece in pieces] == ["cuda:0", "cpu"]


def same_training(program: Program, how: str) -> None:
    """A training comes to the same on both devices."""
    losses, state = train(program, "cuda", WRAPS[how])
    expected, there = train(program, "cpu", WRAPS["compiled"])
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
    for key, x in there.items():
        scale = float(np.abs(x).max(initial=0))
        np.testing.assert_allclose(state[key], x, rtol=1e-3, atol=1e-3 * scale, err_msg=key)


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_masks_of_dropout_are_the_cpus(backend: str) -> None:
    """Bit for bit, drawn plainly and by compiled programs, step after step."""

    def noise(x: Any) -> Any:
        rows = graphc.eye(14, device=x.device).view(1, 14, 14).expand(15, 14, 14)
        weights = nn.functional.scaled_dot_product_attention(rows, rows, rows, dropout_p=0.4)
        return nn.functional.dropout(x, 0.3), weights != 0, nn.functional.dropout2d(x, 0.5)

    def drawn(function: Any, place: str) -> list[Any]:
        graphc.manual_seed(11)
        x = graphc.ones(3, 5, 7, 2, device=place)
        return [part.cpu().numpy() for _ in range(4) for part in function(x)]

    expected = drawn(graphc.compile(noise, backend=backend), "cpu")
    for function in (noise, graphc.compile(noise)):
        for mine, theirs in zip(drawn(function, "cuda"), expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.skip = nn.Sequential()
        if stride != 1 or inputs != channels:
            skip = nn.Conv2d(inputs, channels, 1, stride, bias=False)
            self.skip = nn.Sequential(skip, nn.BatchNorm2d(channels))

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(y + self.skip(x))


def resnet18() -> Any:
    """ResNet-18 (He et al., 2015)."""
    width = 64
    stem = nn.Conv2d(3, width, 7, 2, 3, bias=False)
    layers: list[Any] = [stem, nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = width
    for stage in range(4):
        channels = width << stage
        layers += [Block(inputs, channels, 1 if stage == 0 else 2), Block(channels, channels, 1)]
        inputs = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def test_resnet18() -> None:
    def losses(place: str) -> list[float]:
        graphc.manual_seed(0)
        model = resnet18().to(place)
        optimizer = graphc.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
        step = graphc.compile(training_step(graphc, model, optimizer))
        # The last batch norms see 16 numbers a channel: of fewer, float32's rounding is amplified.
        rng = np.random.default_rng(0)
        x = graphc.tensor(rng.standard_normal((4, 3, 64, 64)).astype("f4"), device=place)
        y = graphc.tensor(rng.integers(0, 10, 4), device=place)
        return [step(x, y).item() for _ in range(3)]

    np.testing.assert_allclose(losses("cuda"), losses("cpu"), rtol=1e-5)


def test_the_tour(capsys: pytest.CaptureFixture[str]) -> None:
    """The same file prints the same but for where its tensors are."""
    program = "import runpy, graphc; graphc.manual_seed(0); runpy.run_path({!r}, run_name='x')"
    path = str(ROOT / "examples" / "pytorch_tour.py")
    graphc.manual_seed(0)
    runpy.run_path(path, run_name="x")
    mine = capsys.readouterr().out
    hidden = "import graphc; graphc.cuda.is_available = lambda: False; "
    command = [sys.executable, "-c", hidden + program.format(path)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cuda:0 cuda:0" in mine
    assert "cpu cpu" in theirs
    moved = mine.replace(", device='cuda:0'", "").replace("cuda:0 cuda:0", "cpu cpu")
    assert moved == theirs


def test_the_digits(capsys: pytest.CaptureFixture[str]) -> None:
    module = runpy.run_path(str(ROOT / "examples" / "train_digits.py"), {"EPOCHS": 4})
    assert str(next(module["model"].parameters()).device) == "cuda:0"
    module["main"].__globals__["EPOCHS"] = 4
    module["main"]()
    said = capsys.readouterr().out
    accuracy = float(said.partition("test accuracy: ")[2].partition("%")[0])
    assert accuracy > 95
    assert "__global__ void" in said


@pytest.mark.parametrize("how", WRAPS)
def test_mixed_precision(how: str) -> None:
    """A loss in float16, scaled, and float32 weights: as PyTorch's programs are written."""
    graphc.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 4)).cuda()
    optimizer = graphc.optim.AdamW(model.parameters(), lr=1e-2)
    scaler = graphc.amp.GradScaler("cuda", init_scale=1024.0)
    types = []

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        with graphc.autocast("cuda", dtype=graphc.float16):
            logits = model(x)
            types.append(logits.dtype)
            loss = nn.functional.cross_entropy(logits, y)
            types.append(loss.dtype)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    run = WRAPS[how](step)
    x = graphc.randn(32, 8, device="cuda")
    y = graphc.randint(0, 4, (32,), device="cuda")
    losses = [run(x, y).item() for _ in range(12)]
    assert types[:2] == [graphc.float16, graphc.float32]
    assert losses[-1] < 0.8 * losses[0]
    assert scaler.get_scale() == 1024.0
    run(x * float("inf"), y)
    assert scaler.get_scale() == 512.0
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_launches_are_timed_by_the_device() -> None:
    """Also those of a step whose random numbers have their state on the CPU."""
    graphc.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.5), nn.Linear(16, 4)).cuda()
    optimizer = graphc.optim.SGD(model.parameters(), lr=0.1)
    step = graphc.compile(training_step(graphc, model, optimizer))
    x, y = graphc.randn(32, 8, device="cuda"), graphc.randint(0, 4, (32,), device="cuda")
    before = model[0].weight.detach().cpu().numpy()
    found = step.profile(x, y, repeats=2)
    np.testing.assert_array_equal(model[0].weight.detach().cpu().numpy(), before)
    launched = {name for row in found for name in row.kernels}
    assert [k.name for k in step.kernels if not any(n.startswith(k.name) for n in launched)] == []
    assert found.kernel_milliseconds > 0
    assert "cuda" in found.backend
