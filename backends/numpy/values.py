"""Where each value of a program lives and how numpy looks at it: results, and views of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Item, Node
from graphc.ir.types import Shape
from graphc.lowering.views import Result
from graphc.ops.movement import Expand, Flip, Permute, Reshape, Slice


@dataclass(frozen=True)
class Layout:
    """How a node's value lies in the memory of the result that owns it."""

    owner: Result
    strides: Shape | None
    """In elements; None where they are known only when the program runs."""
    steps: tuple[str, ...] = ()
    """The numpy expressions that lead from the owner to the value, each applied to the last."""

    @property
    def is_whole(self) -> bool:
        """Whether the value is the owner itself, at most reshaped."""
        return all(step.startswith(".reshape") for step in self.steps)


def contiguous(shape: Shape) -> Shape:
    """The strides of a C-contiguous array, in elements."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def dummy(shape: Shape, strides: Shape) -> np.ndarray[Any, Any]:
    """An array of this shape and layout over no memory of that size; never read."""
    return np.lib.stride_tricks.as_strided(np.empty(1, np.int8), shape, strides)


def strides_of(view: np.ndarray[Any, Any]) -> Shape:
    return tuple(view.strides)


def reshaped(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """The strides after a reshape, or None where it would have to copy."""
    if 0 in shape:
        return contiguous(new)
    view = dummy(shape, strides)
    try:
        view.shape = new
    except AttributeError:
        return None
    return strides_of(view)


def literal(shape: tuple[object, ...]) -> str:
    """A tuple as Python writes it."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def call(shape: tuple[object, ...]) -> str:
    """A tuple as the arguments of a call; the empty one needs parentheses of its own."""
    return literal(shape) if shape else "(())"


def cut(starts: Shape, stops: Shape, steps: Shape) -> str:
    """Slices as Python writes them between brackets."""
    return ", ".join(
        f"{a}:{b}" if step == 1 else f"{a}:{b}:{step}"
        for a, b, step in zip(starts, stops, steps, strict=True)
    )


def looked_at(node: Node) -> str:
    """What a view op is in numpy: text that ``viewed`` appends to its operand."""
    op = node.op
    if isinstance(op, Expand):
        return f"expand{literal(op.shape)}"
    if isinstance(op, Reshape):
        return f".reshape{call(op.shape)}"
    if isinstance(op, Permute):
        if op.dims == tuple(reversed(range(len(op.dims)))):
            return ".T"
        return f".transpose{call(op.dims)}"
    if isinstance(op, Slice):
        return f"[{cut(op.starts, op.stops, op.steps)}]"
    if isinstance(op, Flip):
        parts = ["::-1" if axis in op.dims else ":" for axis in range(node.rank)]
        return f"[{', '.join(parts)}]" if op.dims else ""
    raise AssertionError(f"{op} is no view")


def _strides_after(node: Node, shape: Shape, strides: Shape) -> Shape | None:
    op = node.op
    if isinstance(op, Reshape):
        return reshaped(shape, strides, op.shape)
    view = dummy(shape, strides)
    if isinstance(op, Permute):
        return strides_of(view.transpose(op.dims))
    if isinstance(op, Slice):
        return strides_of(view[tuple(map(slice, op.starts, op.stops, op.steps))])
    if isinstance(op, Expand):
        return strides_of(np.broadcast_to(view, op.shape))
    assert isinstance(op, Flip)
    parts = [slice(None, None, -1 if axis in op.dims else 1) for axis in range(node.rank)]
    return strides_of(view[tuple(parts)])


def layouts(graph: Graph) -> dict[Node, Layout]:
    """The layout of every node's value that is not a number.

    A node that is no view, or a reshape that must copy, owns its memory: it is a kernel.
    """
    found: dict[Node, Layout] = {}
    for node in graph.nodes:
        if isinstance(node.op, Const):
            continue
        if isinstance(node.op, Item):
            source = node.inputs[0]
            found[node] = Layout((source, node.op.index), contiguous(node.shape))
            continue
        view = _view(node, found)
        if view is None:
            known = not isinstance(node.op, Input) or node.op.contiguous
            strides = contiguous(node.types[0].shape) if known else None
            view = Layout((node, 0), strides)
        found[node] = view
    return found


def _view(node: Node, found: dict[Node, Layout]) -> Layout | None:
    if not isinstance(node.op, Reshape | Permute | Slice | Flip | Expand):
        return None
    source = found.get(node.inputs[0])
    if source is None:  # a number
        return None
    text = looked_at(node)
    strides = None
    if source.strides is not None:
        strides = _strides_after(node, node.inputs[0].shape, source.strides)
        if strides is None:
            return None
    return Layout(source.owner, strides, (*source.steps, text) if text else source.steps)


def shortened(steps: tuple[str, ...], shape: Shape) -> tuple[str, ...]:
    """The steps from an array of this shape without reshapes that others undo."""
    reshapes = 0
    while reshapes < len(steps) and steps[reshapes].startswith(".reshape"):
        reshapes += 1
    last = steps[max(0, reshapes - 1) : reshapes]
    return (() if last == (f".reshape{call(shape)}",) else last) + steps[reshapes:]


def viewed(name: str, steps: tuple[str, ...]) -> str:
    """The expression for a view of the array ``name``."""
    text = name
    for step in steps:
        if step.startswith("expand"):
            text = f"np.broadcast_to({text}, {step.removeprefix('expand')})"
        else:
            text += step
    return text
