"""The graph of a program: its inputs, state, outputs and the updates of its state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from graphc.ir.node import Const, Input, Node, Origin, origin_of

if TYPE_CHECKING:
    import networkx


def operands_of(node: Node) -> Sequence[Node]:
    return node.inputs


def topological(
    roots: Iterable[Node], operands_of: Callable[[Node], Sequence[Node]] = operands_of
) -> tuple[Node, ...]:
    """Every node that ``roots`` need, operands first, in the order a reader would write them."""
    order: dict[Node, None] = {}
    for root in roots:
        if root in order:
            continue
        stack = [(root, iter(operands_of(root)))]
        entered = {root}
        while stack:
            node, operands = stack[-1]
            for operand in operands:
                if operand not in order and operand not in entered:
                    entered.add(operand)
                    stack.append((operand, iter(operands_of(operand))))
                    break
            else:
                stack.pop()
                order[node] = None
    return tuple(order)


@dataclass(frozen=True)
class Graph:
    """A program: pure values, with updates of the state that happen after all reads of it."""

    inputs: tuple[Node, ...]
    """Input nodes bound anew at each call."""
    outputs: tuple[Node, ...]
    state: tuple[Node, ...] = ()
    """Input nodes bound once: parameters, buffers, optimizer state, the random counter."""
    updates: tuple[tuple[Node, Node], ...] = ()
    """Pairs of an input or state node and the value it has after the program."""
    name: str = field(default="graph", compare=False)

    @property
    def roots(self) -> tuple[Node, ...]:
        """What the program must compute."""
        return self.outputs + tuple(value for _, value in self.updates)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes that are computed or read, operands first."""
        return topological(self.roots)

    @cached_property
    def users(self) -> dict[Node, tuple[Node, ...]]:
        """The nodes that read each node, in order, each once."""
        users: dict[Node, dict[Node, None]] = {node: {} for node in self.nodes}
        for node in self.nodes:
            for operand in node.inputs:
                users[operand][node] = None
        return {node: tuple(readers) for node, readers in users.items()}

    @cached_property
    def computed(self) -> tuple[Node, ...]:
        """The nodes that are computed: all but inputs and numbers."""
        return tuple(x for x in self.nodes if not isinstance(x.op, Input | Const))

    @cached_property
    def positions(self) -> dict[Node, int]:
        """The position of each node among those that are computed."""
        return {node: i for i, node in enumerate(self.computed)}

    @cached_property
    def last_reads(self) -> dict[Node, int]:
        """For each node the position of the last one computed that reads it."""
        return {x: i for i, node in enumerate(self.computed) for x in node.inputs}

    @cached_property
    def nx(self) -> networkx.MultiDiGraph[Node]:
        """The networkx view: nodes are the keys, an edge's ``slot`` is the operand's position."""
        import networkx

        view: networkx.MultiDiGraph[Node] = networkx.MultiDiGraph()
        view.add_nodes_from(self.nodes)
        view.add_edges_from(
            (operand, node, {"slot": slot})
            for node in self.nodes
            for slot, operand in enumerate(node.inputs)
        )
        return view

    def with_roots(self, roots: tuple[Node, ...]) -> Graph:
        """The same program with ``roots`` in the place of its own."""
        split = len(self.outputs)
        updates = tuple((x, new) for (x, _), new in zip(self.updates, roots[split:], strict=True))
        return Graph(self.inputs, roots[:split], self.state, updates, self.name)

    def rebuild(self, step: Callable[[Node, tuple[Node, ...]], Node]) -> Graph:
        """The graph in which each node is what ``step`` makes of it and its new operands."""
        new: dict[Node, Node] = {}
        for node in self.nodes:
            with origin_of(node.origin):
                new[node] = step(node, tuple(new[x] for x in node.inputs))
        return self.with_roots(tuple(new[root] for root in self.roots))

    def verify(self) -> None:
        """Raise VerificationError where an invariant does not hold."""
        from graphc.ir.verify import verify

        verify(self)

    def __str__(self) -> str:
        from graphc.ir.printer import format_graph

        return format_graph(self)


def reuse(node: Node, operands: tuple[Node, ...]) -> Node:
    """``node`` on other operands of the same types; itself where nothing changed."""
    if operands == node.inputs:
        return node
    return Node(
        node.op,
        operands,
        node.type,
        requires_grad=node.requires_grad,
        device=node.device,
        origin=node.origin,
    )


def merged_origin(origins: Iterable[Origin]) -> Origin:
    """The first origin that says something."""
    return next((origin for origin in origins if origin.function), Origin())
