"""What is stored between groups, and what is computed again.

What a group computes for later ones, mostly the forward pass for the backward pass, costs memory
traffic. Where such values follow cheaply from fewer others, only those are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from graphc.ir.graph import Graph, reuse
from graphc.ir.node import Const, Item, Node, make_input
from graphc.ir.types import TensorType
from graphc.lowering.regroup import regrouped
from graphc.ops.movement import Reshape, reshape
from graphc.ops.reduce import Reduce
from graphc.passes.costs import cost
from graphc.passes.fuse import Fused

CHEAP = 1
"""What an operation may cost to be done again."""


@dataclass
class Change:
    """What becomes of one group."""

    instead: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    """For each member that is no longer stored, those that it is computed from."""
    stored: tuple[Node, ...] = ()
    """Members that are results now and were not."""


def recompute(graph: Graph, can_finish: Callable[[Node], bool]) -> Graph:
    """The graph in which groups compute again what is cheap, instead of reading it."""
    changes: dict[Node, Change] = {}
    for node in graph.nodes:
        if isinstance(node.op, Fused):
            change = _change(graph, node, can_finish)
            if change is not None:
                changes[node] = change
    return without_unread(_rewired(graph, changes)) if changes else graph


def _results(graph: Graph, node: Node) -> list[Node | None]:
    """The graph's node for each result; None where nothing reads it."""
    if not isinstance(node.type, tuple):
        return [node]
    found: list[Node | None] = [None] * len(node.types)
    for user in graph.users[node]:
        assert isinstance(user.op, Item)
        found[user.op.index] = user
    return found


def _readers(graph: Graph, result: Node, shape: tuple[int, ...]) -> list[Node] | None:
    """The groups that read a result just as it is; None if anything else reads it."""
    if result in graph.roots:
        return None
    found = []
    for user in graph.users[result]:
        if isinstance(user.op, Reshape) and user.shape == shape:
            below = _readers(graph, user, shape)
            if below is None:
                return None
            found += below
        elif isinstance(user.op, Fused):
            found.append(user)
        else:
            return None
    return found


def _change(graph: Graph, node: Node, can_finish: Callable[[Node], bool]) -> Change | None:
    op = node.op
    assert isinstance(op, Fused)
    results = dict(zip(op.body.outputs, _results(graph, node), strict=True))
    free: dict[Node, list[Node]] = {}
    for member, result in results.items():
        if result is None or member.shape != op.space or not member.inputs:
            continue
        readers = _readers(graph, result, member.shape)
        if readers and all(isinstance(x.op, Fused) and x.op.space == op.space for x in readers):
            free[member] = readers
    kept = {x for x, result in results.items() if result is not None and x not in free}
    instead: dict[Node, tuple[Node, ...]] = {}
    for member in op.body.computed:
        if member in free:
            sources = _sources(op, member, kept)
            if sources and member not in sources and _replaces(op, sources, member):
                instead[member] = sources
            else:
                kept.add(member)
    passing = _passing(graph, node, can_finish)
    needed = dict.fromkeys(x for sources in instead.values() for x in sources)
    stored = [x for x in needed if x not in results and (x.inputs or x in passing)]
    if _bytes(op, stored) >= _bytes(op, instead) or _adds_loads(op, instead, free):
        return None
    if not any(x.shape == op.space and x.inputs for x in (*kept, *stored)):
        # No element is left to be computed of a product's, so that stores its result itself.
        stored = [x for x in stored if x not in passing]
    return Change(instead, tuple(stored))


def _wide(op: Fused, nodes: Iterable[Node]) -> int:
    """How many of these are values over the whole space."""
    return sum(x.shape == op.space for x in nodes)


def _bytes(op: Fused, nodes: Iterable[Node]) -> int:
    """What those take for an element of the space."""
    return sum(x.dtype.itemsize for x in nodes if x.shape == op.space)


def _replaces(op: Fused, sources: tuple[Node, ...], member: Node) -> bool:
    """Whether readers may read these: one array for another, or several of no more bytes."""
    return _wide(op, sources) <= 1 or _bytes(op, sources) <= _bytes(op, [member])


def _adds_loads(
    op: Fused, instead: dict[Node, tuple[Node, ...]], free: dict[Node, list[Node]]
) -> bool:
    """Whether some reader would read more arrays and more bytes than before."""
    before: dict[Node, set[Node]] = {}
    for member in instead:
        for reader in free[member]:
            before.setdefault(reader, set()).add(member)
    for members in before.values():
        after = {x for m in members for x in instead[m] if x.shape == op.space}
        if len(after) > len(members) and _bytes(op, after) > _bytes(op, members):
            return True
    return False


def _passing(graph: Graph, node: Node, can_finish: Callable[[Node], bool]) -> set[Node]:
    """The operands that are in memory only if the group stores them: products that it finishes."""
    op = node.op
    assert isinstance(op, Fused)
    found = set()
    for inner, outer in zip(op.body.inputs, node.inputs, strict=True):
        while isinstance(outer.op, Reshape) and len(graph.users[outer]) == 1:
            outer = outer.inputs[0]
        if can_finish(outer) and len(graph.users[outer]) == 1:
            found.add(inner)
    return found


def _sources(op: Fused, member: Node, kept: set[Node]) -> tuple[Node, ...] | None:
    """What a member follows from by cheap operations; None where it would take too much."""
    found: dict[Node, None] = {}
    budget = 6
    stack = [member]
    while stack:
        node = stack.pop()
        if isinstance(node.op, Const):
            continue
        again = (
            bool(node.inputs)
            and node.shape == op.space
            and not isinstance(node.op, Reduce)
            and cost(node) <= CHEAP
            and node not in kept
        )
        if not again:
            found[node] = None
            continue
        budget -= 1
        if budget < 0:
            return None
        stack += reversed(node.inputs)
    return tuple(found)


