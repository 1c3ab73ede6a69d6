"""Products as their kernels see them: extents, and where elements of operands are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphc.backends.c_language.statements import terms
from graphc.backends.cuda.indices import split
from graphc.ir.types import Shape
from graphc.lowering.finishing import Roles
from graphc.lowering.operands import Operand

PIECE = 16
"""Bytes that are copied at once where they lie side by side."""


@dataclass(frozen=True)
class Side:
    """A dimension of a product, and the axes that it is made of."""

    flat: str
    """The name of its index: i, j or k."""
    names: tuple[str, ...]
    """Those of the axes' indices."""
    extents: Shape

    def indices(self, kind: str) -> list[str]:
        """The declarations of the axes' indices."""
        return split(self.flat, self.extents, self.names, kind)


@dataclass(frozen=True)
class Found:
    """How the elements of an operand are found."""

    lines: tuple[str, ...]
    """Statements that know the product's indices and end by declaring ``place``; and ``inside``
    where an element may lie outside, where it is zero."""
    along: str
    """The index of neighbours in memory."""
    width: int
    """How many elements along it may be read at once."""
    inside: bool = False
    strides: Mapping[str, int] | None = None
    """Of a batch of matrices, those of ``batch`` and of the product's two indices."""


def index_type(*operands: Operand) -> str:
    """The C type of indices into all of them: 64 bits only where something is that far away.

    Indices may go beyond an operand by a tile before they are compared with its extents.
    """
    far = [sum(abs(s) * n for n, s in zip(x.shape, x.strides, strict=True)) for x in operands]
    return "int" if max(far) < 2**30 else "long"


def affine(
    kind: str,
    base: str,
    apart: Sequence[int],
    size: int,
    *sides: tuple[Side, Shape],
    batch: int | None,
) -> Found:
    """An operand whose place is affine in the axes of two sides.

    ``base`` is the expression for where it begins; ``apart`` are all distances, in elements of so
    many bytes, from an aligned address to where it may begin; ``batch`` is the distance from one
    of a batch to the next, if there is one.
    """
    lines: list[str] = []
    steps: dict[str, int | None] = {"batch": batch}
    sum_: list[str] = [] if base == "0" else [base]
    for side, strides in sides:
        step = flat_stride(side.extents, strides)
        steps[side.flat] = step
        if step is None:
            lines += side.indices(kind)
            sum_.append(terms(strides, side.names))
        elif step:
            sum_.append(terms([step], [side.flat]))
    lines.append(f"const {kind} place = {' + '.join(x for x in sum_ if x != '0') or '0'};")
    best = ("", 0, 0)
    for (side, strides), (other, others) in (sides, sides[::-1]):
        near = min((abs(s) for s in _wide(side.extents, strides)), default=0) or 2**62
        far = (*apart, *_wide(other.extents, others))
        width = width_of(size, side.extents, strides, far)
        if not best[0] or (-width, near) < best[1:]:
            best = (side.flat, -width, near)
    known = {flat: step for flat, step in steps.items() if step is not None}
    return Found(
        tuple(lines), best[0], -best[1], strides=known if len(known) == len(steps) else None
    )


def _wide(extents: Shape, strides: Shape) -> list[int]:
    return [s for n, s in zip(extents, strides, strict=True) if n != 1]


def flat_stride(extents: Shape, strides: Shape) -> int | None:
    """The stride of the flat index, if there is one."""
    step: int | None = None
    reach = 0
    for n, stride in zip(reversed(extents), reversed(strides), strict=True):
        if n == 1:
            continue
        if step is None:
            step, reach = stride, stride * n
        elif stride != reach:
            return None
        else:
            reach *= n
    return step or 0


def width_of(size: int, extents: Shape, strides: Shape, others: Sequence[int]) -> int:
    """How many elements along a side can be read at once."""
    axes = [(n, s) for n, s in zip(extents, strides, strict=True) if n != 1]
    run = 1
    while axes and axes[-1][1] == run:
        run *= axes.pop()[0]
    if run == 1:
        return 1
    far = [*others, *(s for _, s in axes), *([run] if axes else [])]
    width = max(1, PIECE // size)
    while width > 1 and any(s % width for s in far):
        width //= 2
    return width


@dataclass
class Product:
    """A batch of products ``[m, k] @ [k, n]``, its operands found by statements."""

    batch: int
    m: int
    n: int
    k: int
    index: str
    """The C type of indices: 64 bits only where something is that far away."""
    a: Found = field(init=False)
    b: Found = field(init=False)
    left: str = "a0"
    right: str = "a1"
    """The parameters that the operands are in."""
    summary: str = ""
    of_batch: list[str] = field(default_factory=list)
    """Declarations of what depends on ``batch``."""
    roles: Roles = field(init=False)
    """Which of the result's axes are its batch, its rows and its columns."""
    row: str = "i"
    column: str = "j"
    """The result's row and column among all of a batch, by ``batch``, ``i`` and ``j``."""
