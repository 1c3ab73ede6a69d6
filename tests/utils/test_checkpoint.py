"""``utils.checkpoint``: the same values and gradients as without it, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc
from graphc.utils import checkpoint as mine
from tests.torch_peer import numbers, torch


def program(package: Any, module: Any) -> list[Any]:
    w = package.linspace(-1, 1, 9).reshape(3, 3).requires_grad_()
    x = package.ones(2, 3)

    def part(x: Any, scale: float = 1.0) -> Any:
        return (x @ w).tanh() * scale

    x = module.checkpoint(part, x, scale=2.0, use_reentrant=False, preserve_rng_state=False)
    x = module.checkpoint_sequential(
        package.nn.Sequential(package.nn.Tanh(), package.nn.ReLU()), 2, x, use_reentrant=False
    )
    x.sum().backward()
    return [x, w.grad]


def test_values_and_gradients() -> None:
    import torch.utils.checkpoint as theirs

    for a, b in zip(program(graphc, mine), program(torch, theirs), strict=True):
        np.testing.assert_allclose(numbers(a), numbers(b), 1e-6)