Source = tuple[Node, Node]
"""A group, and the member of it that is no longer stored."""


def _rewired(graph: Graph, changes: dict[Node, Change]) -> Graph:
    """The graph whose groups have more results, and compute again what others did."""
    sources: dict[Node, Source] = {}
    for node, change in changes.items():
        assert isinstance(node.op, Fused)
        for member, result in zip(node.op.body.outputs, _results(graph, node), strict=True):
            if result is not None and member in change.instead:
                sources[result] = (node, member)
    rewiring = _Rewiring(changes, sources)
    return graph.rebuild(rewiring.step)


class _Rewiring:
    """The state of one rebuild."""

    def __init__(self, changes: dict[Node, Change], sources: dict[Node, Source]) -> None:
        self.changes = changes
        self.sources = sources
        """The graph's nodes that are not to be read any more."""
        self.made: dict[Node, Node] = {}
        """The new node of each group that has changed."""
        self.new: dict[Node, Node] = {}
        """The new node of each of the graph's nodes that has been read."""

    def step(self, node: Node, operands: tuple[Node, ...]) -> Node:
        """The new node of a node, given those of its operands."""
        self.new.update(zip(node.inputs, operands, strict=True))
        if isinstance(node.op, Item) and node.inputs[0] in self.changes:
            return Item(node.op.index)(self.made[node.inputs[0]])
        new = reuse(node, operands)
        if not isinstance(node.op, Fused):
            return new
        change = self.changes.get(node, Change())
        if change.stored or any(self._behind(x) for x in node.inputs):
            new = self._again(node, change)
        if node not in self.changes:
            return new
        self.made[node] = new
        return new if isinstance(node.type, tuple) or not change.stored else Item(0)(new)

    def _behind(self, operand: Node) -> Source | None:
        while isinstance(operand.op, Reshape) and operand not in self.sources:
            operand = operand.inputs[0]
        return self.sources.get(operand)

    def _again(self, node: Node, change: Change) -> Node:
        """A group that computes some of its operands itself, and stores what it is to store."""
        op = node.op
        assert isinstance(op, Fused)
        parameters = _Parameters()
        inside: dict[Node, Node] = {}
        for inner, outer in zip(op.body.inputs, node.inputs, strict=True):
            source = self._behind(outer)
            if source is None:
                inside[inner] = parameters.of(self.new[outer], inner.type)
            else:
                inside[inner] = self._copied(*source, parameters)
        for member in op.body.nodes:
            if member.inputs:
                inside[member] = reuse(member, tuple(inside.get(x, x) for x in member.inputs))
        outputs = tuple(inside.get(x, x) for x in (*op.body.outputs, *change.stored))
        return regrouped(node, parameters.inputs, parameters.arguments, outputs)

    def _copied(self, group: Node, member: Node, parameters: _Parameters) -> Node:
        """A member of a group, computed from what that one stores or reads."""
        change, new, op = self.changes[group], self.made[group], group.op
        assert isinstance(op, Fused)
        count = len(op.body.outputs)
        found: dict[Node, Node] = {}
        for x in change.instead[member]:
            if x in change.stored:
                argument = Item(count + change.stored.index(x))(new)
            elif x in op.body.outputs:
                argument = Item(op.body.outputs.index(x))(new) if len(new.types) > 1 else new
            else:
                outer = group.inputs[op.body.inputs.index(x)]
                source = self._behind(outer)
                if source is not None:
                    found[x] = self._copied(*source, parameters)
                    continue
                argument = self.new[outer]
            found[x] = parameters.of(argument, x.type)
        return _retold(member, found)


def _retold(member: Node, found: dict[Node, Node]) -> Node:
    """A member over other operands."""
    if member not in found:
        if not member.inputs:
            return member
        found[member] = reuse(member, tuple(_retold(x, found) for x in member.inputs))
    return found[member]


class _Parameters:
    """The operands of a group as it is made anew."""

    def __init__(self) -> None:
        self.inputs: list[Node] = []
        self.arguments: list[Node] = []
        self.known: dict[object, Node] = {}

    def of(self, argument: Node, type_: TensorType) -> Node:
        """The parameter that stands for an argument."""
        key: object = (argument, type_)
        if isinstance(argument.op, Item):
            key = (argument.inputs[0], argument.op.index, type_)
        if key not in self.known:
            self.known[key] = make_input(f"a{len(self.inputs)}", type_, device="")
            self.inputs.append(self.known[key])
            self.arguments.append(reshape(argument, type_.shape))
        return self.known[key]


def without_unread(graph: Graph) -> Graph:
    """The graph whose groups have no results that nothing reads."""
    kept: dict[Node, list[int]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Fused) and isinstance(node.type, tuple):
            read = sorted({x.op.index for x in graph.users[node] if isinstance(x.op, Item)})
            if len(read) < len(node.types):
                kept[node] = read

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node.op, Item) and node.inputs[0] in kept:
            read = kept[node.inputs[0]]
            if len(read) == 1:
                return operands[0]
            return Item(read.index(node.op.index))(operands[0])
        if node not in kept:
            return reuse(node, operands)
        return _fewer_results(node, operands, kept[node])

    return graph.rebuild(step) if kept else graph


def _fewer_results(node: Node, operands: tuple[Node, ...], kept: list[int]) -> Node:
    op = node.op
    assert isinstance(op, Fused)
    outputs = tuple(op.body.outputs[i] for i in kept)
    return regrouped(node, op.body.inputs, operands, outputs)
