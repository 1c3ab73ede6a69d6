"""Layers that multiply by matrices, and the one that does nothing."""

from __future__ import annotations

import math
from typing import Any

import graphc.nn.functional as F
from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType
from graphc.nn import init
from graphc.nn.modules.module import Module
from graphc.nn.modules.settings import shown
from graphc.nn.parameter import new_parameter
from graphc.tensor import Tensor


class Identity(Module):
    """Its input. Whatever arguments it is made with mean nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """x · weightᵀ + bias"""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = new_parameter((out_features, in_features), device, dtype)
        self.register_parameter(
            "bias", new_parameter((out_features,), device, dtype) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(-k, k), k = 1 / √in_features."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        init.bias_like_weight_(self.bias, self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{shown(self, 'in_features', 'out_features')}, bias={self.bias is not None}"

    def _one_line(self) -> str:
        return f"{self._get_name()}({self.in_features}, {self.out_features})"


class Bilinear(Module):
    """x₁ᵀ · weight · x₂ + bias"""

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise GraphcValueError(
                f"in1_features must be > 0, but got (in1_features={in1_features})"
            )
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.weight = new_parameter((out_features, in1_features, in2_features), device, dtype)
        self.register_parameter(
            "bias", new_parameter((out_features,), device, dtype) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(-k, k), k = 1 / √in1_features."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        names = ("in1_features", "in2_features", "out_features")
        return f"{shown(self, *names)}, bias={self.bias is not None}"
