"""A convolution as cuDNN takes it: what the text and the launches know, without the library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphc.backends.cuda.by_library import ByLibrary
from graphc.ir.dtype import DType
from graphc.ir.types import Shape

Kind = Literal["forward", "input", "weight"]
"""Which of input, weight and output is computed from the other two."""
CALLED: dict[Kind, str] = {
    "forward": "cudnnConvolutionForward",
    "input": "cudnnConvolutionBackwardData",
    "weight": "cudnnConvolutionBackwardFilter",
}
ORDER: dict[Kind, tuple[str, str, str]] = {
    "forward": ("x", "w", "y"),
    "input": ("w", "y", "x"),
    "weight": ("x", "y", "w"),
}
"""In which order the library's functions take the input x, the weight w and the output y."""


@dataclass(frozen=True)
class Images:
    """The input or the output: batch, channels, then two or three spatial dimensions."""

    shape: Shape
    strides: Shape
    """In elements, all of them positive."""


@dataclass(frozen=True)
class Problem:
    """A convolution, or one of its gradients, for which the library computes the third from two."""

    kind: Kind
    dtype: DType
    tf32: bool
    x: Images
    w: Shape
    """Channels of the output, channels of a group of the input, then the kernel."""
    y: Images
    channels_last: bool
    """Whether the channels of the weight lie side by side."""
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int

    @property
    def says(self) -> str:
        """How it is computed, in a comment."""
        kind = "tf32" if self.tf32 else self.dtype.name
        return f"in {kind}, added up in float32"


@dataclass(frozen=True)
class Correlation(ByLibrary):
    """A launch: a convolution by cuDNN."""

    problem: Problem
    algorithm: int
    """One of the library's enumeration for its kind."""
    math: int
    """``cudnnMathType_t``: what multiplies."""

    @property
    def called(self) -> str:
        return CALLED[self.problem.kind]

    @property
    def names(self) -> tuple[str, ...]:
        return ORDER[self.problem.kind]
