"""From a fused group to a kernel: the order of its axes, its sweeps, what is kept between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.ir.dtype import DType, Scalar, float32, float64
from graphc.ir.graph import reuse
from graphc.ir.node import Const, Node
from graphc.ir.types import Shape
from graphc.lowering.kernel import (
    Access,
    Action,
    Axis,
    Keep,
    Kept,
    Kernel,
    Load,
    Ramp,
    Reduction,
    Source,
    Step,
    Store,
    Sweep,
    Value,
)
from graphc.lowering.scratch import shared
from graphc.ops.elementwise import Div, Mul
from graphc.ops.reduce import Reduce
from graphc.ops.transcendental import Reciprocal
from graphc.passes.costs import cost
from graphc.passes.fuse import Fused

KEEP = 6
"""The cost above which a value is kept for a later sweep rather than computed again, by default."""


@dataclass(frozen=True)
class Nest:
    """A group's loops: for each new axis the axes of the space that it runs over, in order."""

    axes: tuple[tuple[int, ...], ...]
    """Outermost first: axes of rows, axes within a row, and last, where a row is not contiguous,
    the axis of rows that is."""

    def strides(self, strides: Shape) -> Shape:
        """Strides over the new axes."""
        return tuple(strides[axes[-1]] for axes in self.axes)


def _strides_of(source: Source) -> Shape | None:
    return None if isinstance(source, bool | int | float) else source.strides


def arranged(
    space: Shape,
    reduced: Sequence[int],
    groups: Sequence[Sequence[int]],
    found: Sequence[Shape],
    given: Sequence[int] = (),
) -> Nest:
    """The loops over a space: in the order of memory, and as few as the accesses allow.

    ``groups`` are sets of axes that must stay apart from others (those that a reduction goes
    over); ``found`` are the strides of every access, the most important first. ``given`` is an
    order of the axes that is to be kept.
    """
    wide = [axis for axis, n in enumerate(space) if n != 1]

    def far(axis: int) -> tuple[int, ...]:
        return tuple(-abs(strides[axis]) for strides in found if strides[axis]) or (0,)

    def key(axis: int) -> tuple[int, ...]:
        # By the first access that runs along the axis; axes of equal stride stay in order.
        return (far(axis)[0], axis)

    order = sorted(wide, key=key)
    rows = [axis for axis in order if axis not in reduced]
    within = [axis for axis in order if axis in reduced]
    if within and rows and order[-1] == rows[-1]:
        order = [*rows[:-1], *within, rows[-1]]
    else:
        order = rows + within
    if given:
        order = [axis for axis in given if space[axis] != 1]
    kinds = {axis: (axis in reduced, tuple(axis in group for group in groups)) for axis in order}
    merged: list[list[int]] = []
    for axis in order:
        if merged:
            last = merged[-1][-1]
            alike = all(s[last] == s[axis] * space[axis] for s in found)
            if alike and kinds[last] == kinds[axis]:
                merged[-1].append(axis)
                continue
        merged.append([axis])
    return Nest(tuple(tuple(axes) for axes in merged))


def lowered(
    op: Fused,
    sources: Sequence[Source],
    results: Sequence[Shape],
    roles: Sequence[Sequence[int]] = (),
    keep: int = KEEP,
) -> Kernel:
    """The kernel of a fused group: operands come from ``sources``, results have these strides.

    All strides are over the group's space, and zero where the extent is one. Where ``roles``
    are given, the axes of the space stay in their order, and those of one apart from others'.
    What costs more than ``keep`` is kept for later sweeps rather than computed again.
    """
    return nested(op, sources, results, roles, keep)[0]


def nested(
    op: Fused,
    sources: Sequence[Source],
    results: Sequence[Shape],
    roles: Sequence[Sequence[int]] = (),
    keep: int = KEEP,
) -> tuple[Kernel, Nest]:
    """The kernel of a fused group, and what its axes are."""
    op = _with_reciprocals(op)
    reduces = [x for x in op.body.computed if isinstance(x.op, Reduce)]
    strides = [*results, *(s for x in sources if (s := _strides_of(x)) is not None)]
    largest = sorted(range(len(strides)), key=lambda i: -_span(op.space, strides[i]))
    groups = [*roles, *(x.op.axes for x in reduces if isinstance(x.op, Reduce))]
    given = [axis for role in roles for axis in role]
    nest = arranged(op.space, op.reduced, groups, [strides[i] for i in largest], given)
    return _Builder(op, nest, sources, results, keep).kernel(), nest


