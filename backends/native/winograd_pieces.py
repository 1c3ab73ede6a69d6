"""The parts that kernels by Winograd's method share: what transforms vectors, and operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.backends.native.convolution_geometry import Values
from graphc.kernels_templates import render


def turn(name: str, word: str, what: str, count: int, formulas: Sequence[str]) -> str:
    """The function that transforms so many vectors along one dimension."""
    return render(
        "winograd_turn.c.j2",
        name=name,
        word=word,
        what=what,
        count=count,
        formulas=[x.format(*(f"x{i}" for i in range(count))) for x in formulas],
    )


@dataclass(frozen=True)
class Tiles:
    """The tiles of an operand, and where they lie when they are transformed."""

    size: int
    """Elements from a tile to the next, in one dimension."""
    reads: int
    """Elements that a tile meets, in one dimension."""
    begin: tuple[int, int]
    """What the first tile meets first."""
    grid: Sequence[int]
    tile: int
    """Elements between transformed tiles, and between the points of one."""
    point: int


def prepared(
    name: str, word: str, what: str, x: Values, cut: Tiles, formulas: Sequence[str], lanes: int
) -> str:
    """The functions that transform tiles of an operand."""
    channels = x.outer[1]
    text = render(
        "winograd_operand.c.j2",
        name=name,
        word=word,
        what=what,
        lanes=lanes,
        size=cut.size,
        reads=cut.reads,
        points=len(formulas),
        depth=channels,
        tile=cut.tile,
        point=cut.point,
        grid=cut.grid,
        extent=x.inner[1:],
        begin=cut.begin,
        steps=(x.strides[0], *x.steps[1:], x.strides[1]),
        together=x.strides[1] == 1 and channels % lanes == 0,
    )
    what = f"Elements of {what}"
    return "\n".join([turn(name, word, what, cut.reads, formulas), text])
