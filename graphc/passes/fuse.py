"""Fusion: elementwise work, reductions and broadcasts that share a space become one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphc.errors import GraphcRuntimeError
from graphc.ir.graph import Graph, merged_origin, reuse
from graphc.ir.node import Const, Item, Node, Op, make_input
from graphc.ir.types import Shape, TensorType, Types
from graphc.ops.movement import Expand, Reshape, reshape
from graphc.passes.groups import (
    AxisMap,
    Group,
    Grouping,
    is_fusible,
    is_reduction,
)


@dataclass(frozen=True, eq=False)
class Fused(Op, name="fused"):
    """A group as one node: a graph over one space, with the rank of the space throughout."""

    body: Graph
    space: Shape
    reduced: tuple[int, ...]
    """The axes along which row values have extent one; every row is computed on its own."""

    def infer(self, types: tuple[TensorType, ...]) -> Types:
        expected = tuple(x.type for x in self.body.inputs)
        if types != expected:
            raise GraphcRuntimeError(f"fused: operands {types} where the body has {expected}")
        results = tuple(x.type for x in self.body.outputs)
        return results if len(results) > 1 else results[0]

    def __str__(self) -> str:
        names = "+".join(
            x.op.name
            for x in self.body.nodes
            if x.inputs and not isinstance(x.op, Reshape | Expand)
        )
        return f"fused[{names}]"


def fuse(graph: Graph) -> Graph:
    """The graph with each group of nodes that one kernel can compute as a single node."""
    grouping = Grouping(graph)
    edges = list(_edges(graph, grouping))
    readers: dict[Node, int] = dict.fromkeys(graph.roots, 2)
    for node in graph.nodes:
        for x in grouping.reads[node]:
            readers[x] = readers.get(x, 0) + 1
    for alone in (True, False):
        for producer, consumer in edges:
            if not alone or readers[producer] == 1:
                grouping.join(producer, consumer)
    _join_lone_reductions(graph, grouping)
    return _condense(graph, grouping)


def _join_lone_reductions(graph: Graph, grouping: Grouping) -> None:
    """Take a reduction along with a kernel that reads the same value anyway."""
    readers: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if is_fusible(node):
            for x in grouping.reads[node]:
                if not is_fusible(x) and x.shape == grouping.of[node].space:
                    readers.setdefault(x, []).append(node)
    for nodes in readers.values():
        for node in nodes:
            alone = grouping.of[node]
            if is_reduction(node) and len(alone.nodes) == 1:
                others = (grouping.of[x] for x in nodes if x is not node)
                any(grouping.join_beside(group, grouping.of[node]) for group in others)


def _edges(graph: Graph, grouping: Grouping) -> Iterator[tuple[Node, Node]]:
    """Producers and consumers that could share a kernel, each pair once.

    What follows from numbers alone has no axes that the space of a group could have, and stays.
    """
    settled: set[Node] = set()
    for consumer in graph.nodes:
        if consumer.inputs and all(
            isinstance(x.op, Const) or x in settled for x in consumer.inputs
        ):
            settled.add(consumer)
        elif is_fusible(consumer):
            for producer in dict.fromkeys(grouping.reads[consumer]):
                if is_fusible(producer) and producer not in settled:
                    yield producer, consumer


def _condense(graph: Graph, grouping: Grouping) -> Graph:
    """One fused node in the place of each group of fusible nodes."""
    new: dict[Node, Node] = {}
    outside = _read_outside(graph, grouping)
    for group in _in_order(graph, grouping):
        if not group.fusible:
            (node,) = group.nodes
            if all(x in new for x in node.inputs):  # else a view read only within a group
                new[node] = reuse(node, tuple(new[x] for x in node.inputs))
            continue
        _emit_group(group, grouping, outside, new)
    return graph.with_roots(tuple(new[root] for root in graph.roots))


def _in_order(graph: Graph, grouping: Grouping) -> Iterator[Group]:
    """The groups, each after those it needs, otherwise in the graph's order."""
    import networkx

    quotient: networkx.DiGraph[Group] = networkx.DiGraph()
    for node in graph.nodes:
        group = grouping.of[node]
        quotient.add_node(group)
        for operand, x in zip(node.inputs, grouping.reads[node], strict=True):
            if grouping.of[x] is not group:
                quotient.add_edge(grouping.of[operand], group)
    return networkx.lexicographical_topological_sort(quotient, key=lambda group: group.last)


def _read_outside(graph: Graph, grouping: Grouping) -> dict[Node, None]:
    """The members of groups whose values leave their group."""
    found: dict[Node, None] = dict.fromkeys(graph.roots)
    for node in reversed(graph.nodes):
        group = grouping.of[node]
        if isinstance(node.op, Reshape | Expand) and node not in found:
            continue
        for operand, x in zip(node.inputs, grouping.reads[node], strict=True):
            if grouping.of[x] is not group:
                found[operand] = None
    return found


def _aligned(shape: Shape, axes: AxisMap, space: Shape) -> Shape:
    """A value's shape with the rank of the space."""
    result = [1] * len(space)
    for axis, n in zip(axes, shape, strict=True):
        if n != 1:
            assert axis is not None
            result[axis] = n
    return tuple(result)


def _emit_group(
    group: Group, grouping: Grouping, outside: dict[Node, None], new: dict[Node, Node]
) -> None:
    members = sorted(group.nodes, key=grouping.index.__getitem__)
    inside: dict[Node, Node] = {}
    parameters: dict[tuple[Node, Shape], Node] = {}
    arguments: list[Node] = []
    for node in members:
        operands = []
        for operand, found in zip(node.inputs, grouping.sources[node], strict=True):
            if found is not None and found[0] in inside:
                operands.append(inside[found[0]])
            elif isinstance(operand.op, Const):
                operands.append(operand)
            else:
                shape = _operand_shape(group, node, operand)
                key = (operand, shape)
                if key not in parameters:
                    type = TensorType(shape, operand.dtype)
                    parameters[key] = make_input(f"a{len(parameters)}", type, device="")
                    arguments.append(reshape(new[operand], shape))
                operands.append(parameters[key])
        inside[node] = _member(group, node, tuple(operands))
    outputs = [node for node in members if node in outside]
    body = Graph(tuple(parameters.values()), tuple(inside[x] for x in outputs), name="fused")
    op = Fused(body, group.space, tuple(sorted(group.reduced)))
    results = tuple(x.type for x in body.outputs)
    fused = Node(
        op,
        tuple(arguments),
        results if len(results) > 1 else results[0],
        requires_grad=False,
        device=members[0].device,
        origin=merged_origin(x.origin for x in members),
    )
    for i, node in enumerate(outputs):
        result = fused if len(results) == 1 else Item(i)(fused)
        new[node] = reshape(result, node.shape)


def _operand_shape(group: Group, node: Node, operand: Node) -> Shape:
    """The shape of an operand from outside, with the rank of the space."""
    axes = group.maps[node]
    return _aligned(operand.shape, axes[len(axes) - operand.rank :], group.space)


def _member(group: Group, node: Node, operands: tuple[Node, ...]) -> Node:
    """``node`` as it stands in the body: over operands with the rank of the space."""
    op = node.op
    if hasattr(op, "axes"):
        op = type(op)(tuple(sorted(group.axes_of(node))))  # type: ignore[call-arg]
    result = op.infer(tuple(x.type for x in operands))
    return Node(op, operands, result, requires_grad=False, device=node.device, origin=node.origin)
