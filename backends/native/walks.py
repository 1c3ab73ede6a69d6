"""Loops over the positions that arrays of integers give, with what is found at each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.backends.c_language.statements import INDICES, Lines
from graphc.backends.native.copying import Axis, Cut, Pointer, bounds, merged
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand, spread


@dataclass(frozen=True)
class Index:
    """An array of positions along one dimension of the array that is read or written."""

    pointer: str
    size: int
    """How many positions there are."""
    stride: int
    """Elements from one position to the next."""
    wrap: bool = False
    """Whether negative ones count from the end."""


@dataclass(frozen=True)
class Walk:
    """A loop nest over all positions."""

    axes: tuple[Axis, ...]
    """Steps of the result, of the other array, and of each index."""
    indices: tuple[Index, ...]
    is_written: bool
    """Whether the result is what is indexed, rather than the other array."""

    def text(
        self,
        name: str,
        summary: str,
        parameters: Sequence[str],
        opening: Sequence[str],
        lines: Lines,
        *,
        part: Cut | None = None,
        passes: Sequence[str] = (),
    ) -> str:
        """The function that does ``lines`` at each position that meets none of ``passes``."""
        depth = len(self.axes)
        loops = []
        for i in range(depth):
            low, high = bounds(self.axes, i, part)
            loops.append(f"for (long {INDICES[i]} = {low}; {INDICES[i]} < {high}; {INDICES[i]}++)")
        return render(
            "indexed.c.j2",
            name=name,
            summary=summary,
            parameters=[*parameters, "long check"],
            opening=opening,
            loops=loops,
            leave="continue" if loops else "return",
            lookups=[self._lookup(i, passes) for i in range(len(self.indices))],
            lines=lines.text,
        )

    def _lookup(self, number: int, passes: Sequence[str]) -> dict[str, object]:
        index = self.indices[number]
        name, at = f"index{number}", f"at{number}"
        place = f"{name} < 0 ? {name} + {index.size} : {name}"
        last = number == len(self.indices) - 1
        return {
            "name": name if index.wrap else at,
            "value": self._moved(Pointer(index.pointer), 2 + number).element,
            "place": place if index.wrap else "",
            "at": at,
            "size": index.size,
            "check": f" + {number}" if number else "",
            "passes": passes if last else [],
        }

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each index, how many positions there are."""
        return tuple(index.size for index in self.indices)

    def _moved(self, pointer: Pointer, slot: int) -> Pointer:
        for axis, index in zip(self.axes, INDICES, strict=False):
            pointer = pointer.moved(axis.steps[slot], index)
        return pointer

    def found(self, target: str, source: str) -> tuple[Pointer, Pointer]:
        """The places of the result and of the other array at a position."""
        places = [self._moved(Pointer(name), slot) for slot, name in enumerate((target, source))]
        for number, index in enumerate(self.indices):
            slot = 0 if self.is_written else 1
            places[slot] = places[slot].moved(index.stride, f"at{number}")
        return places[0], places[1]


def along(dim: int, indexed: Operand, index: Operand, other: Operand, *, written: bool) -> Walk:
    """The positions of an index along one dimension of ``indexed``, in C order."""
    fixed = tuple(0 if d == dim else s for d, s in enumerate(indexed.strides))
    first, second = (fixed, other.strides) if written else (other.strides, fixed)
    places = Index("index", indexed.shape[dim], indexed.strides[dim])
    axes = nest(index.shape, first, second, index.strides)
    return Walk(axes, (places,), written)


def at_positions(
    indexed: Operand,
    indices: Sequence[Operand],
    other: Operand,
    shape: Shape,
    *,
    wrap: bool,
    written: bool,
) -> Walk:
    """The positions of ``shape`` that indices give along the first dimensions, in C order."""
    rank = len(shape)
    none = (0,) * rank
    own = other.strides[:rank]
    found = [
        Index(pointer_of(i), indexed.shape[i], indexed.strides[i], wrap)
        for i in range(len(indices))
    ]
    first, second = (none, own) if written else (own, none)
    axes = nest(shape, first, second, *(spread(x, rank).strides for x in indices))
    return Walk(axes, tuple(found), written)


def pointer_of(number: int) -> str:
    """The name of an index."""
    return f"places{number}"


def nest(shape: Shape, *strides: Shape) -> tuple[Axis, ...]:
    """The axes in C order, merged where they can be."""
    steps = zip(*strides, strict=True)
    axes = [Axis(n, each) for n, each in zip(shape, steps, strict=True) if n != 1]
    return tuple(merged(axes))


def each(
    lines: Lines,
    axes: Sequence[Axis],
    depth: int,
    target: Pointer,
    source: Pointer,
    statement: Callable[[str, str], str],
    part: Cut | None = None,
) -> None:
    """Loops that do something with each element of two arrays."""
    for i, axis in enumerate(axes):
        index = INDICES[depth + i]
        low, high = bounds(axes, i, part)
        header = f"for (long {index} = {low}; {index} < {high}; {index}++)"
        target = target.moved(axis.steps[0], index)
        source = source.moved(axis.steps[1], index)
        if i == len(axes) - 1:
            lines.add(f"{header} {statement(target.element, source.element)}")
        else:
            lines.open(header)
    if not axes:
        lines.add(statement(target.element, source.element))
    lines.close(max(0, len(axes) - 1))
