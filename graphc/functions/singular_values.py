"""Norms made of singular values."""

from __future__ import annotations

from graphc.errors import GraphcIndexError
from graphc.functions.decompositions import singular_values
from graphc.ir.node import Node
from graphc.ops.movement import permute, reshape
from graphc.ops.reduce import Max, Min, Reduce, Sum

_OVER: dict[object, type[Reduce]] = {"nuc": Sum, 2: Max, -2: Min}


def spectral_norm(x: Node, ord: object, rows: int, columns: int) -> Node:
    """The sum, the greatest or the least of the singular values; two dimensions of extent one."""
    axes = (rows, columns)
    s = singular_values("linalg.svd", permute(x, (*_others(x, axes), *axes)))
    if ord == -2 and not s.shape[-1]:
        raise GraphcIndexError("amin(): Expected reduction dim -1 to have non-zero size.")
    found = _OVER[ord]((s.rank - 1,))(s)
    return reshape(found, tuple(1 if d in axes else n for d, n in enumerate(x.shape)))


def _others(x: Node, axes: tuple[int, int]) -> tuple[int, ...]:
    return tuple(d for d in range(x.rank) if d not in axes)
