"""Three whole trainings, written once over either package: a perceptron, a CNN, a transformer.

A fourth one draws numbers, which are another package's own.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Batch = tuple[Array, Array]
Make = Callable[[Any], tuple[Any, Any]]


def perceptron(package: Any) -> tuple[Any, Any]:
    """Three layers and Adam."""
    nn = package.nn
    layers = [nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 4)]
    model = nn.Sequential(*layers)
    return model, package.optim.Adam(model.parameters(), lr=1e-2)


def convolutional(package: Any) -> tuple[Any, Any]:
    """Two blocks with batch norm, and SGD with momentum."""
    nn = package.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 4),
    )
    optimizer = package.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    return model, optimizer


VOCABULARY, BLOCK, WIDTH, HEADS = 17, 12, 16, 2


def transformer(package: Any, dropout: float = 0.0) -> tuple[Any, Any]:
    """Two causal layers of a GPT, and AdamW with a group that does not decay."""
    nn, functional = package.nn, package.nn.functional

    class Attention(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            # No bias: the keys' own has no gradient but rounding, which Adam brings to full size.
            self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
            self.proj = nn.Linear(WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            batch, tokens, width = x.shape
            q, k, v = (
                part.view(batch, tokens, HEADS, width // HEADS).transpose(1, 2)
                for part in self.qkv(x).split(width, dim=2)
            )
            how = {"dropout_p": dropout if self.training else 0.0, "is_causal": True}
            y = functional.scaled_dot_product_attention(q, k, v, **how)
            return self.proj(y.transpose(1, 2).contiguous().view(batch, tokens, width))

    class PlainAttention(Attention):
        def __init__(self) -> None:
            super().__init__()
            mask = package.tril(package.ones(BLOCK, BLOCK)).view(1, 1, BLOCK, BLOCK)
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, x: Any) -> Any:
            batch, tokens, width = x.size()
            q, k, v = (
                part.view(batch, tokens, HEADS, width // HEADS).transpose(1, 2)
                for part in self.qkv(x).chunk(3, dim=-1)
            )
            scores = q @ k.transpose(-2, -1) * (1.0 / (width // HEADS) ** 0.5)
            hidden = self.mask[:, :, :tokens, :tokens] == 0
            weights = functional.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)
            return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width))

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self, attention: Any) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.attn = attention
            self.mlp = nn.Sequential(
                nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
            )
            self.drop = nn.Dropout(dropout)

        def forward(self, x: Any) -> Any:
            x = x + self.drop(self.attn(self.ln_1(x)))
            return x + self.drop(self.mlp(self.ln_2(x)))

    class GPT(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.wte = nn.Embedding(VOCABULARY, WIDTH)
            self.wpe = nn.Embedding(BLOCK, WIDTH)
            second = Attention() if dropout else PlainAttention()
            self.h = nn.ModuleList([Block(Attention()), Block(second)])
            self.ln_f = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
            self.head.weight = self.wte.weight

        def forward(self, tokens: Any) -> Any:
            places = package.arange(tokens.shape[1], device=tokens.device)
            x = self.wte(tokens) + self.wpe(places)
            for block in self.h:
                x = block(x)
            return self.head(self.ln_f(x))

    model = GPT()
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    # A greater eps than usual: gradients of the size of rounding errors move nothing.
    return model, package.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95), eps=1e-6)


def dropping(package: Any) -> tuple[Any, Any]:
    """The same with dropout, also of attention's weights."""
    package.manual_seed(3)
    return transformer(package, 0.1)


def rows(rng: np.random.Generator) -> Batch:
    return rng.standard_normal((8, 20)).astype("f4"), rng.integers(0, 4, 8)


def images(rng: np.random.Generator) -> Batch:
    return rng.standard_normal((6, 1, 10, 10)).astype("f4"), rng.integers(0, 4, 6)


def texts(rng: np.random.Generator) -> Batch:
    tokens = rng.integers(0, VOCABULARY, (4, BLOCK + 1))
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


def training_step(package: Any, model: Any, optimizer: Any) -> Callable[[Any, Any], Any]:
    """A step of a classifier's training, which returns the loss."""

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        logits = model(x)
        loss = package.nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]), y.reshape(-1)
        )
        loss.backward()
        optimizer.step()
        return loss

    return step


@dataclass(frozen=True)
class Program:
    """A model with its optimizer, and where its batches come from."""

    make: Make
    batch: Callable[[np.random.Generator], Batch]

    def build(self, package: Any) -> tuple[Any, Any, Callable[[Any, Any], Any]]:
        """The model with weights that are the same in either package, its optimizer, its step."""
        model, optimizer = self.make(package)
        with package.no_grad():
            for name, p in model.named_parameters():
                own = name.removeprefix("_orig_mod.")  # which a compiled module puts before it
                rng = np.random.default_rng(zlib.crc32(own.encode()))
                scale = 1.0 if p.dim() < 2 else float(np.prod(p.shape[1:])) ** -0.5
                values = rng.standard_normal(tuple(p.shape)) * scale
                p.copy_(package.tensor(values.astype("f4")))
        return model, optimizer, training_step(package, model, optimizer)

    def batches(self, count: int) -> Iterator[Batch]:
        rng = np.random.default_rng(0)
        return (self.batch(rng) for _ in range(count))


PROGRAMS = {
    "perceptron": Program(perceptron, rows),
    "convolutional": Program(convolutional, images),
    "transformer": Program(transformer, texts),
}
DROPPING = Program(dropping, texts)
