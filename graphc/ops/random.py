"""Random numbers drawn from a counter-based generator (Philox4x32-10).

The state is an operand, int64 ``[seed, offset]``: a draw is a pure function of it, the same on
every backend. Each counter, ``offset`` and onward, stands for four words of 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Self

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import DType, float32, float64, int64
from graphc.ir.node import Op
from graphc.ir.types import Shape, TensorType

STATE = TensorType((2,), int64)


def check_state(name: str, types: tuple[TensorType, ...]) -> None:
    """Raise where the operand is no generator's state."""
    if types != (STATE,):
        raise GraphcRuntimeError(f"{name}: expected a generator's state, {STATE}, not {types}")


def kept_scale(dropout: float) -> float:
    """By what numbers are multiplied of which others are dropped with a probability."""
    return 1 / (1 - dropout) if dropout < 1 else 0.0


@dataclass(frozen=True)
class Advance(Op, name="advance"):
    """The state after ``count`` counters."""

    count: int

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        check_state(self.name, types)
        return STATE

    def further(self, count: int) -> Advance:
        """The same after ``count`` counters more."""
        return Advance(self.count + count)


@dataclass(frozen=True)
class Draw(Op):
    """Independent numbers of a shape and type."""

    shape: Shape
    dtype: DType
    offset: int = 0
    """Counters to skip, beyond the state's own offset."""

    @property
    def words(self) -> int:
        """The words of 32 bits that one element takes."""
        return 2 if self.dtype is float64 else 1

    @property
    def counters(self) -> int:
        """How far the state is to advance past this draw."""
        return -(-prod(self.shape) * self.words // 4)

    def further(self, count: int) -> Self:
        """The same draw ``count`` counters later."""
        return replace(self, offset=self.offset + count)

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        check_state(self.name, types)
        return TensorType(self.shape, self.dtype)


@dataclass(frozen=True)
class RandomFloat(Draw):
    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        if self.dtype not in (float32, float64):
            raise GraphcRuntimeError(f"{self.name}: float32 or float64 expected, not {self.dtype}")
        return super().infer(types)


class RandomUniform(RandomFloat, name="random_uniform"):
    """In [0, 1), of 24 or 53 random bits."""


class RandomNormal(RandomFloat, name="random_normal"):
    """Of mean zero and variance one."""


@dataclass(frozen=True)
class RandomInteger(Draw, name="random_integer"):
    """In [low, high)."""

    low: int = 0
    high: int = 1

    @property
    def words(self) -> int:
        return 1 if self.high - self.low <= 2**32 else 2


@dataclass(frozen=True)
class RandomPermutation(Draw, name="random_permutation"):
    """0 to n - 1 in random order."""

    @property
    def words(self) -> int:
        return 2
