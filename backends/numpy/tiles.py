"""How a fused group is cut into tiles that stay in the cache, and shared out to threads."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphc.backends.numpy.values import Layout, contiguous
from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Node, make_input
from graphc.ir.types import Shape, TensorType
from graphc.ops.reduce import Reduce
from graphc.passes.fuse import Fused

TILE_BYTES = 4 * 1024 * 1024
"""What the arrays of one tile may take together.

A tile that fits the L2 cache would be smaller; but between two statements the interpreter's lock
may go to another thread, which costs as much as the work on some 10 000 elements. Of 8 K to 256 K
elements to a tile, 64 K to 128 K ran fastest on two threads.
"""
THREADED = 4 * 1024 * 1024
"""Elements times statements from which a kernel is worth sharing out to threads."""


@dataclass(frozen=True)
class Tiling:
    """The axis that is cut, and how many of its elements make a tile."""

    axis: int
    step: int
    parts: int


def tiling(op: Fused, threads: int) -> Tiling | None:
    """The tiles of a group, or None where it runs whole."""
    size = prod(op.space)
    axes = [a for a, n in enumerate(op.space) if n > 1 and a not in op.reduced]
    if not axes or not size:
        return None
    nodes = [x for x in op.body.nodes if not isinstance(x.op, Const)]
    width = max(x.dtype.itemsize for x in nodes)
    arrays = min(8, len(nodes))
    budget = max(1, TILE_BYTES // (width * arrays))
    if size <= budget and size * statements(op) < THREADED:
        return None
    axis = next((a for a in axes if size // op.space[a] <= budget), None)
    if axis is None:
        axis = max(axes, key=lambda a: op.space[a])
    rows = max(1, budget // (size // op.space[axis]))
    parts = threads if size * statements(op) >= THREADED else 1
    parts = min(parts, op.space[axis])
    return Tiling(axis, min(rows, op.space[axis]), parts)


def statements(op: Fused) -> int:
    """How many members a group computes."""
    return sum(not isinstance(x.op, Input | Const) for x in op.body.nodes)


def runs(op: Fused, operands: list[Layout]) -> list[list[int]]:
    """The axes of the space in runs that every array crosses as if they were one."""
    shapes = [x.shape for x in (*op.body.inputs, *op.body.outputs)]
    strides = [x.strides for x in operands]
    strides += [contiguous(x.shape) for x in op.body.outputs]
    reductions = [x.op.axes for x in op.body.nodes if isinstance(x.op, Reduce)]
    found: list[list[int]] = []
    for axis in range(len(op.space)):
        if (
            found
            and all(
                _crosses(shape, stride, found[-1][-1], axis)
                for shape, stride in zip(shapes, strides, strict=True)
            )
            and all((found[-1][-1] in axes) == (axis in axes) for axes in (op.reduced, *reductions))
        ):
            found[-1].append(axis)
        else:
            found.append([axis])
    return found


def _crosses(shape: Shape, strides: Shape | None, before: int, axis: int) -> bool:
    """Whether an array steps over two neighbouring axes as over one."""
    if shape[before] == shape[axis] == 1:
        return True
    if strides is None or (shape[before] == 1) != (shape[axis] == 1):
        return False
    return strides[before] == strides[axis] * shape[axis]


def collapsed(op: Fused, groups: list[list[int]]) -> Fused:
    """The same group over a space whose runs of axes are one axis each."""
    if len(groups) == len(op.space):
        return op

    def shape(old: Shape) -> Shape:
        # What is computed from numbers alone has no dimensions.
        return tuple(prod(old[axis] for axis in run) for run in groups) if old else ()

    place = {axis: i for i, run in enumerate(groups) for axis in run}
    new: dict[Node, Node] = {}
    for x in op.body.inputs:
        assert isinstance(x.op, Input)
        new[x] = make_input(x.op.label, TensorType(shape(x.shape), x.dtype), device="")
    for x in op.body.nodes:
        if isinstance(x.op, Input):
            continue
        if isinstance(x.op, Const):
            new[x] = x
            continue
        inner = x.op
        if isinstance(inner, Reduce):
            inner = type(inner)(tuple(sorted({place[axis] for axis in inner.axes})))
        operands = tuple(new[y] for y in x.inputs)
        type_ = TensorType(shape(x.shape), x.dtype)
        new[x] = Node(inner, operands, type_, requires_grad=False, origin=x.origin)
    body = Graph(
        tuple(new[x] for x in op.body.inputs), tuple(new[x] for x in op.body.outputs), name="fused"
    )
    return Fused(body, shape(op.space), tuple(sorted({place[axis] for axis in op.reduced})))
