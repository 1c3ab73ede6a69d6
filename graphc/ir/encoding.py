"""A graph as text that is equal for equal graphs alone: what a cache on disk knows it by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from types import FunctionType
from typing import Any

from graphc.ir.dtype import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Op, Origin
from graphc.ir.types import TensorType

PACKAGE = __name__.partition(".")[0]
PLAIN = frozenset({type(None), bool, int, float, str, bytes})


class NotEncodable(Exception):
    """There is something in the graph of which no text tells all that matters."""


def encoded(graph: Graph) -> str:
    """Everything that the graph is: ops with their settings, operands, types, devices, origins.

    What ops and functions do is not told, only which ones they are; so they must be graphc's own.
    """
    # Tuples of plain values have one text each, and no two share one.
    return repr(_graph(graph))


def _graph(graph: Graph) -> tuple[object, ...]:
    nodes = dict.fromkeys([*graph.inputs, *graph.state, *(x for x, _ in graph.updates)])
    nodes |= dict.fromkeys(graph.nodes)
    numbers = {node: number for number, node in enumerate(nodes)}
    origins: dict[Origin, int] = {}

    def numbers_of(given: Sequence[Node]) -> tuple[int, ...]:
        return tuple([numbers[x] for x in given])

    def described(node: Node) -> tuple[object, ...]:
        operands = numbers_of(node.inputs)
        place = _told(node.origin, origins)
        return _op(node.op), operands, _types(node), node.requires_grad, node.device, place

    return (
        graph.name,
        tuple([described(node) for node in nodes]),
        numbers_of(graph.inputs),
        numbers_of(graph.state),
        numbers_of(graph.outputs),
        tuple([numbers_of(pair) for pair in graph.updates]),
    )


def _told(origin: Origin, known: dict[Origin, int]) -> object:
    """The origin; one that was told before by its number, for many nodes share one."""
    if origin in known:
        return known[origin]
    known[origin] = len(known)
    return astuple(origin)


def _types(node: Node) -> tuple[object, ...]:
    return tuple([(x.shape, x.dtype.name) for x in node.types])


def _op(op: Op) -> tuple[object, ...]:
    kind = type(op)
    settings = [(field.name, _value(getattr(op, field.name))) for field in fields(op)]
    return _named(kind), tuple(settings)


def _named(x: Any) -> str:
    """A class or function of graphc's own by the place where it is defined."""
    if x.__module__.partition(".")[0] != PACKAGE or "<" in x.__qualname__:
        raise NotEncodable(f"{x.__module__}.{x.__qualname__}")
    return f"{x.__module__}.{x.__qualname__}"


def _value(value: object) -> object:
    """A setting of an op by plain values."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, tuple | list):
        return type(value).__name__, tuple([_value(x) for x in value])
    if isinstance(value, DType):
        return "dtype", value.name
    if isinstance(value, TensorType):
        return "type", value.shape, value.dtype.name
    if isinstance(value, Graph):
        return "graph", _graph(value)
    if isinstance(value, Op):
        return "op", _op(value)
    if isinstance(value, FunctionType):
        return "function", _named(value)
    raise NotEncodable(f"{type(value).__name__}")
