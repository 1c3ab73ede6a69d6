"""The table of ops: for each primitive what it means, on which samples, and how exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any, Literal

import numpy as np

from graphc.ir.dtype import (
    DType,
    bfloat16,
    bool_,
    dtype_named,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from graphc.ir.node import Op
from graphc.ops.composite import Composite
from graphc.testing.operands import Array, Layout, Operand

BOOL = (bool_,)
INTEGERS = (uint8, int8, int16, int32, int64)
HALVES = (float16, bfloat16)
SINGLES = (float32, float64)
FLOATS = (*HALVES, *SINGLES)
NUMBERS = (*INTEGERS, *FLOATS)
ALL = (*BOOL, *NUMBERS)

Kind = Literal["smooth", "kink", "extreme"]
"""``smooth``: differences give the gradient. ``kink``: there is one, by PyTorch's convention.
``extreme``: values alone are compared."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One use of an op."""

    op: Op
    operands: tuple[Operand, ...]
    kind: Kind = "smooth"
    unlike: str = ""
    """Why PyTorch's result is not compared here."""
    once: str = ""
    """Why PyTorch has no second derivative here."""

    def __str__(self) -> str:
        shapes = ", ".join(
            f"{x.dtype.short}{list(x.array.shape)}{'' if x.layout == 'whole' else ' ' + x.layout}"
            for x in self.operands
        )
        return f"{self.op}({shapes}), {self.kind}"


def sample(
    op: Op, *arrays: Array, kind: Kind = "smooth", layout: Layout = "whole", unlike: str = ""
) -> Sample:
    """A use of ``op`` on arrays that all come in one layout."""
    return Sample(op, tuple(Operand(x, layout) for x in arrays), kind, unlike)


@dataclass(frozen=True)
class Tolerance:
    """How far a float may be from the reference, and why it may."""

    reason: str
    roundings: float = 0.0
    """In units of the type's epsilon, relative to the value."""
    absolute: float = 0.0
    """In units of the type's epsilon."""
    of: DType | None = None
    """The type, where it is not the result's: that of operands which a wider result comes from."""


EXACT = Tolerance("numbers are moved or compared, none is rounded")
ONCE = Tolerance("added up in float32 and rounded once", 1, 0.01)
ROUNDED = Tolerance("one operation, rounded to nearest", 1)
APPROXIMATE = Tolerance("mathematical libraries are right to a few units in the last place", 8)

Reference = Callable[..., Any]
"""Given the op and its operands, floats as float64, the result or the tuple of results."""
Torch = Callable[..., Any]
"""Given PyTorch's module, the op and tensors, the same in PyTorch."""


@dataclass(frozen=True)
class Row:
    """What the kit knows of an op."""

    name: str
    dtypes: tuple[DType, ...]
    """For which element types there are samples."""
    samples: Callable[[DType], Iterable[Sample]]
    reference: Reference
    torch: Torch | None
    tolerance: Tolerance = EXACT
    gradient: bool = False
    """Whether its gradient is compared with differences of the reference."""
    derivative: Reference | None = None
    """Given the op, the operands and the gradient of the result, those of the operands: for ops
    whose gradient is by definition none of the value's."""
    native: bool = False
    """Whether the reference takes floats in their own type, since the result depends on it."""
    signed_zeros: bool = False
    """Whether the sign of a zero is part of the meaning."""
    torch_dtypes: tuple[DType, ...] = ALL
    """The element types in which PyTorch's result is compared."""
    torch_gradient: Tolerance | None = None
    """How far PyTorch's gradient may be off, where it is no exact formula."""
    torch_second: Tolerance | None = None
    """The same of its second derivative."""
    own: str = ""
    """Why there is nothing in PyTorch to compare with."""
    halves: Tolerance | None = None
    """The tolerance in float16 and bfloat16, where it is another one."""

    def tolerance_in(self, dtype: DType) -> Tolerance:
        """The tolerance of results of an element type."""
        if self.halves is None or dtype not in HALVES:
            return self.tolerance
        return replace(self.halves, of=dtype)


FAMILIES: tuple[str, ...] = (
    "arithmetic",
    "transcendental",
    "logic",
    "structure",
    "reduce",
    "movement",
    "matmul",
    "linalg",
    "convolution",
    "pooling",
    "indexing",
    "random",
    "composite",
)


@cache
def table() -> dict[str, Row]:
    """Every row by the name of its op."""
    rows: dict[str, Row] = {}
    for family in FAMILIES:
        for row in import_module(f"graphc.testing.rows_{family}").ROWS:
            assert row.name not in rows, f"two rows for {row.name}"
            rows[row.name] = row
    return rows


def name_of(op: Op) -> str:
    """The name under which an op has its row."""
    return op.key if isinstance(op, Composite) else op.name


def cases(rows: Iterable[Row] | None = None) -> Iterator[tuple[Row, DType]]:
    """Each row with each of its element types."""
    for row in table().values() if rows is None else rows:
        for dtype in row.dtypes:
            yield row, dtype


@cache
def samples_of(name: str, dtype: str) -> tuple[Sample, ...]:
    """The samples of a row in an element type, made once."""
    return tuple(table()[name].samples(dtype_named(dtype)))


def widened(row: Row, arrays: Iterable[Array]) -> list[Array]:
    """The operands as the row's reference takes them."""
    return [
        x.astype(np.float64) if not row.native and _is_float(x) else np.asarray(x) for x in arrays
    ]


def _is_float(x: Array) -> bool:
    return x.dtype.kind not in "biu"


def results(row: Row, op: Op, arrays: Iterable[Array]) -> tuple[Array, ...]:
    """What the reference says, floats in float64."""
    with np.errstate(all="ignore"):
        found = row.reference(op, *widened(row, arrays))
    return tuple(np.asarray(x) for x in (found if isinstance(found, tuple) else (found,)))
