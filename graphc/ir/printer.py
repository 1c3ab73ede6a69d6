"""The text form of a graph: what a reader sees and what tests compare."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Node


def node_names(nodes: Sequence[Node]) -> dict[Node, str]:
    """The name of each node in the text: inputs keep theirs, the others are numbered."""
    names: dict[Node, str] = {}
    number = 0
    for node in nodes:
        if isinstance(node.op, Input):
            names[node] = f"%{node.op.label}"
        elif isinstance(node.op, Const):
            names[node] = str(node.op)
        else:
            number += 1
            names[node] = f"%{number}"
    return names


def format_graph(graph: Graph, *, origins: bool = False) -> str:
    """The graph as text, one node to a line; with ``origins``, each line's source beside it."""
    inputs = [*graph.inputs, *graph.state]
    names = node_names(list(dict.fromkeys([*inputs, *graph.nodes])))
    head = ", ".join(f"{names[x]}: {x.type}" for x in graph.inputs)
    lines = [f"{graph.name}({head}) {{"]
    lines += [f"  state {names[x]}: {x.type}" for x in graph.state]
    for node in graph.nodes:
        if isinstance(node.op, Input | Const):
            continue
        operands = ", ".join(names[x] for x in node.inputs)
        types = ", ".join(map(str, node.types))
        comment = f"  # {node.origin}" if origins and node.origin.function else ""
        lines.append(f"  {names[node]}: {types} = {node.op}({operands}){comment}")
    lines += [f"  update {names[x]} = {names[value]}" for x, value in graph.updates]
    lines.append(f"  return {', '.join(names[x] for x in graph.outputs)}".rstrip())
    return "\n".join([*lines, "}"])
