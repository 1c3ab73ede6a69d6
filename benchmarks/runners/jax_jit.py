"""JAX: pure functions under jax.jit, buffers donated in train steps, NHWC images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import nn

from benchmarks.cases import Array, Case
from benchmarks.runners import Job
from benchmarks.runners import jax_models as models
from benchmarks.workloads import WORKLOADS

DISTRIBUTIONS = ("jax", "jaxlib")


def start(threads: int) -> dict[str, Any]:
    """XLA takes its number of threads from the CPUs that it may run on."""
    return {"jax": jax.__version__, "devices": str(jax.devices())}


def cache_env(folder: str) -> dict[str, str]:
    return {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def build(name: str, case: Case) -> Job:
    kind = WORKLOADS[name].kind
    if kind == "train":
        return train_job(name, case)
    function, arguments = function_of(name, case)
    call = jax.jit(function)

    def step() -> Any:
        return jax.block_until_ready(call(*arguments))  # type: ignore[no-untyped-call]

    return Job(step, result_of_grad if kind == "grad" else lambda y: [np.asarray(y)])


def result_of_grad(both: Any) -> list[Array]:
    value, grads = both
    grads = grads if isinstance(grads, tuple) else (grads,)
    return [np.asarray(value), *(np.asarray(g) for g in grads)]


def image_last(x: Array) -> Any:
    return jnp.asarray(x.transpose(0, 2, 3, 1) if x.ndim == 4 else x)


def function_of(name: str, case: Case) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What is compiled, and its arguments."""
    c, x = case.config, image_last(case.inputs["x"])
    p = {k: jnp.asarray(v) for k, v in models.from_torch(name, case).items()}
    if name == "resnet18_infer":
        stats = {k: jnp.asarray(v) for k, v in case.buffers.items()}
        return (lambda p, stats, x: models.resnet18(p, stats, x, False)[0]), (p, stats, x)
    if name == "gpt2_infer":
        return (lambda p, x: models.gpt(p, x, c)), (p, x)
    if name == "ew_chain":
        return (lambda x: models.ew_chain(x, c)), (x,)
    if name == "ew_chain_bwd":
        return jax.value_and_grad(lambda x: models.ew_chain(x, c).sum()), (x,)
    if name == "norm_softmax":
        norm = partial(models.norm_softmax, eps=c["eps"])
        return norm, (x, p["gamma"], p["beta"])
    if name == "norm_softmax_bwd":

        def value(x: Any, gamma: Any, beta: Any, ct: Any) -> Any:
            return (models.norm_softmax(x, gamma, beta, c["eps"]) * ct).sum()

        arguments = (x, p["gamma"], p["beta"], jnp.asarray(case.inputs["ct"]))
        return jax.value_and_grad(value, (0, 1, 2)), arguments
    return (lambda x, w, b: nn.gelu(x @ w + b, approximate=True)), (x, p["w"], p["b"])


def cross_entropy(logits: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(nn.log_softmax(logits), labels[..., None], -1).mean()


def loss_of(name: str, c: dict[str, Any]) -> Callable[..., Any]:
    """From weights, statistics and a batch to the loss and the new statistics."""

    def loss(p: Any, stats: Any, x: Any, y: Any) -> Any:
        if name == "mlp_seed":
            return jnp.mean((models.mlp(p, x, 2) - y) ** 2), stats
        if name == "mlp_mnist":
            return cross_entropy(models.mlp(p, x, 3), y), stats
        if name == "cnn_mnist":
            return cross_entropy(models.cnn_mnist(p, x), y), stats
        if name == "gpt_nano_train":
            return cross_entropy(models.gpt(p, x, c), y), stats
        logits, stats = models.resnet18(p, stats, x, True)
        return cross_entropy(logits, y), stats

    return loss


def sgd(c: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The initial state of the optimizer from the weights, and its update."""
    tree, lr = jax.tree_util.tree_map, c["lr"]
    if not c["momentum"]:
        return (lambda p: ()), lambda p, g, s: (tree(lambda p, g: p - lr * g, p, g), s)

    def update(p: Any, g: Any, s: Any) -> Any:
        s = tree(lambda s, g: c["momentum"] * s + g, s, g)
        return tree(lambda p, s: p - lr * s, p, s), s

    return (lambda p: tree(jnp.zeros_like, p)), update


def adam(c: dict[str, Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The same; with weight decay it is AdamW."""
    tree, lr, (b1, b2) = jax.tree_util.tree_map, c["lr"], c["betas"]

    def update(p: Any, g: Any, state: Any) -> Any:
        m, v, t = state
        t = t + 1
        m = tree(lambda m, g: b1 * m + (1 - b1) * g, m, g)
        v = tree(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
        c1, c2 = 1 - b1**t, 1 - b2**t

        def new(p: Any, m: Any, v: Any) -> Any:
            if c.get("weight_decay") and p.ndim >= 2:
                p = p - lr * c["weight_decay"] * p
            return p - lr / c1 * m / (jnp.sqrt(v) / jnp.sqrt(c2) + c["eps"])

        return tree(new, p, m, v), (m, v, t)

    return (lambda p: (tree(jnp.zeros_like, p), tree(jnp.zeros_like, p), jnp.float32(0))), update


def train_job(name: str, case: Case) -> Job:
    c, loss = case.config, loss_of(name, case.config)
    x, y = image_last(case.inputs["x"]), jnp.asarray(case.inputs["y"])
    initial, update = (sgd if c["optimizer"] == "sgd" else adam)(c)

    @partial(jax.jit, donate_argnums=0)
    def train_step(state: Any, x: Any, y: Any) -> Any:
        p, optimizer, stats = state
        (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(p, stats, x, y)
        p, optimizer = update(p, grads, optimizer)
        return (p, optimizer, stats), value

    state: Any = None

    def reset() -> None:
        nonlocal state
        p = {k: jnp.array(v) for k, v in models.from_torch(name, case).items()}
        state = (p, initial(p), {k: jnp.array(v) for k, v in case.buffers.items()})

    def step() -> Any:
        nonlocal state
        state, value = train_step(state, x, y)
        return value.block_until_ready()

    reset()
    return Job(step, lambda v: [np.asarray(v)], reset, lambda: models.to_torch(name, state[0]))
