"""Weights of convolutions in another order of memory."""

from __future__ import annotations

from typing import Any, TypeVar

from graphc.nn.modules.conv import Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d
from graphc.nn.modules.module import Module

M = TypeVar("M", bound=Module)


def convert_conv2d_weight_memory_format(module: M, memory_format: Any) -> M:
    """The module, whose weights of two-dimensional convolutions lie in this order."""
    return _converted(module, memory_format, (Conv2d, ConvTranspose2d))


def convert_conv3d_weight_memory_format(module: M, memory_format: Any) -> M:
    """The module, whose weights of three-dimensional convolutions lie in this order."""
    return _converted(module, memory_format, (Conv3d, ConvTranspose3d))


def _converted(module: M, memory_format: Any, kinds: tuple[type[Module], ...]) -> M:
    for part in module.modules():
        if isinstance(part, kinds):
            weight = part.weight
            weight.data = weight.detach().contiguous(memory_format=memory_format)
    return module
