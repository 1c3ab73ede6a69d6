"""Kernels of batches of matrices: a block of threads for each, in double precision whatever it is.

The matrix that a block works on, and what else it needs, are in shared memory where there is room,
and otherwise in workspaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.cuda.cells import Cells, coordinates
from graphc.backends.cuda.made import Made, Maker, Setting
from graphc.backends.cuda.rows import WARP
from graphc.ir.dtype import float64
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand, spread
from graphc.lowering.views import dense

SHARED = 46 * 1024
"""Bytes of shared memory for a block's arrays: every device has 48 KiB, sums take some of them."""
MOST_WARPS = 16
SIZES = {"double": 8, "int": 4}
BARRIER = "__syncthreads();"
NAN = '__builtin_nan("")'


@dataclass(frozen=True)
class Array:
    """Memory that each block has of its own."""

    count: int
    kind: str = "double"

    @property
    def nbytes(self) -> int:
        return SIZES[self.kind] * self.count


def threads_of(rows: int, columns: int) -> int:
    """Threads for a matrix: each warp has four columns of 32 rows at least, as a rule."""
    pieces, warps = columns * -(-rows // WARP), 1
    while warps < MOST_WARPS and 4 * warps < pieces:
        warps *= 2
    return WARP * warps


class Matrices(Cells):
    """The functions of a kernel whose blocks have a matrix each, of a batch of a shape."""

    def __init__(self, name: str, setting: Setting, batch: Shape) -> None:
        super().__init__(name, setting)
        self.over(batch)

    def space(self, name: str, kind: str, nbytes: int) -> None:
        """A workspace, which may be of nothing."""
        super().space(name, kind, max(nbytes, 64))

    def over(self, batch: Shape) -> None:
        """Let what follows be done for each matrix of a batch of this shape."""
        self.batch, self.count = batch, prod(batch)
        self.names, self.indices = coordinates(batch, "batch", "matrix")

    def matrix(
        self,
        summary: str,
        lines: Sequence[str],
        threads: int,
        *,
        each: int = 1,
        suffix: str = "",
    ) -> None:
        """A function with a block for each matrix, or ``each`` blocks, which are its parts."""
        if not self.count * each:
            return
        number = f"blockIdx.x / {each}" if each > 1 else "blockIdx.x"
        text = render(
            "matrices.cu.j2",
            name=f"{self.name}{suffix}",
            summary=summary,
            threads=threads,
            lines=[f"[[maybe_unused]] const long matrix = {number};", *self.indices, *lines],
        )
        self.function(text, (self.count * each, 1, 1), (threads, 1, 1), suffix=suffix)

    def arrays(self, wanted: Mapping[str, Array], each: int = 1) -> list[str]:
        """Declarations of arrays, the smallest in shared memory; a matrix has ``each`` blocks."""
        lines, room = [], SHARED
        for name, array in sorted(wanted.items(), key=lambda pair: pair[1].nbytes):
            length = max(array.count, 1)
            if array.nbytes <= room:
                room -= array.nbytes
                lines.append(f"__shared__ {array.kind} {name}[{length}];")
                continue
            space = f"{name}_space"
            self.space(space, array.kind, array.nbytes * self.count * each)
            lines.append(f"{array.kind} *const {name} = {space} + {length}L * blockIdx.x;")
        return lines

    def first_failed(self, wrong: str) -> None:
        """A function that reports the first matrix with which something is wrong."""
        self.fails()
        text = render(
            "first_failed.cu.j2",
            name=f"{self.name}_check",
            count=self.count,
            lines=self.indices,
            wrong=wrong,
            place=self.names[0] if self.batch else "0",
        )
        self.function(text, (1, 1, 1), (256, 1, 1), suffix="_check")

    # -- places and statements -------------------------------------------------------------------

    def element(self, name: str, x: Operand, *within: str) -> str:
        """An element of the block's part of an operand, whose batch may be broadcast."""
        strides = spread(x, len(self.batch) + len(within)).strides
        return f"{name}[{terms(strides, [*self.names, *within])}]"

    def number(self, shape: Shape) -> str:
        """The number of the block's matrix in a batch that is broadcast to this one."""
        strides = spread(Operand(shape, dense(shape), float64), len(self.batch)).strides
        return terms(strides, self.names)

    def read(self, target: str, name: str, x: Operand, threads: int) -> list[str]:
        """Statements by which a block copies its matrix, column by column."""
        source = self.element(name, x, "i", "j")
        return each_element(x.shape, threads, f"{target}[at] = {source};")

    def write(self, name: str, x: Operand, value: str, threads: int) -> list[str]:
        """Statements that write the matrix whose element in row i and column j is ``value``."""
        target = self.element(name, x, "i", "j")
        return each_element(x.shape, threads, self.store(x.dtype, target, value))

    def write_vector(self, name: str, x: Operand, value: str, threads: int) -> list[str]:
        """Statements that write the vector whose element i is ``value``."""
        put = self.store(x.dtype, self.element(name, x, "i"), value)
        return [f"for (int i = thread; i < {x.shape[-1]}; i += {threads}) {put}"]


def each_element(shape: Shape, threads: int, statement: str) -> list[str]:
    """A statement for each element of a matrix, numbered column by column."""
    rows, columns = shape[-2:]
    if not rows * columns:
        return []
    return [
        f"for (long at = thread; at < {rows * columns}; at += {threads}) {{",
        f"    [[maybe_unused]] const long i = at % {rows}, j = at / {rows};",
        f"    {statement}",
        "}",
    ]


def unless_empty(makers: Mapping[str, Maker]) -> dict[str, Maker]:
    """The makers, of which none is asked where there is nothing to compute."""

    def of(maker: Maker) -> Maker:
        def made(name: str, setting: Setting) -> Made:
            is_empty = all(0 in x.shape for x in setting.results)
            return Made("", ()) if is_empty else maker(name, setting)

        return made

    return {name: of(maker) for name, maker in makers.items()}
