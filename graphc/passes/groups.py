"""Groups of nodes that may become one kernel: which nodes may join, and on which axes they meet.

A group runs over a *space*, the shape of its largest values. Every member is a value over the
whole space, or a row value, which has extent one along the group's reduced axes; a reduction over
any axes may be a member if nothing in the group reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from math import prod

from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ir.types import Shape, broadcast_shapes
from graphc.ops.elementwise import Cast, Elementwise, Where
from graphc.ops.movement import Expand, Reshape
from graphc.ops.reduce import All, Any, Max, Min, Prod, Reduce, Sum
from graphc.passes.costs import cost

ROW_LIMIT = 128 * 1024
"""Elements of a row, of all reduced axes together, that a row kernel may hold."""
WHOLE_LIMIT = 32 * 1024
"""Elements of a space that is one row alone, with nothing left to run in parallel over."""
MEMBER_LIMIT = 400
"""Nodes of one group, so that a generated function stays one that can be read and compiled."""
COST_LIMIT = 640
"""What the nodes of one group may cost together: some forty functions such as sine or tanh, each of
which is a page of code to a compiler, and far more work than what crosses memory between groups."""

AxisMap = tuple[int | None, ...]
"""For each axis of a value the axis of the space, or None where its extent is one."""


def is_elementwise(node: Node) -> bool:
    """Whether each element of the result needs one element of each operand."""
    return isinstance(node.op, Elementwise | Where | Cast)


def is_reduction(node: Node) -> bool:
    """Whether the node is a reduction that a group may hold."""
    return isinstance(node.op, Sum | Prod | Max | Min | Any | All)


def is_fusible(node: Node) -> bool:
    """Whether the node may be a member of a group of more than itself."""
    return is_elementwise(node) or is_reduction(node)


class Group:
    """Nodes that become one kernel."""

    __slots__ = ("cost", "fusible", "last", "maps", "nodes", "place", "reduced", "space")

    def __init__(self, node: Node, index: int) -> None:
        self.nodes = [node]
        self.cost = cost(node)
        self.last = index
        """The greatest index of a member in the graph's order."""
        self.place = index
        """Where it stands in an order of the groups in which each comes after what it needs."""
        self.fusible = is_fusible(node)
        shape = node.inputs[0].shape if isinstance(node.op, Reduce) else node.types[0].shape
        self.space: Shape = shape
        self.maps: dict[Node, AxisMap] = {node: tuple(range(len(shape)))}
        self.reduced: frozenset[int] = frozenset()
        """The axes of the space along which row values have extent one."""

    def axes_of(self, node: Node) -> frozenset[int]:
        """The axes of the space that a reduction in this group reduces."""
        assert isinstance(node.op, Reduce)
        maps = self.maps[node]
        return frozenset(
            a for axis in node.op.axes if (a := maps[axis]) is not None and self.space[a] != 1
        )

    def is_small_with(self, other: Group) -> bool:
        """Whether both together are as little as one function may be."""
        members = len(self.nodes) + len(other.nodes)
        return members <= MEMBER_LIMIT and self.cost + other.cost <= COST_LIMIT


def source_of(operand: Node) -> tuple[Node, AxisMap] | None:
    """The node behind views that only add, drop or broadcast axes of extent one.

    With it, for each axis of ``operand`` the axis of that node, or None where it is broadcast.
    None where a view in between really moves elements.
    """
    maps: list[int | None] = list(range(operand.rank))
    node = operand
    while isinstance(node.op, Reshape | Expand):
        below = node.inputs[0]
        if isinstance(node.op, Expand):
            lead = node.rank - below.rank
            step: list[int | None] = [
                axis - lead if axis >= lead and below.shape[axis - lead] != 1 else None
                for axis in range(node.rank)
            ]
        else:
            kept = [axis for axis, n in enumerate(below.shape) if n != 1]
            mine = [axis for axis, n in enumerate(node.shape) if n != 1]
            if [below.shape[a] for a in kept] != [node.shape[a] for a in mine]:
                return None
            pairs = dict(zip(mine, kept, strict=True))
            step = [pairs.get(axis) for axis in range(node.rank)]
        maps = [None if axis is None else step[axis] for axis in maps]
        node = below
    return node, tuple(maps)


