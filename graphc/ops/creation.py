"""Primitives that make values from nothing."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtype import DType, Scalar
from graphc.ir.node import Op
from graphc.ir.types import TensorType


@dataclass(frozen=True)
class Arange(Op, name="arange"):
    """start, start + step, start + 2 · step, ...: ``size`` numbers."""

    start: Scalar
    step: Scalar
    size: int
    dtype: DType

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return TensorType((self.size,), self.dtype)
