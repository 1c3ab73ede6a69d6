"""The programs whose CUDA kernels are looked at: a function and its arguments, by name.

Arguments are zeros: only shapes, types and memory orders matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import graphc as torch
import graphc.nn.functional as F
from graphc import nn

Program = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and what it is called with."""
STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
"""Those of ResNet-50: blocks, channels within them, the stride of the first one."""
BATCH = 64
"""Images of a batch."""


def product(size: int, dtype: Any, *, tf32: bool = False) -> Callable[[], Program]:
    """gelu(x @ w.T + b) of square matrices."""

    def make() -> Program:
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        x, w = (torch.zeros(size, size, dtype=dtype) for _ in range(2))
        b = torch.zeros(size, dtype=dtype)
        return lambda x, w, b: F.gelu(F.linear(x, w, b), approximate="tanh"), (x, w, b)

    return make


def attention(*, backward: bool) -> Callable[[], Program]:
    """Causal attention of 16 heads of 128, 4096 tokens, in bfloat16."""

    def make() -> Program:
        given = [torch.zeros(1, 16, 4096, 128, dtype=torch.bfloat16) for _ in range(4)]
        q, k, v = (x.requires_grad_(backward) for x in given[:3])

        def forward(q: Any, k: Any, v: Any) -> Any:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)

        def both(q: Any, k: Any, v: Any, dy: Any) -> Any:
            return torch.autograd.grad(forward(q, k, v), [q, k, v], dy)

        return (both, (q, k, v, given[3])) if backward else (forward, (q, k, v))

    return make


def chain(dtype: Any) -> Callable[[], Program]:
    """The benchmark ``ew_chain`` in a type."""

    def make() -> Program:
        def run(x: Any) -> Any:
            y = F.gelu(x * 1.1 + 0.3, approximate="tanh") * torch.sigmoid(x)
            return y + torch.tanh(0.7 * x - 0.2)

        return run, (torch.zeros(1 << 24, dtype=dtype),)

    return make


def norm_softmax(dtype: Any) -> Callable[[], Program]:
    """Softmax of layer norm, 4096 x 1024, and its gradients."""

    def make() -> Program:
        def both(x: Any, weight: Any, bias: Any, ct: Any) -> Any:
            y = (F.softmax(F.layer_norm(x, (1024,), weight, bias), -1) * ct).sum()
            return y, *torch.autograd.grad(y, [x, weight, bias])

        x, ct = (torch.zeros(4096, 1024, dtype=dtype) for _ in range(2))
        weight, bias = (torch.zeros(1024, dtype=dtype).requires_grad_() for _ in range(2))
        return both, (x.requires_grad_(), weight, bias, ct)

    return make


def cross_entropy() -> Program:
    """Cross-entropy of 8192 rows of 50304 in bfloat16, and its gradient."""

    def both(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(x, y)
        return loss, *torch.autograd.grad(loss, [x])

    x = torch.zeros(8192, 50304, dtype=torch.bfloat16).requires_grad_()
    return both, (x, torch.zeros(8192, dtype=torch.int64))


def adamw() -> Program:
    """A step of AdamW over 4096 x 4096 weights."""
    weight = nn.Parameter(torch.zeros(4096, 4096))
    optimizer = torch.optim.AdamW([weight], lr=1e-3)

    def step(grad: Any) -> None:
        weight.grad = grad
        optimizer.step()

    return step, (torch.zeros(4096, 4096),)


class Bottleneck(nn.Module):
    """Three convolutions and their batch norms beside a shortcut."""

    def __init__(self, n_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.shortcut = nn.Sequential()
        if n_in != 4 * channels:
            conv = nn.Conv2d(n_in, 4 * channels, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(4 * channels))

    def forward(self, x: Any) -> Any:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


def resnet(stages: Sequence[tuple[int, int, int]]) -> Callable[[], Program]:
    """A step of SGD of a ResNet of these stages under autocast to bfloat16, channels last."""

    def make() -> Program:
        parts = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        parts.append(nn.MaxPool2d(3, 2, 1))
        n_in = 64
        for count, channels, stride in stages:
            for i in range(count):
                parts.append(Bottleneck(n_in, channels, 1 if i else stride))
                n_in = 4 * channels
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, 1000)]
        model = nn.Sequential(*parts).to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        x = torch.zeros(BATCH, 3, 224, 224).to(memory_format=torch.channels_last)
        return step, (x, torch.zeros(BATCH, dtype=torch.int64))

    return make


def training(name: str) -> Callable[[], Program]:
    """The step of a benchmark that trains."""

    def make() -> Program:
        from benchmarks.compile_time import training_step

        return training_step(name)

    return make


def gpt() -> Program:
    """A step of two layers of GPT-2 of 768 channels under autocast to bfloat16, 8 x 1024 tokens."""
    import numpy as np

    from benchmarks.cases import Case
    from benchmarks.runners.graphc_common import models
    from benchmarks.workloads import gpt_params

    shape = {"n_layer": 2, "n_head": 12, "n_embd": 768, "block": 1024, "vocab": 50304}
    model_is = {"bias": True, "tied": True, "gelu": "tanh"}
    adam = {"optimizer": "adamw", "lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-8}
    case = Case({**shape, **model_is, "loss": "cross_entropy", **adam, "weight_decay": 0.1})
    gpt_params(np.random.default_rng(0), case)
    written = models()
    model = written.make_model("gpt_nano_train", case)
    optimizer = written.make_optimizer(model, case.config)
    forward = written.loss_of(model, case)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step, tuple(torch.zeros(8, 1024, dtype=torch.int64) for _ in range(2))


PROGRAMS: dict[str, Callable[[], Program]] = {
    "matmul_4096_bf16": product(4096, torch.bfloat16),
    "matmul_8192_bf16": product(8192, torch.bfloat16),
    "matmul_4096_f32": product(4096, torch.float32),
    "matmul_4096_tf32": product(4096, torch.float32, tf32=True),
    "attention": attention(backward=False),
    "attention_grad": attention(backward=True),
    "chain_f32": chain(torch.float32),
    "chain_bf16": chain(torch.bfloat16),
    "norm_softmax_f32": norm_softmax(torch.float32),
    "norm_softmax_bf16": norm_softmax(torch.bfloat16),
    "cross_entropy": cross_entropy,
    "adamw": adamw,
    "gpt": gpt,
    "bottleneck": resnet(((2, 64, 1),)),
    "resnet50": resnet(STAGES),
    "mlp": training("mlp_mnist"),
    "cnn": training("cnn_mnist"),
}
