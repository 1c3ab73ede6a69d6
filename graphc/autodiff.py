"""Reverse-mode differentiation: it appends gradient nodes by each op's own rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.ir.graph import topological
from graphc.ir.node import Const, Item, Node, origin_of
from graphc.ops.complex import conjugate
from graphc.ops.complex_parts import is_analytic
from graphc.ops.movement import zeros

Hook = Callable[[Node, Node], Node]
"""Given a node and its whole gradient, the gradient to go on with."""


class Walk:
    """What a backward pass went over."""

    def __init__(self, start: Callable[[Sequence[Node]], None] | None = None) -> None:
        self.start = start
        """Called with the nodes, operands first, before anything is differentiated."""
        self.nodes: set[Node] = set()
        self.readers: set[Node] = set()
        """The nodes whose gradient reads values of the forward pass."""


def gradients(
    results: Sequence[Node],
    seeds: Sequence[Node | None],
    leaves: Sequence[Node],
    hook: Hook | None = None,
    *,
    stop: bool = False,
    walk: Walk | None = None,
) -> tuple[Node | None, ...]:
    """The gradient of Σ seed · result with respect to each leaf; None where none flows.

    Nodes that need no gradient end the walk. A leaf may depend on another
    one, unless the walk is to ``stop`` at them.
    """
    wanted = frozenset(leaves)
    ends = wanted if stop else frozenset()
    order = leading_to(wanted, _between([x for x in results if x.requires_grad], ends))
    found = _accumulate(results, seeds, wanted, order, hook, walk)
    return tuple(found.get(leaf) for leaf in leaves)


def leading_to(leaves: frozenset[Node], order: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes of ``order``, operands first, that are a leaf or are computed from one."""
    found: set[Node] = set()
    for node in order:
        if node in leaves or not found.isdisjoint(node.inputs):
            found.add(node)
    return tuple(node for node in order if node in found)


def _accumulate(
    results: Sequence[Node],
    seeds: Sequence[Node | None],
    leaves: frozenset[Node],
    order: Sequence[Node],
    hook: Hook | None,
    walk: Walk | None,
) -> dict[Node, Node]:
    found: dict[Node, Node] = {}
    several: dict[Node, list[Node | None]] = {}
    for result, seed in zip(results, seeds, strict=True):
        if seed is not None and result.requires_grad:
            _add(found, result, seed)
    if walk is not None and walk.start is not None:
        walk.start(order)
    kept: dict[Node, Node] = {}
    inside = frozenset(order)
    for node in reversed(order):
        if hook is not None and node in found and node.inputs:
            found[node] = hook(node, found[node])
        if node in leaves and node in found:
            kept[node] = found[node]
        with origin_of(node.origin.backward()):
            if isinstance(node.op, Item):
                gradient = found.pop(node, None)
                if gradient is not None:
                    if walk is not None:
                        walk.nodes.add(node)
                    source = node.inputs[0]
                    parts = several.setdefault(source, [None] * len(source.types))
                    before = parts[node.op.index]
                    parts[node.op.index] = gradient if before is None else before + gradient
                continue
            if node.inputs and inside.isdisjoint(node.inputs):
                continue
            own = [found[node]] if node in found else several.get(node, [])
            flows = _of_operands(node, found, several)
            if walk is not None and own:
                walk.nodes.add(node)
                if _read_values([flow for _, flow in flows], own, node):
                    walk.readers.add(node)
            for operand, gradient in flows:
                _add(found, operand, gradient)
    return kept


def _read_values(flows: Sequence[Node], gradients: Sequence[Node | None], node: Node) -> bool:
    """Whether what flows from ``node`` was computed from more than its own gradient."""
    own = frozenset(x for x in gradients if x is not None)
    pending, seen = list(flows), set(flows)
    while pending:
        x = pending.pop()
        if x in own or isinstance(x.op, Const):
            continue
        if x is node or x in node.inputs or not x.inputs:
            return True
        fresh = [y for y in x.inputs if y not in seen]
        seen.update(fresh)
        pending.extend(fresh)
    return False


def _of_operands(
    node: Node, found: dict[Node, Node], several: dict[Node, list[Node | None]]
) -> list[tuple[Node, Node]]:
    """What flows from ``node`` to those of its operands that need a gradient."""
    if node in several:
        parts = [
            zeros(t) if part is None and t.dtype.is_inexact else part
            for part, t in zip(several.pop(node), node.types, strict=True)
        ]
        flows = node.op.grad(node, *parts)
    elif node in found and node.inputs:
        flows = _flows(node, found.pop(node))
    else:
        return []
    return [
        (operand, flow)
        for operand, flow in zip(node.inputs, flows, strict=True)
        if flow is not None and operand.requires_grad
    ]


def _flows(node: Node, dy: Node) -> tuple[Node | None, ...]:
    """What an op's own rule gives; of an analytic function of complex numbers, conjugated."""
    if node.dtype.category < 3 or not is_analytic(node):
        return node.op.grad(node, dy)
    flows = node.op.grad(node, conjugate(dy))
    return tuple(None if x is None else conjugate(x) for x in flows)


def _add(found: dict[Node, Node], node: Node, gradient: Node) -> None:
    before = found.get(node)
    found[node] = gradient if before is None else before + gradient


def _between(results: Sequence[Node], ends: frozenset[Node]) -> tuple[Node, ...]:
    """The nodes that need a gradient, operands first; nothing behind ``ends``."""
    return topological(
        results, lambda x: () if x in ends else [y for y in x.inputs if y.requires_grad]
    )


def reachable_leaves(result: Node) -> tuple[Node, ...]:
    """The nodes that need a gradient and have no operand that does: where ``backward`` ends."""
    order = _between([result], frozenset())
    return tuple(x for x in order if not any(operand.requires_grad for operand in x.inputs))
