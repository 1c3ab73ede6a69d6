"""What is recorded of functions whose places were found outside the graph."""

from __future__ import annotations

from graphc.functions.indexing import flat
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.ops.function import function
from graphc.ops.indexing import GatherNd
from graphc.ops.movement import expand
from graphc.ops.sloped import without_derivative


@function(method=False, namespace=False, grad_name="MaskedSelectBackward0")
def selected(input: Node, shape: Shape, place: Node) -> Node:
    """The elements at flat places of ``input``, broadcast to ``shape``."""
    return GatherNd(wrap=False)(flat(expand(input, shape)), place)


def _step_name(value: Node, step: str, missing: str, *sources: Node) -> str:
    return step


@function(method=False, namespace=False, grad_name=_step_name)
def underived(value: Node, step: str, missing: str, *sources: Node) -> Node:
    """``value``, said to come from the sources by ``step``, which has no derivative."""
    return without_derivative(missing, value, *sources)