def sources(node: Node) -> tuple[tuple[Node, AxisMap] | None, ...]:
    """For each operand the node behind the views that a group absorbs, as ``source_of`` says.

    A broadcast is absorbed only if the result is as large without it: a reduction counts each
    copy along its axes, and a result that is to be spread out must be so somewhere.
    """
    if not is_fusible(node):
        return (None,) * len(node.inputs)
    found = [source_of(operand) for operand in node.inputs]
    if isinstance(node.op, Reduce):
        (x,), (source,) = node.inputs, found
        spread = _narrow(x, source) != x.shape
        return (None,) if spread else (source,)
    shapes = [_narrow(x, source) for x, source in zip(node.inputs, found, strict=True)]
    if broadcast_shapes(*shapes) == node.shape:
        return tuple(found)
    pairs = zip(node.inputs, shapes, found, strict=True)
    return tuple(source if x.shape == shape else None for x, shape, source in pairs)


def _narrow(operand: Node, source: tuple[Node, AxisMap] | None) -> Shape:
    """The shape of an operand without its broadcasts."""
    if source is None:
        return operand.shape
    return tuple(1 if axis is None else n for axis, n in zip(source[1], operand.shape, strict=True))


class Grouping:
    """The groups of a graph; each node is in one, alone at first."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.index = {node: i for i, node in enumerate(graph.nodes)}
        self.of = {node: Group(node, i) for node, i in self.index.items()}
        self.order: list[Group | None] = list(self.of.values())
        """The groups by place, and nothing where groups have become one."""
        self.sources = {node: sources(node) for node in graph.nodes}
        self.reads = {node: self._read_by(node) for node in graph.nodes}
        """What each node reads; a member of a group reads through views that it can absorb."""

    def _read_by(self, node: Node) -> tuple[Node, ...]:
        """The nodes whose values ``node`` reads, through the views that a group absorbs."""
        pairs = zip(node.inputs, self.sources[node], strict=True)
        return tuple([operand if found is None else found[0] for operand, found in pairs])

    def join(self, producer: Node, consumer: Node) -> bool:
        """Merge the groups of two nodes joined by an edge, if one kernel can run both."""
        a, b = self.of[producer], self.of[consumer]
        if a is b or not (a.fusible and b.fusible and a.is_small_with(b)):
            return False
        pairs: list[tuple[int, int]] = []
        needed: frozenset[int] = frozenset()
        for below, above, axes, rank in self._crossing(a, b):
            met = self._met_axes(a, b, below, above, axes, rank)
            if met is None:
                return False
            pairs += met
            if is_reduction(below):
                reduced = a.axes_of(below)
                if needed not in (frozenset(), reduced):
                    return False
                needed = reduced
        into = _alignment(a, b, list(dict.fromkeys(pairs)), needed)
        if into is None or not self._fits(a, b, into, needed):
            return False
        between = self._between(a, b)
        if between is None:
            return False
        self._merge(a, b, into, needed, between)
        return True

    def join_beside(self, a: Group, b: Group) -> bool:
        """Merge two groups over one space that read the same value, if neither needs the other."""
        if a is b or a.space != b.space or not a.is_small_with(b):
            return False
        a, b = (a, b) if a.place < b.place else (b, a)
        into, none = _Into(a.space), frozenset[int]()
        direct = any(self.of[x] is a for node in b.nodes for x in self.reads[node])
        between = self._between(a, b)
        if direct or between is None or not self._fits(a, b, into, none):
            return False
        self._merge(a, b, into, none, between)
        return True

    def _crossing(self, a: Group, b: Group) -> Iterator[tuple[Node, Node, AxisMap, int]]:
        """The edges from ``a`` to ``b``, with the axes on which their ends meet."""
        for above in b.nodes:
            for operand, found in zip(above.inputs, self.sources[above], strict=True):
                if found is not None and self.of[found[0]] is a:
                    yield found[0], above, found[1], operand.rank

    def _met_axes(
        self, a: Group, b: Group, producer: Node, consumer: Node, axes: AxisMap, rank: int
    ) -> list[tuple[int, int]] | None:
        """Pairs of an axis of a's space and the axis of b's space that it meets."""
        above = b.maps[consumer]
        lead = len(above) - rank
        below = a.maps[producer]
        pairs = []
        for axis, source in enumerate(axes):
            if source is None or producer.type.shape[source] == 1:
                continue
            x, y = below[source], above[axis + lead]
            if x is None or y is None:
                return None
            pairs.append((x, y))
        return pairs

    def _fits(self, a: Group, b: Group, into: _Into, needed: frozenset[int]) -> bool:
        """Whether rows stay small enough, and the groups agree on what a row is."""
        space = into.space
        reduced = {
            frozenset(axes)
            for axes in (
                into.from_a(a.reduced),
                into.from_b(b.reduced),
                into.from_a(needed),
                into.row,
            )
            if axes
        }
        if len(reduced) > 1:
            return False
        if not reduced:
            return True
        (axes,) = reduced
        row = prod(space[axis] for axis in axes)
        alone = all(n == 1 or axis in axes for axis, n in enumerate(space))
        return row <= (WHOLE_LIMIT if alone else ROW_LIMIT)

    def _merge(
        self, a: Group, b: Group, into: _Into, needed: frozenset[int], between: set[Group]
    ) -> None:
        reduced = into.from_a(a.reduced) | into.from_b(b.reduced) | into.from_a(needed) | into.row
        big, small = (a, b) if len(a.nodes) >= len(b.nodes) else (b, a)
        for group, move in ((a, into.a), (b, into.b)):
            if move is not None:
                group.maps = {
                    node: tuple(None if x is None else move.get(x) for x in axes)
                    for node, axes in group.maps.items()
                }
        big.nodes += small.nodes
        big.maps.update(small.maps)
        big.cost = a.cost + b.cost
        big.space, big.reduced = into.space, frozenset(reduced)
        big.last = max(a.last, b.last)
        for node in small.nodes:
            self.of[node] = big
        self._place(big, a.place, b.place, between)

    def _place(self, merged: Group, first: int, last: int, before: set[Group]) -> None:
        """Put what two groups at these places have become after what it needs."""
        inner = [x for x in self.order[first + 1 : last] if x is not None]
        later = [x for x in inner if x not in before]
        region = [*(x for x in inner if x in before), merged, *later]
        for place, group in enumerate(region, first):
            group.place = place
        self.order[first : last + 1] = [*region, *[None] * (last + 1 - first - len(region))]

    def _between(self, a: Group, b: Group) -> set[Group] | None:
        """What ``b`` needs of the groups that come after ``a``; None if something of it needs a.

        Only groups that come after another one can need it. Of those the first are looked at
        first: where there is a way to ``a``, they are the nearest to it.
        """
        found: set[Group] = set()
        ahead = [(b.place, b)]
        while ahead:
            _, group = heappop(ahead)
            for node in group.nodes:
                for x in self.reads[node]:
                    below = self.of[x]
                    if below is a and group is not b:
                        return None
                    if below.place > a.place and below is not group and below not in found:
                        found.add(below)
                        heappush(ahead, (below.place, below))
        return found


class _Into:
    """How two spaces become one: the space, and where the axes of each go (None: they stay)."""

    def __init__(
        self,
        space: Shape,
        a: dict[int, int] | None = None,
        b: dict[int, int] | None = None,
        row: frozenset[int] = frozenset(),
    ) -> None:
        self.space, self.a, self.b, self.row = space, a, b, row

    def from_a(self, axes: frozenset[int]) -> frozenset[int]:
        return axes if self.a is None else frozenset(self.a[x] for x in axes)

    def from_b(self, axes: frozenset[int]) -> frozenset[int]:
        return axes if self.b is None else frozenset(self.b[x] for x in axes)


def _consistent(pairs: list[tuple[int, int]]) -> bool:
    """Whether the pairs match each axis with one other, in the same order on both sides."""
    ordered = sorted(pairs)
    return len({x for x, _ in pairs}) == len({y for _, y in pairs}) == len(pairs) and [
        y for _, y in ordered
    ] == sorted(y for _, y in pairs)


def _alignment(
    a: Group, b: Group, pairs: list[tuple[int, int]], needed: frozenset[int]
) -> _Into | None:
    """The space of both groups, if they run over the same one or one holds the other's rows."""
    if a.space == b.space and all(x == y for x, y in pairs):
        return _Into(a.space)
    if not _consistent(pairs):
        return None
    wide_a = {axis for axis, n in enumerate(a.space) if n != 1}
    wide_b = {axis for axis, n in enumerate(b.space) if n != 1}
    met_a, met_b = {x for x, _ in pairs}, {y for _, y in pairs}
    if met_a == wide_a and met_b == wide_b:
        return _Into(a.space, b={y: x for x, y in pairs})
    if met_b == wide_b and not b.reduced and not _reductions(b):
        row = frozenset(wide_a - met_a)
        if row and row == (a.reduced or needed):
            return _Into(a.space, b={y: x for x, y in pairs}, row=row)
    if met_a == wide_a and not a.reduced and not _reductions(a):
        row = frozenset(wide_b - met_b)
        if row and row == b.reduced:
            return _Into(b.space, a=dict(pairs), row=row)
    return None


def _reductions(group: Group) -> bool:
    return any(is_reduction(node) for node in group.nodes)
