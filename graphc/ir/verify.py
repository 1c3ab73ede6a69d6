"""The invariants of a graph, checked after every pass."""

from __future__ import annotations

from graphc.errors import GraphcError, VerificationError
from graphc.ir.graph import Graph
from graphc.ir.node import Input, Item, Node
from graphc.ir.types import Types


def verify(graph: Graph) -> None:
    """Raise VerificationError where a type is not what its op gives, or an input is unknown."""
    known = {*graph.inputs, *graph.state}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            if node not in known:
                raise VerificationError(f"%{node.op.label} is read but is no input of the graph")
        else:
            _check_type(node)
    for target, value in graph.updates:
        if target not in known:
            raise VerificationError(f"an update of {target.op}, which is no input of the graph")
        if target.type != value.type:
            raise VerificationError(f"%{target.op} has type {target.type}, its update {value.type}")


def _check_type(node: Node) -> None:
    expected: Types
    if isinstance(node.op, Item):
        expected = node.inputs[0].types[node.op.index]
    else:
        try:
            expected = node.op.infer(tuple(x.type for x in node.inputs))
        except GraphcError as error:
            raise VerificationError(f"{node!r} does not type: {error}") from error
    if expected != node.type:
        raise VerificationError(f"{node!r} should have type {expected}")
