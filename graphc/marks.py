"""What stands in a graph for differentiation and for the user's eyes alone."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from graphc.ir.node import Node, Op, recording
from graphc.ir.types import TensorType
from graphc.ops.sloped import sloped


@dataclass(frozen=True)
class Detach(Op, name="detach"):
    """The operand, through which no gradient flows."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]

    def put(self, source: Node, value: Node) -> Node:
        """The source's history goes on, whatever was done to its numbers."""
        if value.requires_grad:
            value = Detach()(value)
        return sloped(value, source, 1.0) if source.requires_grad else value


@dataclass(frozen=True)
class Variable(Op, name="variable"):
    """The operand as a leaf of differentiation; numbered, since two leaves are never one."""

    number: int
    repeatable: ClassVar[bool] = False

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]

    def grad(self, node: Node, *gradients: Node) -> tuple[None]:
        return (None,)

    def put(self, source: Node, value: Node) -> Node:
        return value


@dataclass(frozen=True)
class ToDevice(Op, name="to_device"):
    """The operand's numbers on another device."""

    device: str

    def __call__(self, *inputs: Node) -> Node:
        (x,) = inputs
        needs = x.requires_grad and recording.grad_enabled
        return Node(self, inputs, x.type, requires_grad=needs, device=self.device)

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]

    def grad(self, node: Node, dy: Node) -> tuple[Node]:
        return (ToDevice(node.inputs[0].device or "cpu")(dy),)


@dataclass(frozen=True)
class Call:
    """The user-level call that a node is the result of."""

    grad_name: str
    operands: tuple[Node | None, ...]
    """None stands for a number."""

    def over(self, new: Mapping[Node, Node]) -> Call:
        """The same call told again, with the nodes that stand for the operands then."""
        return Call(
            self.grad_name, tuple(None if x is None else new.get(x, x) for x in self.operands)
        )


CALLS: weakref.WeakKeyDictionary[Node, Call] = weakref.WeakKeyDictionary()
"""For what ``grad_fn`` shows; nothing is computed from it."""


class Active(threading.local):
    """What calls of functions pass through first, given the function's name; nothing mostly."""

    cast: Callable[[str, tuple[Any, ...], dict[str, Any]], tuple[Any, Any]] | None = None


ACTIVE = Active()
