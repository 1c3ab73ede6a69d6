"""Products and convolutions chosen by measuring them on the device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
import graphc.nn.functional as F
from graphc import nn
from graphc.backends import tuned
from graphc.backends.cuda import bench, cublas, tuning
from graphc.backends.cuda.multiplication import Multiplication
from graphc.errors import GraphcRuntimeError
from tests.cuda.on_device import rivals


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes little time, and begins with products that the stand-in does at once."""
    monkeypatch.setattr(tuning, "COUNT", 3)
    monkeypatch.setattr(tuning, "WORK", 1)
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(bench, "LAUNCHES", 3)


@pytest.fixture(autouse=True)
def nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "tuned.json"
    monkeypatch.setattr(tuned, "file", lambda: own)
    tuned.known.cache_clear()


def normal(*shape: int, seed: int = 0, dtype: Any = graphc.float32) -> graphc.Tensor:
    found: graphc.Tensor = graphc.from_numpy(
        np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    )
    return found.to(dtype).cuda()  # type: ignore[no-any-return]


def kept() -> dict[str, tuned.Choice]:
    """What later processes will know."""
    tuned.known.cache_clear()
    return tuned.known()


def near(got: graphc.Tensor, right: graphc.Tensor) -> None:
    tolerance = 1e-4 if got.dtype == graphc.float32 else 2e-2
    a, b = (x.float().cpu().numpy() for x in (got, right))
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def take(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a candidate of a number have been the fastest."""

    def times(self: bench.Bench) -> list[float]:
        return [1e-6 if i == number else 1e-3 for i in range(len(self.kernels))]

    monkeypatch.setattr(bench.Bench, "times", times)


def layer(x: Any, w: Any, b: Any) -> Any:
    return F.relu(x @ w + b)


def attended(x: Any, y: Any, b: Any) -> Any:
    """Batches, one of which is broadcast, of a matrix that is turned round."""
    return (x.reshape(2, 3, 8, 40).flip(2) @ y.reshape(3, 40, 40).transpose(1, 2)) * b[:40]


def convolved(x: Any, w: Any, b: Any) -> Any:
    return F.relu(F.conv2d(x.reshape(2, 4, 12, 20), w.reshape(-1)[:864].reshape(8, 4, 3, 9), b[:8]))


FUNCTIONS: dict[str, Callable[..., Any]] = {x.__name__: x for x in (layer, attended, convolved)}


def operands(dtype: Any) -> list[graphc.Tensor]:
    x, w, b = normal(24, 80), normal(80, 60, seed=1) / 8, normal(60, seed=2)
    return [t.to(dtype) for t in (x, w, b)]


@pytest.mark.parametrize("dtype", [graphc.float32, graphc.bfloat16], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_what_they_were(name: str, dtype: Any) -> None:
    given = operands(dtype)
    step = graphc.compile(FUNCTIONS[name], tune=True)
    near(step(*given), graphc.compile(FUNCTIONS[name])(*given))
    assert "measured: " in step.source()
    assert len(kept()) == 1


@pytest.mark.parametrize("number", [0, 2])
def test_the_fastest_is_taken(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands(graphc.float32)
    take(number, monkeypatch)
    step = graphc.compile(layer, tune=True)
    near(step(*given), graphc.compile(layer)(*given))
    assert "measured: 1.0 us, the best of 3 cuts" in step.source()
    (choice,) = kept().values()
    cut = f"{choice['rows']} x {choice['columns']} x {choice['depth']} a block"
    assert cut in step.source()
    (untuned,) = (k.text for k in graphc.compile(layer, *given).kernels)
    assert (cut in untuned) == (number == 0)


def test_what_was_measured_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later process measures nothing; another product or another kind of numbers is measured."""
    given = operands(graphc.float32)
    first = graphc.compile(layer, *given, tune=True).source()
    known = kept()
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    assert graphc.compile(layer, *given, tune=True).source() == first
    other = graphc.compile(layer, *operands(graphc.float16), tune=True)
    assert "measured: " not in other.source()
    assert kept() == known


def test_what_there_is_no_time_for_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    given = operands(graphc.float32)
    assert (
        graphc.compile(layer, *given, tune=True).source() == graphc.compile(layer, *given).source()
    )


def test_a_choice_that_there_is_no_more_is_made_anew() -> None:
    given = operands(graphc.float32)
    graphc.compile(layer, *given, tune=True)
    (key,) = kept()
    tuned.remember(key, {"rows": 3, "reason": "measured: long ago"})
    assert "long ago" not in graphc.compile(layer, *given, tune=True).source()
    assert set(kept()[key]) > {"reason"} and kept()[key].get("rows") != 3


def test_a_program_with_arrays_of_the_cpu() -> None:
    given = [x.cpu() for x in operands(graphc.float32)]
    step = graphc.compile(layer, backend="cuda", tune=True)
    near(step(*given), layer(*given))
    assert "measured: " in step.source()


def test_no_arch_is_taken() -> None:
    with pytest.raises(graphc.GraphcError, match="it takes no arch="):
        graphc.compile(layer, backend="cuda", arch="sm_90", tune=True)


# -- by cuBLASLt ---------------------------------------------------------------------------------


@pytest.fixture
def library() -> None:
    if cublas.library() is None:
        pytest.skip("there is no cuBLASLt")


needs_library = pytest.mark.usefixtures("library")


def take_library(monkeypatch: pytest.MonkeyPatch, number: int = 0) -> None:
    rivals.take(Multiplication, monkeypatch, number)


def chosen(step: Any) -> int:
    """How many launches of a program are the library's."""
    return int(step.source().count("by cublasLtMatmul("))


def gelu(x: Any) -> Any:
    return F.gelu(x, approximate="tanh")


EPILOGUES: dict[str, Callable[..., Any]] = {
    "plain": lambda x, w, b: x @ w,
    "bias": lambda x, w, b: x @ w + b,
    "bias first": lambda x, w, b: b + x @ w,
    "relu": lambda x, w, b: F.relu(x @ w),
    "bias and relu": layer,
    "gelu": lambda x, w, b: gelu(x @ w),
    "bias and gelu": lambda x, w, b: gelu(x @ w + b),
    "linear": lambda x, w, b: F.linear(x, w.t().contiguous(), b),
    "left turned": lambda x, w, b: x.t().contiguous().t() @ w,
    "rows of several axes": lambda x, w, b: F.linear(x.reshape(2, 3, 4, 80), w.t(), b),
    "one weight for a batch": lambda x, w, b: F.relu(x.reshape(4, 6, 80) @ w),
    "batch": lambda x, w, b: x.reshape(3, 8, 80) @ w.reshape(3, 80, 20),
    "batch of a repeated matrix": lambda x, w, b: x[:8] @ w.reshape(3, 80, 20) + b[:20],
    "columns of a larger matrix": lambda x, w, b: x[:, 8:72] @ w[:64, :48],
    "one row": lambda x, w, b: x[:1] @ w + b,
    "one column": lambda x, w, b: x @ w[:, :1],
    "a wide stride": lambda x, w, b: x[::2] @ w,
}


LOW = ("plain", "bias and relu", "bias and gelu", "batch", "columns of a larger matrix")
"""Those that are computed in floats of two bytes, too."""
CASES = [(name, graphc.float32) for name in EPILOGUES]
CASES += [(name, dtype) for name in LOW for dtype in (graphc.bfloat16, graphc.float16)]


@needs_library
@pytest.mark.parametrize(("name", "dtype"), CASES, ids=str)
def test_the_library_computes_the_same(
    name: str, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = operands(dtype)
    take_library(monkeypatch, 1)
    step = graphc.compile(EPILOGUES[name], tune=True)
    right = graphc.compile(EPILOGUES[name])(*given)
    for _ in range(3):  # launch by launch, captured, and replayed
        near(step(*given), right)
    assert chosen(step) == 1
    assert step.source().count("__global__") == sum("copy" in k.name for k in step.kernels)


OTHERS: dict[str, Callable[..., Any]] = {
    "gelu by erf": lambda x, w, b: F.gelu(x @ w + b),
    "two biases": lambda x, w, b: x @ w + b + b,
    "bias of rows": lambda x, w, b: x @ w + b[:24, None],
    "a number": lambda x, w, b: x @ w + 1.0,
    "a range": lambda x, w, b: x @ w + graphc.arange(60.0, device=x.device),
    "subtracted": lambda x, w, b: b - x @ w,
    "tanh": lambda x, w, b: graphc.tanh(x @ w),
    "two results": lambda x, w, b: (lambda y: (F.relu(y), y))(x @ w + b),
    "widened": lambda x, w, b: (x.half() @ w.half()).float(),
    "double": lambda x, w, b: x.double() @ w.double(),
    "a repeated row": lambda x, w, b: x[:1].expand(24, 80) @ w,
    "every other column": lambda x, w, b: x[:, ::2] @ w[::2],
    "a convolution": convolved,
}


@needs_library
@pytest.mark.parametrize("name", OTHERS)
def test_what_the_library_has_not_is_not_asked_of_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = operands(graphc.float32)
    take_library(monkeypatch)
    step = graphc.compile(OTHERS[name], tune=True)
    found, right = step(*given), graphc.compile(OTHERS[name])(*given)
    several = isinstance(found, tuple)
    for a, b in zip(found, right, strict=True) if several else [(found, right)]:
        near(a.float(), b.float())
    assert chosen(step) == 0
    assert "measured: " in step.source()


@needs_library
def test_a_workspace_begins_at_a_round_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it lies behind a value whose size is no multiple of 256 bytes."""
    x, w = normal(16, 16401), normal(16401, 4, seed=1) / 64
    take_library(monkeypatch, 1)
    step = graphc.compile(lambda x, w: (x * 2) @ w, tune=True)
    near(step(x, w), (x.cpu() * 2) @ w.cpu())
    assert chosen(step) == 1


@needs_library
def test_the_library_is_told_of_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    take_library(monkeypatch)
    x, w, _ = operands(graphc.float32)
    right = x.cpu().numpy().astype(np.float64) @ w.cpu().numpy().astype(np.float64)
    errors = []
    for precision in ("highest", "high"):
        graphc.set_float32_matmul_precision(precision)
        try:
            step = graphc.compile(lambda x, w: x @ w, tune=True)
            errors.append(np.abs(step(x, w).cpu().numpy() - right).max())
        finally:
            graphc.set_float32_matmul_precision("highest")
        assert ("; in tf32" in step.source()) == (precision == "high")
        assert chosen(step) == 1
    assert errors[0] < 1e-5 < 1e-4 < errors[1] < 1e-2


@needs_library
def test_what_the_library_had_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands(graphc.bfloat16)
    take_library(monkeypatch, 1)
    first = graphc.compile(layer, *given, tune=True)
    assert chosen(first) == 1
    assert "by cuBLASLt " in first.source()
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    kept()
    again = graphc.compile(layer, tune=True)
    near(again(*given), graphc.compile(layer)(*given))
    assert again.source() == first.source()


@needs_library
def test_another_version_is_measured_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    given = operands(graphc.float32)
    take_library(monkeypatch)
    assert chosen(graphc.compile(layer, *given, tune=True)) == 1
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    library = cublas.library()
    assert library is not None
    monkeypatch.setattr(library, "version", "1.2.3")
    assert chosen(graphc.compile(layer, *given, tune=True)) == 0


@pytest.mark.parametrize("why", ["absent", "too new"])
def test_without_the_library_there_is_no_candidate(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "absent":
        monkeypatch.setattr(cublas, "library", lambda: None)
    else:

        def handle(*_: Any) -> None:
            raise GraphcRuntimeError("cuBLASLt: not initialized")

        monkeypatch.setattr(cublas.Library, "handle", handle)
    step = graphc.compile(layer, *operands(graphc.float32), tune=True)
    assert "the best of 3 cuts" in step.source()
    assert "cuBLASLt" not in step.source()


@needs_library
def test_a_training_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products among kernels, over weights that the step itself changes."""

    def trained(*, tune: bool) -> list[float]:
        graphc.manual_seed(0)
        net = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 8)).cuda()
        optimizer = graphc.optim.Adam(net.parameters(), lr=0.01)
        x, y = normal(16, 20), normal(16, 8, seed=1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.mse_loss(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        compiled = graphc.compile(step, tune=tune)
        losses = [compiled(x, y).item() for _ in range(6)]
        assert (chosen(compiled) > 0) == tune
        return losses

    take_library(monkeypatch, 1)
    np.testing.assert_allclose(trained(tune=True), trained(tune=False), rtol=1e-5)