def _with_reciprocals(op: Fused) -> Fused:
    """The group with one division for each row, where all elements are divided by a row's value.

    A product with the reciprocal is off by one rounding more, and several times as fast.
    """

    def step(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node.op, Div) and node.dtype in (float32, float64):
            over = operands[1]
            inside = bool(over.inputs) and over.shape != node.shape
            if inside and all(over.shape[axis] == 1 for axis in op.reduced):
                return Mul()(operands[0], Reciprocal()(over))
        return reuse(node, operands)

    body = op.body.rebuild(step) if op.reduced else op.body
    return Fused(body, op.space, op.reduced)


def _span(space: Shape, strides: Shape) -> int:
    """How many elements an access reaches."""
    size = 1
    for n, stride in zip(space, strides, strict=True):
        size *= n if stride else 1
    return size


class _Builder:
    """The state of one lowering."""

    def __init__(
        self,
        op: Fused,
        nest: Nest,
        sources: Sequence[Source],
        results: Sequence[Shape],
        keep: int,
    ) -> None:
        self.op, self.nest, self.body, self.keep = op, nest, op.body, keep
        self.sources = dict(zip(op.body.inputs, map(self._moved, sources), strict=True))
        count = len(op.body.inputs)
        self.targets: dict[Node, list[Access]] = {}
        for number, (node, strides) in enumerate(zip(op.body.outputs, results, strict=True)):
            access = Access(count + number, nest.strides(strides), node.dtype)
            self.targets.setdefault(node, []).append(access)
        self.axis_of = {axis: i for i, axes in enumerate(nest.axes) for axis in axes}
        reduced = {axis for axis in op.reduced if op.space[axis] != 1}
        self.reduced = frozenset(self.axis_of[axis] for axis in reduced)
        self.axes = tuple(
            Axis(_extent(op.space, axes), i in self.reduced) for i, axes in enumerate(nest.axes)
        )
        self.values: dict[Node, Value | Scalar] = {}
        self.level: dict[Node, int] = {}
        """For a value of each element, the sweep in which it can be computed first; for a value of
        a row, the sweep before which it is known."""
        self.kept: dict[Node, Kept | Access] = {}
        self.scratch: list[DType] = []
        self._name()

    def _moved(self, source: Source) -> Source:
        if isinstance(source, Access):
            return Access(source.parameter, self.nest.strides(source.strides), source.dtype)
        if isinstance(source, Ramp):
            strides = self.nest.strides(source.strides)
            return Ramp(source.start, source.step, source.offset, strides, source.dtype)
        return source

    # -- values --------------------------------------------------------------------------------

    def _axes(self, node: Node) -> frozenset[int]:
        assert isinstance(node.op, Reduce)
        return frozenset(self.axis_of[a] for a in node.op.axes if a in self.axis_of)

    def _is_row(self, node: Node) -> bool:
        """Whether there is one value for each row."""
        if not self.reduced:
            return False
        if isinstance(node.op, Reduce):
            return self._axes(node) == self.reduced
        if node in self.sources:
            strides = _strides_of(self.sources[node])
            return strides is not None and not any(strides[a] for a in self.reduced)
        return all(node.shape[axis] == 1 for axis in self.op.reduced)

    def _name(self) -> None:
        for number, (node, source) in enumerate(self.sources.items()):
            if isinstance(source, bool | int | float):
                self.values[node] = source
            else:
                self.values[node] = Value(f"x{number}", node.dtype, self._is_row(node))
            self.level[node] = 0
        for number, node in enumerate(self.body.computed):
            for x in node.inputs:
                if isinstance(x.op, Const):
                    self.values[x], self.level[x] = x.op.value, 0
            if isinstance(node.op, Reduce) and not self._axes(node) and not self._is_row(node):
                x = node.inputs[0]
                self.values[node], self.level[node] = self.values[x], self.level[x]
                continue
            row = self._is_row(node)
            self.values[node] = Value(f"{'r' if row else 't'}{number}", node.dtype, row)
            level = max((self.level[x] for x in node.inputs), default=0)
            self.level[node] = level + 1 if row and isinstance(node.op, Reduce) else level

    def _is_full(self, node: Node) -> bool:
        value = self.values[node]
        return isinstance(value, Value) and not value.is_row

    # -- sweeps --------------------------------------------------------------------------------

    def kernel(self) -> Kernel:
        """The whole."""
        last = max((self.level[x] for x in (*self.body.computed, *self.body.outputs)), default=0)
        wanted: list[dict[Node, None]] = [{} for _ in range(last + 1)]
        for node in (*self.body.computed, *self.body.outputs):
            if isinstance(node.op, Reduce) and self._axes(node):
                x = node.inputs[0]
                at = self.level[node] - 1 if self._is_row(node) else self.level[x]
                wanted[at][node] = None
            elif node in self.targets and self._is_full(node):
                wanted[self.level[node]][node] = None
        bodies = [self._body(s, wanted) for s in reversed(range(last + 1))][::-1]
        # A row value that nothing within a sweep reads is stored after the last one.
        keeps = [
            [
                Keep(self._value(x), k.scratch)
                for x, k in self.kept.items()
                if isinstance(k, Kept) and self.level[x] == s
            ]
            for s in range(last + 1)
        ]
        sweeps = [Sweep(tuple(self._row(s)), (*bodies[s], *keeps[s])) for s in range(last + 1)]
        return shared(Kernel(self.axes, tuple(sweeps), tuple(self.scratch)))

    def _value(self, node: Node) -> Value:
        value = self.values[node]
        assert isinstance(value, Value)
        return value

    def _body(self, sweep: int, wanted: list[dict[Node, None]]) -> tuple[Action, ...]:
        """What is done for each element in a sweep; what earlier ones must keep is noted."""
        needed: dict[Node, None] = {}
        stack = list(wanted[sweep])
        while stack:
            node = stack.pop()
            if node in needed:
                continue
            needed[node] = None
            if node in self.sources or isinstance(node.op, Const):
                continue
            if node not in wanted[sweep] and self.level[node] < sweep and self._keeps(node, wanted):
                continue
            stack += [x for x in node.inputs if self._is_full(x)]
        actions: list[Action] = []
        for node in (*self.sources, *self.body.computed):
            if node in needed:
                actions += self._actions(node, sweep, wanted[sweep])
        return tuple(actions)

    def _keeps(self, node: Node, wanted: list[dict[Node, None]]) -> bool:
        """Whether a later sweep takes the value from memory."""
        if node in self.kept:
            return True
        targets = [x for x in self.targets.get(node, ()) if x.dtype.itemsize > 2]
        if targets:
            self.kept[node] = targets[0]
        elif self._cone(node) > self.keep:
            self.kept[node] = Kept(len(self.scratch))
            self.scratch.append(node.dtype)
        else:
            return False
        wanted[self.level[node]][node] = None
        return True

    def _cone(self, node: Node) -> int:
        """What it costs to compute a value from operands and rows."""
        seen: dict[Node, None] = {}
        stack = [node]
        while stack:
            x = stack.pop()
            if x not in seen and self._is_full(x) and x not in self.kept:
                seen[x] = None
                stack += x.inputs
        return sum(1 if x in self.sources else cost(x) for x in seen)

    def _actions(self, node: Node, sweep: int, wanted: dict[Node, None]) -> Iterator[Action]:
        if node in self.kept and self.level[node] < sweep:
            yield Load(self._value(node), self.kept[node])
            return
        if isinstance(node.op, Reduce) and self._axes(node):
            row = self._is_row(node)
            targets = [None] if row else self.targets[node]
            for target in targets:
                operand = self.values[node.inputs[0]]
                axes = tuple(sorted(self._axes(node)))
                yield Reduction(self._value(node), node.op.name, operand, axes, target)
            return
        yield from self._computed(node)
        if node in wanted:
            for target in self.targets.get(node, ()):
                yield Store(self.values[node], target)

    def _computed(self, node: Node) -> Iterator[Action]:
        """The load or the step that makes a value, if it takes one."""
        value = self.values[node]
        if not isinstance(value, Value):
            return
        if node in self.sources:
            source = self.sources[node]
            assert isinstance(source, Access | Ramp)
            yield Load(value, source)
        elif not isinstance(node.op, Reduce):
            yield Step(value, node, tuple(self.values[x] for x in node.inputs))

    def _row(self, sweep: int) -> Iterator[Action]:
        """What is done for each row before a sweep."""
        for node in (*self.sources, *self.body.computed):
            value = self.values[node]
            if isinstance(value, Value) and not value.is_row:
                continue
            if self.level[node] != sweep or not self.reduced:
                continue
            if isinstance(value, Value):
                yield from self._computed(node)
            for target in self.targets.get(node, ()):
                yield Store(value, target)


def _extent(space: Shape, axes: Sequence[int]) -> int:
    extent = 1
    for axis in axes:
        extent *= space[axis]
    return extent
