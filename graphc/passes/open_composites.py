"""Put the body of each composite in its place."""

from __future__ import annotations

from collections.abc import Callable

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Item, Node
from graphc.ops.composite import Composite


def _none(node: Node) -> bool:
    return False


def open_composites(graph: Graph, keep: Callable[[Node], bool] = _none) -> Graph:
    """The graph with every composite opened but those to ``keep``, which a backend computes."""
    results: dict[Node, tuple[Node, ...]] = {}

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node.op, Item) and operands[0] in results:
            return results[operands[0]][node.op.index]
        if not isinstance(node.op, Composite) or keep(node):
            return reuse(node, operands)
        opened = node.op.open(*operands)
        if len(opened) == 1:
            return opened[0]
        closed = reuse(node, operands)
        results[closed] = opened
        return closed

    before = None
    while before is not graph:
        before = graph
        if any(isinstance(x.op, Composite) and not keep(x) for x in graph.nodes):
            results.clear()
            graph = graph.rebuild(step)
    return graph
