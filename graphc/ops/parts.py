"""A tensor cut along a dimension into parts, whose gradients are joined at once.

Otherwise the gradient of each part would be as large as the whole, and all of them added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.node import Item, Node
from graphc.ops.composite import Composite
from graphc.ops.movement import Concat, Slice


def _sliced(x: Node, *, dim: int, lengths: tuple[int, ...]) -> tuple[Node, ...]:
    found, begin = [], 0
    for length in lengths:
        starts = tuple(begin if axis == dim else 0 for axis in range(x.rank))
        begin += length
        stops = tuple(begin if axis == dim else n for axis, n in enumerate(x.shape))
        found.append(Slice(starts, stops, (1,) * x.rank)(x))
    return tuple(found)


@dataclass(frozen=True)
class Parts(Composite):
    """Slices of its operand, one after the other, that together are all of it."""

    def grad(self, node: Node, *gradients: Node | None) -> tuple[Node | None, ...]:
        given = [dy for dy in gradients if dy is not None]
        assert len(given) == len(gradients)
        dim = dict(self.options)["dim"]
        assert isinstance(dim, int)
        return (Concat(dim)(*given),)


def parts(x: Node, dim: int, lengths: Sequence[int]) -> tuple[Node, ...]:
    """``x`` along ``dim`` in pieces of ``lengths``, which make up its whole extent."""
    if len(lengths) == 1:
        return (x,)
    node = Parts("parts", _sliced, (("dim", dim), ("lengths", tuple(lengths))), (True,))(x)
    return tuple(Item(i)(node) for i in range(len(lengths)))


def equal_parts(x: Node, count: int) -> tuple[Node, ...]:
    """``x`` along its last dimension in ``count`` pieces of one size."""
    return parts(x, x.rank - 1, (x.shape[-1] // count,) * count)
