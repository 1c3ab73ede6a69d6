"""A product as cuBLASLt takes it: what the text and the launches know of one, without the library.

cuBLASLt has columns side by side, graphc rows: what is computed is the transposed result, of the
transposed operands, which lie in memory as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.cuda.by_library import ByLibrary
from graphc.ir.dtype import DType


@dataclass(frozen=True)
class Matrix:
    """An operand or the result, in cuBLASLt's terms."""

    rows: int
    columns: int
    line: int
    """Elements from one column to the next."""
    apart: int = 0
    """Elements from one matrix of a batch to the next."""
    transposed: bool = False
    """Whether the product takes it turned round."""
    alignment: int = 16
    """Bytes that its address is a multiple of."""


@dataclass(frozen=True)
class Problem:
    """A batch of products ``left @ right``, and what becomes of their sums."""

    dtype: DType
    tf32: bool
    batch: int
    left: Matrix
    right: Matrix
    result: Matrix
    bias: bool = False
    """Whether each row of the result has a number that is added to it."""
    activation: str = ""
    """relu, gelu (by tanh), or none."""

    @property
    def says(self) -> str:
        """How it is computed, in a comment."""
        kind = "tf32" if self.tf32 else self.dtype.name
        return f"in {kind}, added up in float32"


@dataclass(frozen=True)
class Multiplication(ByLibrary):
    """A launch: a product by cuBLASLt, of the left and the right operand to the result."""

    problem: Problem
    algorithm: bytes
    """As the library describes it; another version does not understand it."""

    @property
    def called(self) -> str:
        return "cublasLtMatmul"

    @property
    def names(self) -> tuple[str, ...]:
        return ("left", "right", "result", *["bias"] * self.problem.bias)
