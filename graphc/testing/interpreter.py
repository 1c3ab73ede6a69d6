"""A plain interpreter: a graph computed node by node by the references of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import Input, Item, Node, Op
from graphc.ir.types import TensorType
from graphc.testing.operands import Array
from graphc.testing.table import name_of, results, table


def apply(op: Op, types: Sequence[TensorType], arrays: Sequence[Array]) -> tuple[Array, ...]:
    """The results of an op, each rounded to the type that it has in a graph."""
    found = results(table()[name_of(op)], op, arrays)
    assert len(found) == len(types), op
    for x, type in zip(found, types, strict=True):
        assert x.shape == type.shape, f"{op}: the reference gives {x.shape}, the type is {type}"
    with np.errstate(all="ignore"):
        return tuple(x.astype(t.dtype.numpy) for x, t in zip(found, types, strict=True))


def interpret(graph: Graph, given: Mapping[Node, Array]) -> list[Array]:
    """The graph's outputs, then the new values of what it updates."""
    known: dict[Node, tuple[Array, ...]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            known[node] = (given[node],)
        elif isinstance(node.op, Item):
            known[node] = (known[node.inputs[0]][node.op.index],)
        else:
            known[node] = apply(node.op, node.types, [known[x][0] for x in node.inputs])
    return [known[x][0] for x in graph.roots]
