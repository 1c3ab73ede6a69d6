"""How exactly products of float32 are computed where a processor has a faster way: PyTorch's rules.

Functions ask when they record a product, and the op that they record says what was answered.
"""

from __future__ import annotations

from graphc.changes import bump_epoch
from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node
from graphc.ops.matmul import MatMul

PRECISIONS = ("highest", "high", "medium")


class Precision:
    """The settings, and all of them as one value, ``current``, by which is remembered."""

    def __init__(self) -> None:
        self.matmul = "highest"
        self.convolution_tf32 = True
        self.current = ("highest", True)

    def set(self, *, matmul: str | None = None, convolution_tf32: bool | None = None) -> None:
        """Change a setting. Raises where it is not one of PyTorch's."""
        if matmul is not None and matmul not in PRECISIONS:
            raise GraphcRuntimeError(f"Invalid matmul precision: {matmul}")
        self.matmul = matmul or self.matmul
        if convolution_tf32 is not None:
            self.convolution_tf32 = convolution_tf32
        self.current = (self.matmul, self.convolution_tf32)
        bump_epoch()

    @property
    def matmul_tf32(self) -> bool:
        """Whether matrix products of float32 may be computed in tf32."""
        return self.matmul != "highest"


precision = Precision()


def multiplied(x: Node, y: Node) -> Node:
    """The matrix product, as exact as is set."""
    return MatMul(tf32=precision.matmul_tf32)(x, y)


class MatmulSettings:
    """``backends.cuda.matmul``: whether matrix products of float32 may be computed in tf32."""

    __slots__ = ()

    @property
    def allow_tf32(self) -> bool:
        """Whether the precision is lower than "highest"."""
        return precision.matmul_tf32

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        precision.set(matmul="high" if allowed else "highest")


class ConvolutionSettings:
    """``backends.cudnn``: whether convolutions of float32 may be computed in tf32.

    The rest means nothing here: kernels are graphc's own, and always deterministic.
    """

    __slots__ = ("benchmark", "benchmark_limit", "deterministic", "enabled")

    def __init__(self) -> None:
        self.enabled, self.benchmark, self.deterministic = True, False, False
        self.benchmark_limit = 10

    @property
    def allow_tf32(self) -> bool:
        """They may, unless it was forbidden."""
        return precision.convolution_tf32

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        precision.set(convolution_tf32=bool(allowed))

    def is_available(self) -> bool:
        """Whether cuDNN is used: it is not."""
        return False

    def version(self) -> int | None:
        """The version of cuDNN, of which there is none."""
        return None


class Absent:
    """A part of PyTorch that is not here, of which programs ask whether it is."""

    __slots__ = ("enabled",)

    def __init__(self) -> None:
        self.enabled = False

    def is_available(self) -> bool:
        """It is not."""
        return False

    def is_built(self) -> bool:
        """It is not."""
        return False
