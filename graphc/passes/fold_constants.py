"""Compute what is known before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Const, Node, const

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "reciprocal": lambda x: 1 / x,
    "exp": np.exp,
    "log": np.log,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "lt": np.less,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "not": np.invert,
}


def fold_constants(graph: Graph) -> Graph:
    """The graph with each op on numbers alone replaced by its result, in the op's own type."""
    return graph.rebuild(lambda node, operands: folded(reuse(node, operands)))


def folded(node: Node) -> Node:
    """The result of an op on numbers alone; any other node as it is."""
    function = FUNCTIONS.get(node.op.name)
    if function is None or not all(isinstance(x.op, Const) for x in node.inputs):
        return node
    with np.errstate(all="ignore"):
        numbers = [x.dtype.numpy.type(x.op.value) for x in node.inputs if isinstance(x.op, Const)]
        return const(function(*numbers).item(), node.dtype)
