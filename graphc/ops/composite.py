"""Composites: functions over primitives that stay one node, so that a backend may claim them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps

from graphc.ir.node import Item, Node, Op, grad_mode, make_input
from graphc.ir.types import TensorType, Types

Body = Callable[..., Node | tuple[Node, ...]]
Flows = tuple[Node | None, ...]
Gradient = Callable[["Composite", Node, Flows], Flows]
"""Given a composite, its node and the gradients of the results, those of the operands."""
COMPOSITES: dict[str, Body] = {}
"""The body of every composite by its name."""
GRADIENTS: dict[str, Gradient] = {}
"""The gradient of a composite by its name, where there is a composite for that too."""


@dataclass(frozen=True)
class Composite(Op):
    """A call of a composite: its meaning is ``body``, opened wherever no backend claims it."""

    label: str
    body: Body
    options: tuple[tuple[str, object], ...]
    present: tuple[bool, ...]
    """Which positional operands are nodes; the others are None."""

    @property
    def key(self) -> str:
        """The name under which a backend claims it."""
        return self.label

    def open(self, *inputs: Node) -> tuple[Node, ...]:
        """The results, by the body's own nodes."""
        operands = iter(inputs)
        arguments = [next(operands) if given else None for given in self.present]
        result = self.body(*arguments, **dict(self.options))
        return result if isinstance(result, tuple) else (result,)

    def further(self, count: int) -> Composite:
        """The same with its draws, which skip ``offset`` counters, so many counters later."""
        options = dict(self.options)
        offset = options["offset"]
        assert isinstance(offset, int)
        options["offset"] = offset + count
        return replace(self, options=tuple(sorted(options.items())))

    def infer(self, types: tuple[TensorType, ...]) -> Types:
        with grad_mode(False):
            results = self.open(*(make_input(f"x{i}", t, device="") for i, t in enumerate(types)))
        found = tuple(x.type for x in results)
        return found if len(found) > 1 else found[0]

    def grad(self, node: Node, *gradients: Node | None) -> Flows:
        """Through the body: the composite's forward is merged with it where it is opened."""
        return GRADIENTS.get(self.label, through_body)(self, node, gradients)

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options)
        return f"{self.label}[{options}]" if options else self.label


def through_body(op: Composite, node: Node, gradients: Flows) -> Flows:
    """The gradients of the operands, given those of the results, by the body's own nodes."""
    from graphc.autodiff import gradients as differentiate

    # Stand-ins of the operands end the walk at the composite's own border.
    with grad_mode(True):
        borders = tuple(Border()(x) for x in node.inputs)
        results = op.open(*borders)
    return differentiate(results, gradients, borders, stop=True)


class Border(Op, name="border"):
    """Its operand, unchanged: where a differentiation of a composite's body ends."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        return types[0]

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        return (dy,)


def bordered(x: Node) -> Node:
    """``x`` as an operand by which a body is differentiated, whether it needs a gradient or not."""
    return Node(Border(), (x,), x.type, requires_grad=True, device=x.device)


def composite(body: Body) -> Body:
    """Keep a call of ``body``, a function over nodes, one node. Options are keyword arguments."""
    COMPOSITES[body.__name__] = body

    @wraps(body)
    def call(*operands: Node | None, **options: object) -> Node | tuple[Node, ...]:
        given = tuple(x for x in operands if x is not None)
        if any(x.dtype.is_complex for x in given):
            return body(*operands, **options)
        present = tuple(x is not None for x in operands)
        op = Composite(body.__name__, body, tuple(sorted(options.items())), present)
        node = op(*given)
        if isinstance(node.type, tuple):
            return tuple(Item(i)(node) for i in range(len(node.types)))
        return node

    return call
