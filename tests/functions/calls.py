"""How a table describes calls: operands by type and shape, from which either library's are made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, Any]
SHORT = {
    "float64": "f64",
    "float32": "f32",
    "float16": "f16",
    "bfloat16": "bf16",
    "uint8": "u8",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "bool": "b",
    "complex128": "c128",
    "complex64": "c64",
}


@dataclass(frozen=True)
class Operand:
    """A tensor of a call, with numbers that follow from its description alone."""

    dtype: str
    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    values: Any = None
    """The numbers themselves, or None for random ones from ``low`` to ``high``."""
    grad: bool = True
    """A gradient is asked for where the type has one."""

    def within(self, low: float, high: float) -> Operand:
        """The same with numbers from ``low`` to ``high``."""
        return replace(self, low=low, high=high)

    @property
    def fixed(self) -> Operand:
        """The same, for which no gradient is asked."""
        return replace(self, grad=False)

    @property
    def floating(self) -> bool:
        return "float" in self.dtype or self.complex

    @property
    def complex(self) -> bool:
        return "complex" in self.dtype

    def array(self, position: int) -> Array:
        """The numbers of the operand at one place of a call."""
        kind = np.dtype(ml_dtypes.bfloat16 if self.dtype == "bfloat16" else self.dtype)
        if self.values is not None:
            return np.asarray(self.values).astype(kind)
        rng = np.random.default_rng(crc32(f"{self} {position}".encode()))
        if self.dtype == "bool":
            return np.asarray(rng.random(self.shape) < 0.5)
        if self.complex:
            re, im = rng.uniform(self.low, self.high, (2, *self.shape))
            return np.asarray(re + 1j * im).astype(kind)
        if self.floating:
            return np.asarray(rng.uniform(self.low, self.high, self.shape)).astype(kind)
        low = int(max(self.low, 0)) if self.dtype == "uint8" else int(self.low)
        return np.asarray(rng.integers(low, int(self.high) + 1, self.shape)).astype(kind)

    def __str__(self) -> str:
        shown = SHORT[self.dtype]
        if self.values is not None:
            return f"{shown}{np.asarray(self.values).tolist()}".replace(" ", "")
        return f"{shown}[{','.join(map(str, self.shape))}]"


def f64(*shape: int) -> Operand:
    return Operand("float64", shape)


def f32(*shape: int) -> Operand:
    return Operand("float32", shape)


def f16(*shape: int) -> Operand:
    return Operand("float16", shape)


def bf16(*shape: int) -> Operand:
    return Operand("bfloat16", shape)


def c128(*shape: int) -> Operand:
    return Operand("complex128", shape)


def c64(*shape: int) -> Operand:
    return Operand("complex64", shape)


def i64(*shape: int) -> Operand:
    return Operand("int64", shape, -5, 5)


def i32(*shape: int) -> Operand:
    return Operand("int32", shape, -5, 5)


def i16(*shape: int) -> Operand:
    return Operand("int16", shape, -5, 5)


def i8(*shape: int) -> Operand:
    return Operand("int8", shape, -5, 5)


def u8(*shape: int) -> Operand:
    return Operand("uint8", shape, 0, 9)


def b(*shape: int) -> Operand:
    return Operand("bool", shape)


def numbers(values: Any, dtype: str = "float32") -> Operand:
    """These very numbers."""
    return Operand(dtype, np.shape(values), values=values)


@dataclass(frozen=True)
class DTypeNamed:
    """An element type as an argument."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Call:
    """One call: its arguments, with descriptions for tensors."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    says: bool = True
    """An error's text is PyTorch's too."""
    rounding: float = 1.0
    """How many times the usual difference is allowed."""
    in_place: bool = True
    """The in-place form is called too."""

    def __str__(self) -> str:
        named = [f"{name}={_shown(value)}" for name, value in self.kwargs.items()]
        return ", ".join([*map(_shown, self.args), *named])


def _shown(x: Any) -> str:
    if isinstance(x, list | tuple):
        return f"[{','.join(map(_shown, x))}]"
    return str(x)


def call(
    *args: Any, says: bool = True, rounding: float = 1.0, in_place: bool = True, **kwargs: Any
) -> Call:
    """A call with these arguments."""
    return Call(args, kwargs, says, rounding, in_place)


def each(*operands: Operand, **kwargs: Any) -> list[Call]:
    """For each operand a call with it alone."""
    return [call(x, **kwargs) for x in operands]
