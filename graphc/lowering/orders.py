"""Which dimension of each result is innermost in memory.

A backend prefers orders for the results of some kernels, such as channels last for convolutions;
what follows them keeps the order of what it reads, so that elements are put in another order only
where a value comes in or is returned.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.graph import Graph
from graphc.ir.node import Item, Node
from graphc.lowering.epilogues import Finished
from graphc.lowering.finishing import product_of
from graphc.lowering.views import Order, Result, View, order_of, view_of
from graphc.ops.composite import Composite
from graphc.ops.matmul import MatMul
from graphc.ops.movement import Concat, Pad, Permute, Place, Reshape
from graphc.ops.pooling import Pool
from graphc.passes.fuse import Fused

Preferred = Callable[[Node], list[Order | None]]
"""The order that is best for each result of a node's kernel, if any is."""


def chosen_orders(graph: Graph, preferred: Preferred) -> dict[Result, Order]:
    """The orders of the results that are not in C order."""
    fixed = _fixed(graph)
    orders: dict[Result, Order] = {}
    found: dict[Node, View] = {}
    for node in graph.nodes:
        wanted = _wanted(node, found, preferred)
        if not isinstance(node.type, tuple) and wanted == [None]:
            wanted = [_turned(node, graph)]
        for number, order in enumerate(wanted):
            if order is not None and (node, number) not in fixed and order != tuple(sorted(order)):
                orders[node, number] = order
        found[node] = view_of(node, found, orders)
    return orders


def _fixed(graph: Graph) -> set[Result]:
    """The results that are given back, or become state: they lie as the user's arrays do."""
    fixed = set()
    for root in graph.roots:
        while isinstance(root.op, Reshape):
            root = root.inputs[0]
        fixed.add((root.inputs[0], root.op.index) if isinstance(root.op, Item) else (root, 0))
    return fixed


def _turned(node: Node, graph: Graph) -> Order | None:
    """The order in which the only reader of a product turns it, so that it comes out right."""
    users = graph.users[node]
    if isinstance(node.op, MatMul | Composite) and len(users) == 1:
        (user,) = users
        if isinstance(user.op, Permute):
            return user.op.dims
    return None


def _wanted(node: Node, found: dict[Node, View], preferred: Preferred) -> list[Order | None]:
    """The order that is best for each result of a kernel."""
    op = node.op
    if isinstance(op, Fused):
        order = _followed(node, found, op.space)
        return [order if t.shape == op.space else None for t in node.types]
    if isinstance(op, Finished):
        order = preferred(product_of(node))[0]
        return [order if t.shape == op.type.shape else None for t in node.types]
    if isinstance(op, Pool | Concat | Pad | Place):
        order = _followed(node, found, None)
        return [order if order and len(order) == t.rank else None for t in node.types]
    return preferred(node)


def _followed(node: Node, found: dict[Node, View], space: tuple[int, ...] | None) -> Order | None:
    """The order of the largest operand that lies in memory without gaps."""
    best: Node | None = None
    for x in node.inputs:
        whole = (space is None or x.shape == space) and all(found[x].strides)
        if x.rank > 2 and whole and (best is None or x.type.size > best.type.size):
            best = x
    return None if best is None else order_of(best.shape, found[best].strides)
