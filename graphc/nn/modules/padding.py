"""Padding as modules."""

from __future__ import annotations

from typing import Any, ClassVar

import graphc.nn.functional as F
from graphc.errors import GraphcValueError
from graphc.nn.modules.module import Module
from graphc.nn.modules.settings import repeated, shown
from graphc.tensor import Tensor


class _Pad(Module):
    """Padding of the last ``rank`` dimensions, two numbers each, the last one first."""

    rank: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = repeated(padding, 2 * self.rank)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return shown(self, "padding", "value")


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.rank + 1, self.rank + 2):
            raise GraphcValueError(
                f"expected {self.rank + 1}D or {self.rank + 2}D input (got {input.ndim}D input)"
            )
        return super().forward(input)


class ConstantPad1d(_ConstantPad):
    """The last dimension with a number at its ends."""

    rank = 1


class ConstantPad2d(_ConstantPad):
    """The last two dimensions with a number at their ends."""

    rank = 2


class ConstantPad3d(_ConstantPad):
    """The last three dimensions with a number at their ends."""

    rank = 3


class ZeroPad1d(_ZeroPad):
    """The last dimension with zeros at its ends."""

    rank = 1


class ZeroPad2d(_ZeroPad):
    """The last two dimensions with zeros at their ends."""

    rank = 2


class ZeroPad3d(_ZeroPad):
    """The last three dimensions with zeros at their ends."""

    rank = 3


class ReflectionPad1d(_ReflectionPad):
    """The last dimension mirrored at its ends."""

    rank = 1


class ReflectionPad2d(_ReflectionPad):
    """The last two dimensions mirrored at their ends."""

    rank = 2


class ReflectionPad3d(_ReflectionPad):
    """The last three dimensions mirrored at their ends."""

    rank = 3


class ReplicationPad1d(_ReplicationPad):
    """The last dimension with its ends repeated."""

    rank = 1


class ReplicationPad2d(_ReplicationPad):
    """The last two dimensions with their ends repeated."""

    rank = 2


class ReplicationPad3d(_ReplicationPad):
    """The last three dimensions with their ends repeated."""

    rank = 3


class CircularPad1d(_CircularPad):
    """The last dimension continued from its other end."""

    rank = 1


class CircularPad2d(_CircularPad):
    """The last two dimensions continued from their other ends."""

    rank = 2


class CircularPad3d(_CircularPad):
    """The last three dimensions continued from their other ends."""

    rank = 3
