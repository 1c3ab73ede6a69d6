"""The workloads' models as pure JAX functions; images are NHWC, Linear weights (in, out)."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from benchmarks.cases import Arrays, Case
from benchmarks.workloads import RESNET_STAGES

Params = dict[str, Any]


def dense(p: Params, name: str, x: Any) -> Any:
    y = x @ p[f"{name}.weight"]
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def mlp(p: Params, x: Any, layers: int) -> Any:
    for i in range(1, layers):
        x = nn.relu(dense(p, f"fc{i}", x))
    return dense(p, f"fc{layers}", x)


def conv(p: Params, name: str, x: Any, stride: int = 1, pad: int = 0) -> Any:
    weight = p[f"{name}.weight"]
    layout = ("NHWC", "HWIO", "NHWC")
    y = lax.conv_general_dilated(
        x, weight, (stride, stride), [(pad, pad)] * 2, dimension_numbers=layout
    )
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def max_pool(x: Any, size: int, stride: int, pad: int = 0) -> Any:
    pads = [(0, 0), (pad, pad), (pad, pad), (0, 0)]
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), pads)


def cnn_mnist(p: Params, x: Any) -> Any:
    x = nn.relu(conv(p, "conv1", x))
    x = nn.relu(conv(p, "conv2", x))
    x = max_pool(x, 2, 2).reshape(x.shape[0], -1)
    return dense(p, "fc2", nn.relu(dense(p, "fc1", x)))


def batch_norm(p: Params, stats: Params, new_stats: Params | None, name: str, x: Any) -> Any:
    """In eval mode there are no new statistics; otherwise the updated ones go there."""
    if new_stats is None:
        mean, var = stats[f"{name}.running_mean"], stats[f"{name}.running_var"]
    else:
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        count = x.size // x.shape[-1]
        unbiased = var * (count / (count - 1))
        new_stats[f"{name}.running_mean"] = 0.9 * stats[f"{name}.running_mean"] + 0.1 * mean
        new_stats[f"{name}.running_var"] = 0.9 * stats[f"{name}.running_var"] + 0.1 * unbiased
    return (x - mean) * lax.rsqrt(var + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"]


def resnet18(p: Params, stats: Params, x: Any, train: bool) -> tuple[Any, Params | None]:
    new_stats: Params | None = {} if train else None
    norm = partial(batch_norm, p, stats, new_stats)
    x = max_pool(nn.relu(norm("bn1", conv(p, "conv1", x, 2, 3))), 3, 2, 1)
    for stage, (_, first_stride) in enumerate(RESNET_STAGES, start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            stride = first_stride if block == 0 else 1
            y = nn.relu(norm(f"{name}.bn1", conv(p, f"{name}.conv1", x, stride, 1)))
            y = norm(f"{name}.bn2", conv(p, f"{name}.conv2", y, 1, 1))
            if f"{name}.downsample.0.weight" in p:
                x = norm(f"{name}.downsample.1", conv(p, f"{name}.downsample.0", x, stride))
            x = nn.relu(y + x)
    return dense(p, "fc", x.mean((1, 2))), new_stats


def layer_norm(p: Params, name: str, x: Any) -> Any:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    y = (x - mean) * lax.rsqrt(var + 1e-5) * p[f"{name}.weight"]
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def gpt(p: Params, tokens: Any, c: dict[str, Any]) -> Any:
    batch, count = tokens.shape
    width, heads = c["n_embd"], c["n_head"]
    mask = jnp.tril(jnp.ones((count, count), bool))
    x = p["wte.weight"][tokens] + p["wpe.weight"][:count]
    for i in range(c["n_layer"]):
        name = f"h.{i}"
        qkv = dense(p, f"{name}.attn.qkv", layer_norm(p, f"{name}.ln_1", x))
        q, k, v = (t.reshape(batch, count, heads, width // heads) for t in jnp.split(qkv, 3, -1))
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * (width // heads) ** -0.5
        weights = nn.softmax(jnp.where(mask, scores, -jnp.inf), -1)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(batch, count, width)
        x = x + dense(p, f"{name}.attn.proj", mixed)
        hidden = dense(p, f"{name}.mlp.fc", layer_norm(p, f"{name}.ln_2", x))
        hidden = nn.gelu(hidden, approximate=c["gelu"] == "tanh")
        x = x + dense(p, f"{name}.mlp.proj", hidden)
    x = layer_norm(p, "ln_f", x)
    return x @ p["wte.weight"].T if c["tied"] else dense(p, "head", x)


def ew_chain(x: Any, c: dict[str, Any]) -> Any:
    gelu = nn.gelu(x * c["a"] + c["b"], approximate=True)
    return gelu * nn.sigmoid(x) + jnp.tanh(c["c"] * x - c["y0"])


def norm_softmax(x: Any, gamma: Any, beta: Any, eps: float) -> Any:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return nn.softmax((x - mean) * lax.rsqrt(var + eps) * gamma + beta, -1)


def is_linear(key: str, value: Any) -> bool:
    return value.ndim == 2 and key.endswith(".weight") and not key.startswith(("wte", "wpe"))


def is_flattened(name: str, key: str) -> bool:
    """The Linear behind the CNN's flatten: PyTorch has (C, H, W) there, NHWC has (H, W, C)."""
    return name == "cnn_mnist" and key == "fc1.weight"


def from_torch(name: str, case: Case) -> Arrays:
    """The weights in JAX's usual layouts: Linear (in, out), convolutions HWIO."""
    out = {}
    for key, value in case.params.items():
        if is_flattened(name, key):
            value = value.reshape(128, 64, 12, 12).transpose(0, 2, 3, 1).reshape(128, 9216)
        if value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif is_linear(key, value):
            value = value.T
        out[key] = np.ascontiguousarray(value)
    return out


def to_torch(name: str, params: Params) -> Arrays:
    """The way back."""
    out = {}
    for key, given in params.items():
        value = np.asarray(given)
        if value.ndim == 4:
            value = value.transpose(3, 2, 0, 1)
        elif is_linear(key, value):
            value = value.T
        if is_flattened(name, key):
            value = value.reshape(128, 12, 12, 64).transpose(0, 3, 1, 2).reshape(128, 9216)
        out[key] = value.copy()
    return out
