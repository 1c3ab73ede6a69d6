"""Unpooling as modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import graphc.nn.functional as F
from graphc.nn.modules.module import Module
from graphc.nn.modules.settings import repeated, shown
from graphc.tensor import Tensor


class _MaxUnpool(Module):
    dims: ClassVar[int]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self.dims)
        self.stride = repeated(kernel_size if stride is None else stride, self.dims)
        self.padding = repeated(padding, self.dims)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        unpool = getattr(F, f"max_unpool{self.dims}d")
        settings = (self.kernel_size, self.stride, self.padding)
        result: Tensor = unpool(input, indices, *settings, output_size)
        return result

    def extra_repr(self) -> str:
        return shown(self, "kernel_size", "stride", "padding")


class MaxUnpool1d(_MaxUnpool):
    """What MaxPool1d gave, in its places in a sequence of zeros."""

    dims = 1


class MaxUnpool2d(_MaxUnpool):
    """What MaxPool2d gave, in its places in an image of zeros."""

    dims = 2


class MaxUnpool3d(_MaxUnpool):
    """What MaxPool3d gave, in its places in a volume of zeros."""

    dims = 3
