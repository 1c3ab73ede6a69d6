"""Common subexpressions: equal ops on equal operands are one node."""

from __future__ import annotations

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Input, Node, Op


def merge_equal(graph: Graph) -> Graph:
    """The graph with every value computed once."""
    first: dict[tuple[Op, tuple[Node, ...]], Node] = {}

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node.op, Input):
            return node
        return first.setdefault((node.op, operands), reuse(node, operands))

    return graph.rebuild(step)
