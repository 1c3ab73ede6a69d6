"""Kernels as data: loop nests over axes, accesses that are affine in them, and scalar steps."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtype import DType, Scalar
from graphc.ir.node import Node
from graphc.ir.types import Shape


@dataclass(frozen=True)
class Axis:
    """One loop of a kernel."""

    extent: int
    reduced: bool
    """Whether it runs within a row; rows are independent of each other."""


@dataclass(frozen=True)
class Access:
    """An element of a parameter: its strides over the kernel's axes, in elements."""

    parameter: int
    """Operands are counted first, then results."""
    strides: Shape
    dtype: DType


@dataclass(frozen=True)
class Ramp:
    """An operand that is not in memory: ``start + step · (offset + Σ stride · index)``."""

    start: Scalar
    step: Scalar
    offset: int
    strides: Shape
    dtype: DType


@dataclass(frozen=True)
class Kept:
    """An element of a row that an earlier sweep has kept in scratch memory."""

    scratch: int


Source = Access | Ramp | Scalar
"""Where an operand comes from: memory, a range, or a number."""


@dataclass(frozen=True)
class Value:
    """A value by name: one for each element of the space, or one for each row."""

    name: str
    dtype: DType
    is_row: bool


@dataclass(frozen=True)
class Load:
    """``value`` is read from memory, or made of a range."""

    value: Value
    source: Access | Ramp | Kept


@dataclass(frozen=True)
class Step:
    """One scalar operation."""

    value: Value
    node: Node
    """The elementwise primitive, with its types."""
    operands: tuple[Value | Scalar, ...]


@dataclass(frozen=True)
class Reduction:
    """``value`` becomes the reduction of ``operand`` along axes of the kernel."""

    value: Value
    op: str
    """sum, prod, max, min, any or all."""
    operand: Value | Scalar
    axes: tuple[int, ...]
    result: Access | None
    """Where it goes; None where it is a row's value alone."""


@dataclass(frozen=True)
class Keep:
    """``value`` is stored for a later sweep in a row of scratch memory."""

    value: Value
    scratch: int


@dataclass(frozen=True)
class Store:
    """``value`` is written to a result."""

    value: Value | Scalar
    target: Access


Action = Load | Step | Reduction | Keep | Store


@dataclass(frozen=True)
class Sweep:
    """One pass over the elements of a row, after what is computed for the row as a whole."""

    row: tuple[Action, ...]
    """Loads, steps and stores of one value for each row, before the pass."""
    body: tuple[Action, ...]
    """What is done for each element. Empty in the last sweep if that only ends the row."""


@dataclass(frozen=True)
class Kernel:
    """A loop nest: for each row, sweeps over its elements."""

    axes: tuple[Axis, ...]
    """In the order of memory, outermost first."""
    sweeps: tuple[Sweep, ...]
    scratch: tuple[DType, ...]
    """Values of a row that are kept from one sweep to a later one."""

    @property
    def space(self) -> Shape:
        """The extents of the axes."""
        return tuple(axis.extent for axis in self.axes)
