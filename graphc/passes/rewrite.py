"""Rewrite rules: one equation each, written in the ops' own notation, and their driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature

from graphc.ir.dtype import float32
from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Const, Input, Node, make_input
from graphc.ir.types import TensorType

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum", "eq", "ne", "and", "or", "xor"})

Equation = Callable[..., tuple[Node, Node]]


@dataclass(frozen=True)
class Rule:
    """An equation ``before = after``; the parameters of the function are its holes."""

    equation: Equation
    pattern: Node
    holes: tuple[Node, ...]

    @property
    def root(self) -> str:
        """The name of the op at the root of the pattern."""
        return self.pattern.op.name

    def apply(self, node: Node) -> Node | None:
        """What the equation makes of ``node``, or None where it does not match."""
        found: dict[Node, Node] = {}
        if not _match(self.pattern, node, frozenset(self.holes), found):
            return None
        after = self.equation(*(found[hole] for hole in self.holes))[1]
        return after if after.type == node.type else None


def rule(equation: Equation) -> Rule:
    """The rule that a function states as ``return before, after``."""
    names = signature(equation).parameters
    holes = tuple(make_input(name, TensorType((), float32), device="") for name in names)
    return Rule(equation, equation(*holes)[0], holes)


def _match(pattern: Node, node: Node, holes: frozenset[Node], found: dict[Node, Node]) -> bool:
    if pattern in holes:
        return found.setdefault(pattern, node) is node
    if isinstance(pattern.op, Const):
        return isinstance(node.op, Const) and node.op.value == pattern.op.value
    if pattern.op != node.op or isinstance(node.op, Input):
        return False
    orders = [node.inputs]
    if pattern.op.name in COMMUTATIVE:
        orders.append(node.inputs[::-1])
    for operands in orders:
        trial = dict(found)
        if all(_match(p, x, holes, trial) for p, x in zip(pattern.inputs, operands, strict=True)):
            found.update(trial)
            return True
    return False


def rewrite(
    graph: Graph, rules: tuple[Rule, ...], *, also: Callable[[Node], Node | None] | None = None
) -> Graph:
    """The graph with the rules applied to each node, until none matches it.

    ``also`` is a rule that no equation can state: it returns the replacement or None.
    """
    by_root: dict[str, list[Rule]] = {}
    for r in rules:
        by_root.setdefault(r.root, []).append(r)

    def once(node: Node) -> Node | None:
        for r in by_root.get(node.op.name, ()):
            after = r.apply(node)
            if after is not None:
                return after
        return None if also is None else also(node)

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        node = reuse(node, operands)
        after = once(node)
        while after is not None and after is not node:
            node, after = after, once(after)
        return node

    return graph.rebuild(step)
