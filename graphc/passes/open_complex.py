"""Complex numbers become pairs of real ones: what is compiled knows no complex types.

An input or an output of a complex type is an array of real numbers with a last axis of two, which
is how complex numbers lie in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.ir.dtype import real_type
from graphc.ir.graph import Graph, reuse, topological
from graphc.ir.node import Const, Input, Item, Node, Op, const, grad_mode, make_input, origin_of
from graphc.ir.types import TensorType
from graphc.ops.complex_parts import Parts, Result, pair, unpaired
from graphc.ops.composite import Composite

Opened = dict[Node, Any]
"""What stands for nodes: a node, the parts of a complex one, or a tuple of these."""


def has_complex(graph: Graph) -> bool:
    """Whether a value of the graph is of a complex type."""
    nodes = (*graph.inputs, *graph.state, *graph.nodes)
    return any(t.dtype.is_complex for x in nodes for t in x.types)


def open_complex(graph: Graph) -> Graph:
    """The graph over real numbers alone."""
    given = {x: _input(x) for x in (*graph.inputs, *graph.state)}
    new: Opened = {x: _taken(x, given[x]) for x in given}
    _open(graph.nodes, new)

    def whole(node: Node) -> Node:
        found = new[node]
        if isinstance(found, Parts):
            return pair(None, found)
        assert isinstance(found, Node)
        return found

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


def _taken(node: Node, given: Node) -> Result:
    return unpaired(None, given) if node.dtype.is_complex else given


def _open(nodes: Iterable[Node], new: Opened) -> None:
    """Note for each node, operands first, what stands for it."""
    for node in nodes:
        if node not in new:
            with origin_of(node.origin):
                new[node] = _opened(node, new)


def _opened(node: Node, new: Opened) -> Any:
    """What stands for a node, over what stands for its operands."""
    operands = [new[x] for x in node.inputs]
    if isinstance(node.op, Item) and type(operands[0]) is tuple:
        return operands[0][node.op.index]
    if not any(t.dtype.is_complex for x in (node, *node.inputs) for t in x.types):
        return reuse(node, tuple(x for x in operands if isinstance(x, Node)))
    if isinstance(node.op, Const):
        value, part = complex(node.op.value), real_type(node.dtype)
        return Parts(const(value.real, part), const(value.imag, part) if value.imag else None)
    if isinstance(node.op, Composite):
        return _body(node, node.op, operands)
    return Op.of_complex[node.op.name].lower(node.op, *operands)


def _body(node: Node, op: Composite, operands: list[Any]) -> Any:
    """What stands for the result of a composite, or for each of its several."""
    stands = tuple(make_input(f"x{i}", x.type, device=x.device) for i, x in enumerate(node.inputs))
    with grad_mode(False):
        results = op.open(*stands)
    inner: Opened = dict(zip(stands, operands, strict=True))
    _open(topological(results), inner)
    found = tuple(inner[x] for x in results)
    return found if isinstance(node.type, tuple) else found[0]
