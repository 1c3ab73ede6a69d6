"""Complex numbers become pairs of real ones: what is compiled knows no complex types.

An input or an output of a complex type is an array of real numbers with a last axis of two, which
is how complex numbers lie in memory.
"""

from __future__ import annotations

from graphc.ir.dtype import real_type
from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Const, Input, Node, Op, const, make_input, origin_of
from graphc.ir.types import TensorType
from graphc.ops.complex_parts import Parts, Result, pair, unpaired


def has_complex(graph: Graph) -> bool:
    """Whether a value of the graph is of a complex type."""
    nodes = (*graph.inputs, *graph.state, *graph.nodes)
    return any(t.dtype.is_complex for x in nodes for t in x.types)


def open_complex(graph: Graph) -> Graph:
    """The graph over real numbers alone."""
    given = {x: _input(x) for x in (*graph.inputs, *graph.state)}
    new: dict[Node, Result] = {}
    for node in (*graph.inputs, *graph.state, *graph.nodes):
        if node not in new:
            with origin_of(node.origin):
                new[node] = _opened(node, given, new)

    def whole(node: Node) -> Node:
        found = new[node]
        return pair(None, found) if isinstance(found, Parts) else found

    return Graph(
        inputs=tuple(given[x] for x in graph.inputs),
        outputs=tuple(whole(x) for x in graph.outputs),
        state=tuple(given[x] for x in graph.state),
        updates=tuple((given.get(x, x), whole(value)) for x, value in graph.updates),
        name=graph.name,
    )


def _input(node: Node) -> Node:
    """The input of real numbers that stands for one of complex numbers."""
    if not node.dtype.is_complex:
        return node
    assert isinstance(node.op, Input)
    type = TensorType((*node.shape, 2), real_type(node.dtype))
    with origin_of(node.origin):
        return make_input(node.op.label, type, device=node.device, contiguous=node.op.contiguous)


def _opened(node: Node, given: dict[Node, Node], new: dict[Node, Result]) -> Result:
    """What stands for a node."""
    is_complex = any(t.dtype.is_complex for x in (node, *node.inputs) for t in x.types)
    operands = [new[x] for x in node.inputs]
    if not is_complex:
        nodes = tuple(x for x in operands if isinstance(x, Node))
        return reuse(node, nodes)
    if isinstance(node.op, Input):
        return unpaired(None, given[node])
    if isinstance(node.op, Const):
        value, part = complex(node.op.value), real_type(node.dtype)
        return Parts(const(value.real, part), const(value.imag, part) if value.imag else None)
    found: Result = Op.of_complex[node.op.name].lower(node.op, *operands)
    return found
