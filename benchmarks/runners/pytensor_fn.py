"""PyTensor: a symbolic graph, its gradient, one compiled function (numba mode)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.gradient import grad

from benchmarks.cases import Case
from benchmarks.runners import Job, Unsupported
from benchmarks.workloads import WORKLOADS

DISTRIBUTIONS = ("pytensor",)


def start(threads: int) -> dict[str, Any]:
    pytensor.config.floatX = "float32"
    return {"pytensor": pytensor.__version__, "mode": "NUMBA", "threads": threads}


def cache_env(folder: str) -> dict[str, str]:
    return {"PYTENSOR_FLAGS": f"base_compiledir={folder}", "NUMBA_CACHE_DIR": folder}


def constant(value: Any) -> Any:
    return pytensor.shared(np.asarray(value), borrow=True)


def forward(case: Case, params: list[Any]) -> Any:
    x, y = constant(case.inputs["x"]), constant(case.inputs["y"])
    h = x
    for i in range(0, len(params), 2):
        h = h @ params[i].T + params[i + 1]
        if i < len(params) - 2:
            h = pt.maximum(h, np.float32(0))
    if case.config["loss"] == "mse":
        return ((h - y) ** 2).mean()
    return -pt.special.log_softmax(h, axis=-1)[pt.arange(y.shape[0]), y].mean()


def adam(c: dict[str, Any], params: list[Any], grads: list[Any]) -> list[tuple[Any, Any]]:
    """The updates; each is of a parameter or of the optimizer's state."""
    lr, eps = np.float32(c["lr"]), np.float32(c["eps"])
    b1, b2 = (np.float32(b) for b in c["betas"])
    count = pytensor.shared(np.float32(0))
    now = count + 1
    updates = [(count, now)]
    for p, g in zip(params, grads, strict=True):
        m, v = (pytensor.shared(np.zeros_like(p.get_value())) for _ in range(2))
        m2 = b1 * m + (1 - b1) * g
        v2 = b2 * v + (1 - b2) * g * g
        root = pt.sqrt(v2) / pt.sqrt(1 - b2**now) + eps
        updates += [(m, m2), (v, v2), (p, p - lr / (1 - b1**now) * m2 / root)]
    return updates


def train(case: Case) -> Job:
    params = [pytensor.shared(p.copy(), name=k) for k, p in case.params.items()]
    loss = forward(case, params)
    grads = grad(loss, params)
    if case.config["optimizer"] == "sgd":
        lr = np.float32(case.config["lr"])
        updates = [(p, p - lr * g) for p, g in zip(params, grads, strict=True)]
    else:
        updates = adam(case.config, params, grads)
    step = pytensor.function([], loss, updates=updates, mode="NUMBA")
    step.trust_input = True
    initial = [(place, place.get_value()) for place, _ in updates]

    def reset() -> None:
        for place, value in initial:
            place.set_value(value.copy() if hasattr(value, "copy") else value)

    return Job(
        step,
        lambda loss: [np.asarray(loss)],
        reset,
        lambda: {p.name: p.get_value() for p in params},
    )


def gelu_tanh(u: Any) -> Any:
    k, p = np.float32((2 / np.pi) ** 0.5), np.float32(0.044715)
    return 0.5 * u * (1 + pt.tanh(k * (u + p * u**3)))


def expression(name: str, case: Case) -> tuple[Any, list[Any]]:
    """The output, and what to differentiate with respect to."""
    c = {k: np.float32(v) if isinstance(v, float) else v for k, v in case.config.items()}
    x = constant(case.inputs["x"])
    if name.startswith("ew_chain"):
        gelu = gelu_tanh(x * c["a"] + c["b"])
        return gelu * pt.sigmoid(x) + pt.tanh(c["c"] * x - c["y0"]), [x]
    if name.startswith("norm_softmax"):
        gamma, beta = constant(case.params["gamma"]), constant(case.params["beta"])
        centered = x - x.mean(-1, keepdims=True)
        h = centered / pt.sqrt((centered**2).mean(-1, keepdims=True) + c["eps"])
        y = pt.special.softmax(h * gamma + beta, axis=-1)
        return (y * constant(case.inputs["ct"]) if name.endswith("bwd") else y), [x, gamma, beta]
    return gelu_tanh(x @ constant(case.params["w"]) + constant(case.params["b"])), []


def build(name: str, case: Case) -> Job:
    if name in ("mlp_seed", "mlp_mnist"):
        return train(case)
    if not name.startswith(("ew_chain", "norm_softmax", "matmul")):
        raise Unsupported("not tried")
    y, wanted = expression(name, case)
    outputs = y
    if WORKLOADS[name].kind == "grad":
        total = y.sum()
        outputs = [total, *grad(total, wanted)]
    step = pytensor.function([], outputs, mode="NUMBA")
    step.trust_input = True
    return Job(step, lambda out: [np.asarray(o) for o in (out if isinstance(out, list) else [out])])
