"""The order of the kernels, and where each result is written."""

from __future__ import annotations

from graphc.backends.numpy.body import may_overwrite
from graphc.backends.numpy.values import Layout, layouts
from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Item, Node
from graphc.lowering import schedule as lowering
from graphc.lowering.schedule import Schedule
from graphc.ops.creation import Arange
from graphc.passes.fuse import Fused


def is_kernel(node: Node, found: dict[Node, Layout]) -> bool:
    """Whether the node is computed by a kernel of its own."""
    if isinstance(node.op, Input | Const | Arange | Item):
        return False
    return node not in found or found[node].owner == (node, 0)


def overwrites(kernel: Node, result: int, slot: int) -> bool:
    """Whether a kernel may write a result over an operand; only fused ones may."""
    return isinstance(kernel.op, Fused) and may_overwrite(kernel.op, result, slot)


def scheduled(graph: Graph) -> tuple[Schedule, dict[Node, Layout]]:
    """The schedule of a fused graph, and how each value lies."""
    found = layouts(graph)
    kernels = [x for x in graph.nodes if is_kernel(x, found)]
    return lowering.schedule(graph, found, kernels, overwrites), found
