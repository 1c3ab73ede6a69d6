"""A fused group made anew, with other results or other operands."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.passes.fuse import Fused


def regrouped(
    node: Node,
    inputs: Sequence[Node],
    arguments: Sequence[Node],
    outputs: tuple[Node, ...],
    space: Shape | None = None,
) -> Node:
    """A group over the space of ``node`` with these results, and with the operands they need.

    Where a ``space`` is given it is an elementwise group over that one.
    """
    op = node.op
    assert isinstance(op, Fused)
    group = (op.space, op.reduced) if space is None else (space, ())
    used = set(Graph((), outputs).nodes)
    kept = [i for i, x in enumerate(inputs) if x in used]
    body = Graph(tuple(inputs[i] for i in kept), outputs, name=op.body.name)
    types = tuple(x.type for x in outputs)
    return Node(
        Fused(body, *group),
        tuple(arguments[i] for i in kept),
        types if len(types) > 1 else types[0],
        requires_grad=False,
        device=node.device,
        origin=node.origin,
    )
