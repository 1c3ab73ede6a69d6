"""What a program computes from nothing but state that it leaves as it is.

Such values are the same at every step, until somebody changes the state between two steps, so
that a backend may compute them once: weights in another order, or the factors of a norm.
"""

from __future__ import annotations

from math import prod

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Const, Node, make_input
from graphc.lowering.regroup import regrouped
from graphc.ops.reduce import Reduce
from graphc.passes.costs import cost
from graphc.passes.fuse import Fused

FEWER = 4
"""How many times fewer elements than its group's space a value must have to be computed apart."""
DEAR = 5
"""What an operation must cost that is worth it."""


def settled(graph: Graph) -> frozenset[Node]:
    """The nodes whose values follow from numbers and from state that the program leaves."""
    written = {target for target, _ in graph.updates}
    found = set(graph.state) - written
    found -= set(graph.inputs)
    for node in graph.nodes:
        if isinstance(node.op, Const) or (node.inputs and all(x in found for x in node.inputs)):
            found.add(node)
    return frozenset(found)


def set_apart(graph: Graph) -> Graph:
    """The graph whose groups read what is settled, where they would compute it for each element."""
    known = settled(graph)

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if not isinstance(node.op, Fused) or node in known:
            return reuse(node, operands)
        given = {
            x for x, outer in zip(node.op.body.inputs, node.inputs, strict=True) if outer in known
        }
        edge = _edge(node.op, given)
        return _parted(node, operands, edge) if edge else reuse(node, operands)

    return graph.rebuild(step)


def _edge(op: Fused, given: set[Node]) -> list[Node]:
    """The members that follow from settled operands, and that others than such read."""
    space = prod(op.space)
    inside: set[Node] = set()
    worth: set[Node] = set()
    for member in op.body.nodes:
        if not member.inputs:
            if member in given or isinstance(member.op, Const):
                inside.add(member)
        elif (
            all(x in inside for x in member.inputs)
            and not isinstance(member.op, Reduce)
            and member.type.size * FEWER <= space
        ):
            inside.add(member)
            if cost(member) >= DEAR or any(x in worth for x in member.inputs):
                worth.add(member)
    outer = [x for x in op.body.computed if x not in inside]
    read = {x for member in outer for x in member.inputs}
    return [x for x in op.body.computed if x in worth and x in read]


def _parted(node: Node, operands: tuple[Node, ...], edge: list[Node]) -> Node:
    """A group that reads the members at the edge from groups of their own."""
    op = node.op
    assert isinstance(op, Fused)
    inputs, arguments = list(op.body.inputs), list(operands)
    inside: dict[Node, Node] = {}
    for number, member in enumerate(edge):
        inside[member] = make_input(f"settled{number}", member.type, device="")
        inputs.append(inside[member])
        arguments.append(regrouped(node, op.body.inputs, operands, (member,), member.shape))
    for member in op.body.computed:
        if member not in inside:
            again = tuple(inside.get(x, x) for x in member.inputs)
            inside[member] = reuse(member, again)
    outputs = tuple(inside.get(x, x) for x in op.body.outputs)
    return regrouped(node, inputs, arguments, outputs)
