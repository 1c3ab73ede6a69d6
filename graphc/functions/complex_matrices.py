"""Equations and inverses of complex matrices, by real ones of twice the extent.

A + iB stands as [[A, -B], [B, A]]: products, and so solutions and inverses, are those of these.
"""

from __future__ import annotations

from graphc.ir.node import Item, Node
from graphc.ops.complex import Complex, Imag, Real
from graphc.ops.linalg import Inverse, Solve
from graphc.ops.movement import Concat, Slice


def _blocks(a: Node) -> Node:
    re, im = Real()(a), Imag()(a)
    rows = Concat(a.rank - 1)
    return Concat(a.rank - 2)(rows(re, -im), rows(im, re))


def _column(x: Node, count: int, width: int) -> Node:
    """The complex matrix whose parts are the upper and the lower rows."""
    lead, none, ones = x.shape[:-2], (0,) * (x.rank - 2), (1,) * x.rank

    def part(start: int) -> Node:
        return Slice((*none, start, 0), (*lead, start + count, width), ones)(x)

    return Complex()(part(0), part(count))


def solved(a: Node, b: Node, check: str) -> tuple[Node, Node]:
    """x with a @ x = b, and 0 or a pivot that is zero."""
    sides = Concat(b.rank - 2)(Real()(b), Imag()(b))
    both = Solve(check)(_blocks(a), sides)
    return _column(Item(0)(both), a.shape[-1], b.shape[-1]), Item(1)(both)


def inverted(a: Node, check: str) -> tuple[Node, Node]:
    """The inverses, and 0 or a pivot that is zero."""
    both = Inverse(check)(_blocks(a))
    return _column(Item(0)(both), a.shape[-1], a.shape[-1]), Item(1)(both)
