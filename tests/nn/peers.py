"""The same small program over graphc and over PyTorch, and what is compared of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc
from tests.torch_peer import torch

Program = Callable[[Any], Any]
"""Plain Python over a package; what it returns has no tensors in it."""


def both(program: Program) -> Any:
    """What the program returns, which is the same over both packages."""
    mine, theirs = program(graphc), program(torch)
    assert mine == theirs
    return mine


def both_fail(program: Program) -> None:
    """The program raises the same error, with the same words, over both packages."""
    with pytest.raises(Exception) as theirs:
        program(torch)
    with pytest.raises(type(theirs.value)) as ours:
        program(graphc)
    said, _, _ = str(ours.value).partition("\n  in ")
    assert said.replace("graphc.", "torch.") == str(theirs.value)


def classifier(package: Any) -> Any:
    """A module with all kinds of members."""
    nn = package.nn

    class Block(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 4)
            self.norm = nn.BatchNorm1d(4)
            self.act = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.act(self.norm(self.first(x)))

    class Classifier(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([Block()])
            self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 2, bias=False))
            self.scale = nn.Parameter(package.ones(2))
            self.register_buffer("count", package.zeros(1))
            self.register_buffer("cache", package.zeros(2), persistent=False)
            self.register_buffer("nothing", None)
            self.register_parameter("none", None)

        def forward(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.head(x) * self.scale

        def extra_repr(self) -> str:
            return "classes=2"

    return Classifier()
