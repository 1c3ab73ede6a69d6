"""Functions under autocast compute in PyTorch's types, and training with a scaler is PyTorch's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.torch_peer import torch

CALLS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "linear": lambda m, x, w, h: m.nn.functional.linear(x, w),
    "matmul": lambda m, x, w, h: x @ w.t(),
    "mm of halves": lambda m, x, w, h: h @ w.t(),
    "bmm": lambda m, x, w, h: m.bmm(x[None], w.t()[None]),
    "addmm": lambda m, x, w, h: m.addmm(m.zeros(4, 5), x, w.t()),
    "einsum": lambda m, x, w, h: m.einsum("ij,kj->ik", x, w),
    "conv1d": lambda m, x, w, h: m.nn.functional.conv1d(x[None], m.ones(2, 4, 2)),
    "conv2d": lambda m, x, w, h: m.nn.functional.conv2d(x[None, None], m.ones(1, 1, 2, 2)),
    "attention": lambda m, x, w, h: m.nn.functional.scaled_dot_product_attention(
        x[None], x[None], x[None]
    ),
    "add": lambda m, x, w, h: x + h,
    "relu": lambda m, x, w, h: m.relu(h),
    "softmax": lambda m, x, w, h: m.softmax(h, -1),
    "sum": lambda m, x, w, h: h.sum(),
    "exp": lambda m, x, w, h: m.exp(h),
    "layer_norm": lambda m, x, w, h: m.nn.functional.layer_norm(h, (3,)),
    "mse_loss": lambda m, x, w, h: m.nn.functional.mse_loss(h, x),
    "cross_entropy": lambda m, x, w, h: m.nn.functional.cross_entropy(h, m.tensor([0, 1, 2, 0])),
    "nll_loss": lambda m, x, w, h: m.nn.functional.nll_loss(h, m.tensor([0, 1, 2, 0])),
    "cat": lambda m, x, w, h: m.cat([x, h]),
    "stack": lambda m, x, w, h: m.stack([h, h]),
    "prod": lambda m, x, w, h: h.prod(),
    "float64": lambda m, x, w, h: x.double() @ w.double().t(),
    "module": lambda m, x, w, h: m.nn.LayerNorm(3)(m.nn.functional.linear(x, m.ones(3, 3))),
}


def outcome(m: Any, call: Any, *, enabled: bool = True) -> Any:
    rng = np.random.default_rng(0)
    x, w = (m.tensor(rng.standard_normal(s).astype("f4")) for s in ((4, 3), (5, 3)))
    with m.autocast("cpu", enabled=enabled):
        return call(m, x, w, x.to(m.bfloat16))


@pytest.mark.parametrize("name", CALLS)
def test_a_function_computes_in_pytorchs_type(name: str) -> None:
    mine, peer = (outcome(m, CALLS[name]) for m in (graphc, torch))
    assert str(mine.dtype) == str(peer.dtype)
    found, expected = (y.detach().float().numpy() for y in (mine, peer))
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-2)


def test_blocks_nest() -> None:
    x = graphc.ones(2, 2)
    with graphc.autocast("cpu"):
        assert graphc.is_autocast_enabled("cpu")
        assert (x @ x).dtype is graphc.bfloat16
        with graphc.autocast("cpu", enabled=False):
            assert (x @ x).dtype is graphc.float32
        with graphc.autocast("cpu", dtype=graphc.float16):
            assert (x @ x).dtype is graphc.float16
            assert graphc.get_autocast_dtype("cpu") is graphc.float16
        assert (x @ x).dtype is graphc.bfloat16
    assert (x @ x).dtype is graphc.float32
    assert not graphc.is_autocast_enabled("cpu")


def test_decorated_functions_and_other_threads() -> None:
    x = graphc.tensor([[1.0, 2.0], [3.0, 4.0]])

    @graphc.autocast("cpu")
    def product(a: Any) -> Any:
        return a @ a

    assert product(x).dtype is graphc.bfloat16
    found: list[Any] = []
    with graphc.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert found == [graphc.float32]


def test_a_compiled_function_knows_of_it() -> None:
    product = graphc.compile(lambda x: x @ x)
    x = graphc.ones(2, 2)
    for _ in range(3):
        assert product(x).dtype is graphc.float32
        with graphc.autocast("cpu"):
            assert product(x).dtype is graphc.bfloat16


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [("nowhere", RuntimeError, "device type at start of device string"), (3, ValueError, "got: ")],
)
def test_errors(wrong: Any, error: type[Exception], said: str) -> None:
    for package in (graphc, torch):
        with pytest.raises(error, match=said):
            package.autocast(wrong)


def test_a_type_that_is_none_of_its_types() -> None:
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        assert not graphc.autocast("cpu", dtype=graphc.float32)._enabled


# -- scaled losses ---------------------------------------------------------------------------------

SETTINGS = {"init_scale": 8.0, "growth_interval": 3}
HUGE = (2, 6)
"""Steps whose loss overflows."""


def training(m: Any, wrap: Callable[[Any], Any] = lambda step: step) -> list[Any]:
    """Scales and parameters after each of some steps."""
    model = m.nn.Linear(3, 2)
    with m.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(m.linspace(-1, 1 + i, p.numel()).view(p.shape))
    optimizer = m.optim.Adam(model.parameters(), lr=0.1)
    scaler = m.amp.GradScaler("cpu", **SETTINGS)

    def step(x: Any, factor: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean() * factor
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        m.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        return loss

    step = wrap(step)
    found = []
    for i in range(10):
        x = m.tensor(np.random.default_rng(i).standard_normal((4, 3)).astype("f4"))
        step(x, m.tensor(float("inf") if i in HUGE else 1.0))
        found.append((scaler.get_scale(), [p.detach().numpy().copy() for p in model.parameters()]))
    counts = {float(s["step"]) for s in optimizer.state.values()}
    return [*found, counts, scaler.state_dict()]


@pytest.mark.parametrize("wrap", [lambda step: step, graphc.compile], ids=["plain", "compiled"])
def test_a_scaler_trains_as_pytorchs(wrap: Any) -> None:
    *mine, counts, state = training(graphc, wrap)
    *peer, expected, their_state = training(torch)
    assert [scale for scale, _ in mine] == [scale for scale, _ in peer]
    assert counts == expected == {8.0}
    assert state == their_state
    for (_, a), (_, b) in zip(mine, peer, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


def test_misuse_of_a_scaler() -> None:
    def attempts(m: Any) -> list[str]:
        said = []
        p = m.nn.Parameter(m.ones(2))
        optimizer = m.optim.SGD([p], lr=0.1)
        scaler = m.amp.GradScaler("cpu")
        scaler.scale(p.sum()).backward()
        scaler.unscale_(optimizer)
        for wrong in (
            lambda: scaler.unscale_(optimizer),
            lambda: (scaler.step(optimizer), scaler.step(optimizer)),
            lambda: scaler.unscale_(optimizer),
            lambda: scaler.step(optimizer, closure=lambda: None),
        ):
            with pytest.raises(RuntimeError) as found:
                wrong()
            said.append(str(found.value))
        return said

    assert attempts(graphc) == attempts(torch)


def test_a_scaler_without_a_device_does_nothing() -> None:
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = graphc.cuda.amp.GradScaler()
    loss = graphc.ones(1)
    assert scaler.scale(loss) is loss
    assert (scaler.get_scale(), scaler.state_dict(), scaler.is_enabled()) == (1.0, {}, False)
