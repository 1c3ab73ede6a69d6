"""Where each value of a program lives: results own memory, and views are affine accesses to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Item, Node
from graphc.ir.types import Shape
from graphc.ops.creation import Arange
from graphc.ops.movement import Expand, Flip, Permute, Reshape, Slice

Result = tuple[Node, int]
"""One result of a kernel, or an input, or a number: what owns memory."""

Order = tuple[int, ...]
"""The dimensions of a result from the outermost in memory to the innermost."""


@dataclass(frozen=True)
class View:
    """How a node's value lies in the memory of the result that owns it, in elements."""

    owner: Result
    strides: Shape
    offset: int = 0
    is_whole: bool = True
    """Whether the value is the owner itself, element by element as it lies, at most reshaped."""


def dense(shape: Shape, order: Order | None = None) -> Shape:
    """The strides of a value without gaps, its dimensions in memory in this order."""
    strides = [1] * len(shape)
    step = 1
    for dim in reversed(order if order is not None else range(len(shape))):
        strides[dim] = step
        step *= shape[dim]
    return tuple(strides)


def reshaped(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """The strides after a reshape, or None where the elements would have to be moved."""
    if prod(shape) == 0:
        return dense(new)
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    found = [0] * len(new)
    wanted = [axis for axis, n in enumerate(new) if n != 1]
    i = j = 0
    while i < len(old):
        first_i, first_j = i, j
        have, need = old[i][0], new[wanted[j]]
        i, j = i + 1, j + 1
        while have != need:
            if have < need:
                have, i = have * old[i][0], i + 1
            else:
                need, j = need * new[wanted[j]], j + 1
        for a in range(first_i, i - 1):
            if old[a][1] != old[a + 1][0] * old[a + 1][1]:
                return None
        step = old[i - 1][1]
        for b in reversed(range(first_j, j)):
            found[wanted[b]] = step
            step *= new[wanted[b]]
    return tuple(found)


def _seen(node: Node, below: View) -> View | None:
    """The view of a view; None where a reshape has to move elements."""
    op, x = node.op, node.inputs[0]
    strides, offset = below.strides, below.offset
    if isinstance(op, Reshape):
        found = reshaped(x.shape, strides, op.shape)
        return None if found is None else View(below.owner, found, offset, below.is_whole)
    if isinstance(op, Permute):
        return View(below.owner, tuple(strides[d] for d in op.dims), offset, False)
    if isinstance(op, Slice):
        offset += (
            sum(a * s for a, s in zip(op.starts, strides, strict=True)) if node.type.size else 0
        )
        cut = tuple(a * s for a, s in zip(op.steps, strides, strict=True))
        return View(below.owner, cut, offset, False)
    if isinstance(op, Flip):
        if node.type.size:
            offset += sum((x.shape[d] - 1) * strides[d] for d in op.dims)
        turned = tuple(-s if d in op.dims else s for d, s in enumerate(strides))
        return View(below.owner, turned, offset, False)
    assert isinstance(op, Expand)
    lead = len(op.shape) - x.rank
    wide = tuple(0 if n == 1 else s for n, s in zip(x.shape, strides, strict=True))
    return View(below.owner, (0,) * lead + wide, offset, False)


def view_of(node: Node, found: Mapping[Node, View], orders: Mapping[Result, Order]) -> View:
    """The view of a node's value, given those of its operands.

    A node that is no view, or a reshape that must move elements, owns its memory: it is a kernel,
    an input, or a number.
    """
    if isinstance(node.op, Item):
        owner = (node.inputs[0], node.op.index)
        return View(owner, dense(node.shape, orders.get(owner)))
    if isinstance(node.op, Reshape | Permute | Slice | Flip | Expand):
        view = _seen(node, found[node.inputs[0]])
        if view is not None:
            return view
    return View((node, 0), dense(node.types[0].shape, orders.get((node, 0))))


def views(graph: Graph, orders: Mapping[Result, Order]) -> dict[Node, View]:
    """The view of every node's value; ``orders`` has the results that do not lie in C order."""
    found: dict[Node, View] = {}
    for node in graph.nodes:
        found[node] = view_of(node, found, orders)
    return found


def order_of(shape: Shape, strides: Shape) -> Order:
    """The dimensions as they lie in memory, outermost first; those of extent one come first."""
    wide = [d for d, n in enumerate(shape) if n != 1]
    ordered = sorted(wide, key=lambda d: (-abs(strides[d]), d))
    if ordered == wide:
        return tuple(range(len(shape)))
    return (*(d for d, n in enumerate(shape) if n == 1), *ordered)


def is_kernel(node: Node, found: Mapping[Node, View]) -> bool:
    """Whether the node is computed by a kernel of its own."""
    if isinstance(node.op, Input | Const | Arange | Item):
        return False
    return found[node].owner == (node, 0)
