"""Batches of matrices: their places in memory, and how they are copied to scratch and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from graphc.backends.c_language.types import stored
from graphc.backends.native.made import Made, Setting, Stage
from graphc.backends.native.windows import Split, numbered, spelled, split
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand

NAMES = tuple(f"batch{i}" for i in range(64))
"""Of the indices along the axes of a batch."""


@dataclass(frozen=True)
class Batch:
    """The axes over which one matrix follows another."""

    shape: Shape

    @property
    def count(self) -> int:
        return prod(self.shape)

    def indices(self, unit: str = "unit") -> list[str]:
        """Declarations of the indices of a matrix, of the number that is called ``unit``."""
        return numbered(unit, list(zip(NAMES, self.shape, strict=False)))

    def place(self, operand: Operand, rank: int = 2, within: Sequence[tuple[int, str]] = ()) -> str:
        """The index of a matrix's first element, or of one ``within``.

        The operand's batch may be broadcast to this one.
        """
        lead = len(operand.shape) - rank
        names = NAMES[len(self.shape) - lead : len(self.shape)]
        found = zip(operand.strides[:lead], names, operand.shape[:lead], strict=True)
        terms = [(stride, name) for stride, name, extent in found if extent > 1]
        return spelled(*terms, *within)

    def element(self, operand: Operand, row: str = "i", column: str = "j") -> str:
        """The index of an element of a matrix."""
        return self.place(operand, 2, [(operand.strides[-2], row), (operand.strides[-1], column)])

    def number(self, shape: Shape) -> str:
        """The number of the matrix in a batch of ``shape`` that is broadcast to this one."""
        names = NAMES[len(self.shape) - len(shape) : len(self.shape)]
        steps = (prod(shape[i + 1 :]) for i in range(len(shape)))
        found = zip(steps, names, shape, strict=True)
        return spelled(*((step, name) for step, name, extent in found if extent > 1))


@dataclass(frozen=True)
class Function:
    """One stage: what is done for each unit of its work."""

    name: str
    summary: str
    split: Split
    lines: Sequence[str]
    scratch: Sequence[str] = ()
    """Declarations before."""


@dataclass(frozen=True)
class Job:
    """A kernel's parameters and stages."""

    setting: Setting
    names: Sequence[str]
    """Of the operands and results."""
    functions: Sequence[Function]
    workspace: Sequence[int] = ()
    """Bytes of each workspace."""
    errors: Sequence[tuple[str, str]] = ()
    helpers: frozenset[str] = field(default_factory=frozenset)

    def made(self) -> Made:
        """The kernel."""
        setting = self.setting
        kinds = [f"const {stored(x.dtype)}" for x in setting.operands]
        kinds += [stored(x.dtype) for x in setting.results]
        named = zip(kinds, self.names, strict=True)
        parameters = [f"{kind} *restrict {name}" for kind, name in named]
        parameters += [f"void *restrict space{i}" for i in range(len(self.workspace))]
        parameters += ["long check"] if self.errors else []
        functions = [
            {
                "name": each.name,
                "summary": each.summary,
                "parameters": parameters,
                "first": each.split.first,
                "last": each.split.last,
                "scratch": each.scratch,
                "lines": each.lines,
            }
            for each in self.functions
        ]
        text = render("matrices.c.j2", functions=functions)
        stages = tuple(Stage(each.name, each.split.tasks) for each in self.functions)
        helpers = self.helpers | ({"fail"} if self.errors else set())
        work = tuple(max(64, n) for n in self.workspace)
        return Made(text, stages, work, tuple(self.errors), frozenset(helpers))


def read(
    target: str, name: str, batch: Batch, x: Operand, *, by_columns: bool = False
) -> list[str]:
    """Statements that copy a matrix to scratch, row by row or column by column."""
    rows, columns = x.shape[-2:]
    place = spelled((1, "i"), (rows, "j")) if by_columns else spelled((columns, "i"), (1, "j"))
    return _each(rows, columns, f"{target}[{place}] = {name}[{batch.element(x)}];")


def write(name: str, batch: Batch, x: Operand, value: str) -> list[str]:
    """Statements that write the matrix whose element in row i and column j is ``value``."""
    rows, columns = x.shape[-2:]
    return _each(rows, columns, f"{name}[{batch.element(x)}] = {value};")


def write_vector(name: str, batch: Batch, x: Operand, value: str) -> list[str]:
    """Statements that write the vector whose element i is ``value``."""
    element = batch.place(x, 1, [(x.strides[-1], "i")])
    return [f"for (long i = 0; i < {x.shape[-1]}; i++) {name}[{element}] = {value};"]


def _each(rows: int, columns: int, statement: str) -> list[str]:
    return [
        f"for (long i = 0; i < {rows}; i++)",
        f"    for (long j = 0; j < {columns}; j++) {statement}",
    ]


def scratch(sizes: dict[str, int], space: str = "space0") -> tuple[int, list[str]]:
    """The numbers that each task needs, and declarations of its arrays of these sizes."""
    total = sum(-(-n // 8) * 8 for n in sizes.values())
    lines, before = [], 0
    for name, size in sizes.items():
        at = spelled((total, "task"), start=before)
        lines.append(f"double *{name} = (double *){space} + {at};")
        before += -(-size // 8) * 8
    return 8 * total, lines


def over_batch(batch: Batch, work: int, setting: Setting) -> Split:
    """The matrices of a batch as tasks, each of so many operations."""
    return split(batch.count, work, setting)
