"""The matrices of attention: where those of each head lie, and how they are multiplied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, prod
from typing import Any

from graphc.backends.c_language.dropping import Dropping
from graphc.backends.c_language.types import computed, is_low, load, number, store, stored
from graphc.backends.native.made import Setting
from graphc.backends.native.mathematics import TYPES
from graphc.backends.native.polynomials import EXP, polynomial
from graphc.backends.native.tile_text import LANE, transposition
from graphc.ir.dtype import bool_, float32
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand
from graphc.ops.composite import Composite

VECTORS = 2
"""Vectors in a row of a register tile."""
HEAVY = 2**18
"""Multiplications from which work is cut into tasks."""


def place(extents: Shape, strides: Shape) -> str:
    """Where matrix number ``head`` begins, of a stack with these leading dimensions."""
    merged: list[tuple[int, int]] = []
    for extent, stride in zip(extents, strides, strict=True):
        if extent == 1:
            continue
        if merged and merged[-1][1] == extent * stride:
            merged[-1] = (merged[-1][0] * extent, stride)
        else:
            merged.append((extent, stride))
    terms, below = [], 1
    for i, (extent, stride) in reversed(list(enumerate(merged))):
        number = "head" if below == 1 else f"head / {below}"
        number += f" % {extent}" if i else ""
        below *= extent
        if stride:
            terms.append(_times(number, stride))
    return " + ".join(terms) or "0"


def _times(index: str, stride: int) -> str:
    return index if stride == 1 else f"{index} * {stride}"


@dataclass(frozen=True)
class Matrix:
    """One matrix of each head: rows of an operand or a result."""

    name: str
    operand: Operand
    lanes: int
    copy: str = ""
    """The array with a copy of a head's rows, of whole vectors each, if there is one."""

    @property
    def rows(self) -> int:
        return self.operand.shape[-2]

    @property
    def columns(self) -> int:
        return self.operand.shape[-1]

    @property
    def padded(self) -> int:
        """Columns in whole vectors."""
        return -(-self.columns // self.lanes) * self.lanes

    @property
    def type(self) -> str:
        """The C type of an element in memory."""
        return stored(self.operand.dtype)

    @property
    def place(self) -> str:
        """Where a head begins, in elements."""
        return place(self.operand.shape[:-2], self.operand.strides[:-2])

    @property
    def given(self) -> str:
        """A pointer to where a head begins in the operand."""
        return f"{self.name} + {self.place}"

    @property
    def at(self) -> str:
        """A pointer to where a head begins, in the copy if there is one."""
        return self.copy or self.given

    @property
    def row(self) -> int:
        """How far apart rows are."""
        return self.padded if self.copy else self.operand.strides[-2]

    @property
    def step(self) -> int:
        """How far apart the elements of a row are."""
        return 1 if self.copy else self.operand.strides[-1]

    @property
    def text(self) -> str:
        """The value of element j of row i."""
        return load(self.operand.dtype, f"{self.name}[{self._index('i', 'j')}]")

    @property
    def read_type(self) -> str:
        """The C type of an element where it is read, in the copy if there is one."""
        return computed(self.operand.dtype) if self.copy else self.type

    @property
    def read_text(self) -> str:
        """The value of element j of row i there."""
        return f"{self.name}[i * {self.padded} + j]" if self.copy else self.text

    def element(self, row: str, column: str) -> str:
        """The value of an element of a head."""
        where = f"{self.place} + {self._index(row, column)}"
        return load(self.operand.dtype, f"{self.name}[{where}]")

    def stored(self, row: str, column: str, value: str) -> str:
        """The statement that stores an element of a head."""
        where = f"{self.place} + {self._index(row, column)}"
        return store(self.operand.dtype, f"{self.name}[{where}]", value)

    def _index(self, row: str, column: str) -> str:
        first, second = self.operand.strides[-2:]
        return f"{_times(row, first)} + {_times(column, second)}"

    @property
    def is_computed(self) -> bool:
        """Whether elements lie in memory as they are computed."""
        return not is_low(self.operand.dtype)

    @property
    def is_of_vectors(self) -> bool:
        """Whether rows can be read by vectors."""
        return self.is_computed and self.columns % self.lanes == 0 and self.step == 1

    def copied(self, *, by_vectors: bool, often: bool) -> Matrix:
        """The matrix as it is read: copied if it cannot be read as it lies, or if it is read often.

        Rows far apart share a few places in a cache.
        """
        fits = self.is_of_vectors if by_vectors else self.is_computed
        dense = self.step == 1 and self.row == self.columns
        return self if fits and (dense or not often) else replace(self, copy=f"{self.name}_rows")


@dataclass(frozen=True)
class Product:
    """A product of small matrices: see the template for the fields."""

    name: str
    says: str
    height: int
    rest: int
    columns: int
    lanes: int
    a_row: int
    a_step: int
    b_row: int
    c_row: int
    adds: bool

    @property
    def wide(self) -> int:
        return VECTORS * self.lanes

    @property
    def tiles(self) -> int:
        return self.columns // self.wide

    @property
    def narrow(self) -> int:
        return self.columns % self.wide


@dataclass(frozen=True)
class Tiling:
    """How attention is cut into pieces for a target."""

    lanes: int
    height: int
    """Keys of a register tile."""
    block: int
    """Queries side by side."""

    @staticmethod
    def of(setting: Setting, queries: int) -> Tiling:
        """The tiling of so many queries of a head."""
        first = setting.operands[0].dtype
        lanes = setting.target.lanes(4 if is_low(first) else first.itemsize)
        vectors = VECTORS if queries > lanes else 1
        return Tiling(lanes, 6 if setting.target.registers < 32 else 12, vectors * lanes)

    @property
    def height_of_queries(self) -> int:
        """Queries of a register tile: nearly the same in all tiles of a block."""
        return -(-self.block // -(-self.block // self.height))


def kind_of(setting: Setting) -> str:
    """The C type in which is computed."""
    return computed(setting.operands[0].dtype)


def heads_of(setting: Setting) -> int:
    """How many matrices there are."""
    return prod(setting.operands[0].shape[:-2])


def up(size: int) -> int:
    """The size in whole cache lines of any type."""
    return -(-size // 16) * 16


@dataclass(frozen=True)
class Options:
    """What is said of an attention."""

    causal: bool
    scale: float
    masked: bool
    dropping: Dropping | None

    @staticmethod
    def of(setting: Setting, most: int) -> Options:
        """Those of an attention that does so many keys of a row at once."""
        op, keys = setting.node.op, setting.operands[1].shape[-2]
        assert isinstance(op, Composite)
        options: dict[str, Any] = dict(op.options)
        dropping = Dropping.of(op, setting.operands, even=keys <= most or most % 4 == 0)
        return Options(options["causal"], float(options["scale"]), op.present[3], dropping)

    def says(self, setting: Setting) -> str:
        """What is computed."""
        query, key, value = (" x ".join(map(str, x.shape)) for x in setting.operands[:3])
        how = ", causal" if self.causal else ", masked" if self.masked else ""
        how += self.dropping.says if self.dropping else ""
        return f"Attention of queries {query}, keys {key}, values {value}{how}."

    def parameters(self, setting: Setting) -> list[str]:
        """C declarations of the operands that attention has."""
        names = ["query", "key", "value", *(["mask"] if self.masked else [])]
        names += ["state"] if self.dropping else []
        pairs = zip(names, setting.operands, strict=False)
        return [f"const {stored(x.dtype)} *restrict {n}" for n, x in pairs]

    def masking(self, setting: Setting, query: str) -> str:
        """The statement that masks the score x[i] of a query and key s."""
        if not self.masked:
            return ""
        mask, lead = setting.operands[3], setting.operands[0].shape[:-2]
        missing = len(lead) + 2 - len(mask.shape)
        shape = (*(1,) * missing, *mask.shape)
        strides = (*(0,) * missing, *mask.strides)
        strides = tuple(0 if n == 1 else s for n, s in zip(shape, strides, strict=True))
        at = f"{place(lead, strides[:-2])} + "
        at += f"{_times(query, strides[-2])} + {_times('s', strides[-1])}"
        value = load(mask.dtype, f"mask[{at}]")
        first = setting.operands[0].dtype
        wide = float32 if is_low(first) else first
        if mask.dtype is bool_:
            return f"x[i] = {value} ? x[i] : -{number(wide, inf)};"
        return f"x[i] += {value};"

    def conversions(self, setting: Setting) -> set[str]:
        """The helpers that read and write floats of two bytes."""
        low = {x.dtype.name for x in (*setting.operands, *setting.results) if is_low(x.dtype)}
        return {f"{verb}_{x}" for x in low for verb in ("widen", "narrow")}


def tasks_of(setting: Setting, units: int, each: int) -> int:
    """How many tasks to cut so many units into, of so many multiplications each."""
    if setting.threads == 1 or units * each < HEAVY:
        return 1
    return min(units, 4 * setting.threads)


def square(name: str, setting: Setting, lanes: int, *read: Matrix) -> tuple[list[str], str]:
    """For each matrix the function that transposes squares of it, or "", and its text."""
    function, kind = f"{name}_square", kind_of(setting)
    usable = [
        lanes > 1 and x.columns % lanes == 0 and (bool(x.copy) or x.is_of_vectors) for x in read
    ]
    moves, stores = transposition(lanes, max(1, LANE // (8 if kind == "double" else 4)))
    text = render(
        "_tile_square.c.j2",
        function=function,
        kind=kind,
        vector=f"{name}_vector",
        lanes=lanes,
        moves=moves,
        stores=stores,
    )
    return [function if x else "" for x in usable], f"{text}\n" if any(usable) else ""


def power_facts(kind: str) -> dict[str, object]:
    """The constants of the exponential function of what is not positive."""
    facts = next(x for x in TYPES if x["t"] == kind)
    lowest = "-87.0f" if kind == "float" else "-708.0"
    return {**facts, "lowest": lowest, "polynomial": polynomial("p", "r", EXP[kind], kind)}


def element_of_rows(x: Operand, row: str) -> str:
    """The place of a head's element in an array that has one for each row."""
    return f"{place(x.shape[:-1], x.strides[:-1])} + {_times(row, x.strides[-1])}"
