"""A matrix product as its kernel sees it: few extents and strides, however its operands lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.backends.native.made import Setting, is_settled
from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand


@dataclass(frozen=True)
class Matrix:
    """The strides of the matrices of a batch, in elements."""

    batch: Shape
    row: int
    column: int
    is_settled: bool = False
    """Whether the matrices are the same at every step."""

    @property
    def transposed(self) -> Matrix:
        """The same matrices with rows and columns exchanged."""
        return replace(self, row=self.column, column=self.row)


@dataclass(frozen=True)
class Product:
    """``c[e, i, j] = sum over k of a[e, i, k] * b[e, k, j]`` for each entry e of a batch."""

    batch: Shape
    rows: int
    columns: int
    depth: int
    a: Matrix
    b: Matrix
    c: Matrix
    dtype: DType
    is_finished: bool
    """Whether blocks of the result are given to a function instead of being stored."""
    folded: int
    """The rows of an entry as the node has it (columns, if swapped): here these may be several."""
    is_swapped: bool = False
    """Whether this is the transposed product, so that rows and columns are exchanged."""

    @property
    def entries(self) -> int:
        """Matrices in the batch."""
        count = 1
        for extent in self.batch:
            count *= extent
        return count

    @property
    def work(self) -> int:
        """Multiply-adds."""
        return self.entries * self.rows * self.columns * self.depth

    @property
    def a_along(self) -> str:
        """What neighbours in memory are in A: "depth", "rows" or ""."""
        return _along(("depth", self.a.column, self.depth), ("rows", self.a.row, self.rows))

    @property
    def b_along(self) -> str:
        """What neighbours in memory are in B: "columns", "depth" or ""."""
        return _along(("columns", self.b.column, self.columns), ("depth", self.b.row, self.depth))

    @property
    def is_stored(self) -> bool:
        """Whether vectors of sums can be stored where the result is."""
        plain = self.c.column == 1 or self.columns == 1
        return not self.is_finished and plain and self.dtype.itemsize >= 4

    def swapped(self) -> Product:
        """The transposed product: rows of B times columns of A."""
        return replace(
            self,
            rows=self.columns,
            columns=self.rows,
            a=self.b.transposed,
            b=self.a.transposed,
            c=self.c.transposed,
            is_swapped=not self.is_swapped,
        )


def _along(first: tuple[str, int, int], second: tuple[str, int, int]) -> str:
    for name, stride, extent in (first, second):
        if stride == 1 and extent > 1:
            return name
    for name, _, extent in (first, second):
        if extent == 1:
            return name
    return ""


def product_of(setting: Setting, *, is_finished: bool) -> Product:
    """The product of a node, of as few and as large matrices as can be."""
    x, y = setting.operands
    (z,) = setting.results
    batch = z.shape[:-2]
    found = Product(
        batch=batch,
        rows=x.shape[-2],
        columns=y.shape[-1],
        depth=x.shape[-1],
        a=replace(_matrix(x, batch), is_settled=is_settled(setting, 0)),
        b=replace(_matrix(y, batch), is_settled=is_settled(setting, 1)),
        c=_matrix(z, batch),
        dtype=x.dtype,
        is_finished=is_finished,
        folded=x.shape[-2],
    )
    found = _folded(_merged(found))
    is_sideways = not is_finished and found.c.column != 1 and found.c.row == 1
    if found.rows > 1 and (found.columns == 1 or is_sideways):
        return found.swapped()
    return found


def _matrix(operand: Operand, batch: Shape) -> Matrix:
    """The strides of an operand; zero along the batch's dimensions through which it is repeated."""
    lead, strides = operand.shape[:-2], operand.strides
    own = [0 if n == 1 else s for n, s in zip(lead, strides[:-2], strict=True)]
    return Matrix((0,) * (len(batch) - len(own)) + tuple(own), strides[-2], strides[-1])


def _merged(x: Product) -> Product:
    """Without dimensions of the batch of extent one, and with those made one that can be."""
    dims: list[tuple[int, tuple[int, int, int]]] = []
    for extent, *steps in zip(x.batch, x.a.batch, x.b.batch, x.c.batch, strict=True):
        strides = (steps[0], steps[1], 0 if x.is_finished else steps[2])
        if extent == 1:
            continue
        if dims and all(s == extent * t for s, t in zip(dims[-1][1], strides, strict=True)):
            dims[-1] = (dims[-1][0] * extent, strides)
        else:
            dims.append((extent, strides))
    return replace(
        x,
        batch=tuple(n for n, _ in dims),
        a=replace(x.a, batch=tuple(s[0] for _, s in dims)),
        b=replace(x.b, batch=tuple(s[1] for _, s in dims)),
        c=replace(x.c, batch=tuple(s[2] for _, s in dims)),
    )


def _folded(x: Product) -> Product:
    """With entries of the batch that follow each other and share B as further rows."""
    while x.batch and x.b.batch[-1] == 0 and x.rows:
        a, c, count = x.a.batch[-1], x.c.batch[-1], x.batch[-1]
        if x.rows == 1:
            x = replace(x, a=replace(x.a, row=a), c=replace(x.c, row=c))
        elif a != x.rows * x.a.row or not (x.is_finished or c == x.rows * x.c.row):
            break
        x = replace(
            x,
            rows=x.rows * count,
            batch=x.batch[:-1],
            a=replace(x.a, batch=x.a.batch[:-1]),
            b=replace(x.b, batch=x.b.batch[:-1]),
            c=replace(x.c, batch=x.c.batch[:-1]),
        )
    return x
