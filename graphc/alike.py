"""Nodes that say the same become one: a step told anew finds the program of the last one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.ir.graph import topological
from graphc.ir.node import Input, Node


class Alike:
    """Told the same thing again, it answers with the node it was told first."""

    def __init__(self, memo: dict[Any, Any]) -> None:
        self.memo = memo
        self.found: dict[Node, Node] = {}

    def stands(self, nodes: Iterable[Node]) -> None:
        """Take these nodes as they are, with what they are computed from."""
        for node in nodes:
            self.found[node] = node

    def __call__(self, node: Node) -> Node:
        """The first node that was the same op on the same operands."""
        found = self.found
        if node not in found:
            fresh = topological([node], lambda x: [y for y in x.inputs if y not in found])
            for x in fresh:
                found[x] = self._first(x)
        return found[node]

    def _first(self, node: Node) -> Node:
        if isinstance(node.op, Input):
            return node
        operands = tuple(self.found[x] for x in node.inputs)
        key = ("alike", node.op, operands, node.requires_grad)
        first: Node | None = self.memo.get(key)
        if first is None:
            first = self.memo[key] = (
                node
                if operands == node.inputs
                else Node(
                    node.op,
                    operands,
                    node.type,
                    requires_grad=node.requires_grad,
                    device=node.device,
                    origin=node.origin,
                )
            )
        return first
