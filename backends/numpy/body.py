"""The statements of a fused group: each member computed into an output or a scratch array."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.backends.numpy.spelling import reduction, scalar
from graphc.ir.dtype import DType, bool_
from graphc.ir.graph import Graph
from graphc.ir.node import Const, Input, Node
from graphc.ir.types import Shape
from graphc.ops.reduce import Reduce
from graphc.passes.fuse import Fused

COMBINE = {
    "sum": "np.add",
    "prod": "np.multiply",
    "max": "np.maximum",
    "min": "np.minimum",
    "any": "np.logical_or",
    "all": "np.logical_and",
}
"""How the partial results of a reduction over a tiled axis come together."""


def number(value: bool | int | float) -> str:
    """A number as the generated source writes it."""
    text = repr(value)
    return {"inf": "np.inf", "-inf": "-np.inf", "nan": "np.nan"}.get(text, text)


def spelling(node: Node) -> str:
    """The statements for an elementwise node."""
    if node.op.name == "where" and isinstance(node.inputs[2].op, Const):
        fill = f"{{out}}.fill({number(node.inputs[2].op.value)})"
        return f"{fill}\nnp.copyto({{out}}, {{1}}, where={{0}})"
    return scalar(node)


def constant_name(op: Const) -> str:
    """The name of a number that a small kernel reads: Python's own would be converted each time."""
    text = repr(op.value).replace("-", "minus_").replace("+", "").replace(".", "_")
    return f"{op.dtype.short}_{text}"


def is_single(node: Node) -> bool:
    """Whether numpy computes the node in one statement, so that it may overwrite an operand."""
    return not isinstance(node.op, Reduce) and "\n" not in spelling(node)


@dataclass
class Scratch:
    """A temporary array of a body: its shape over the space and its type."""

    name: str
    shape: Shape
    dtype: DType


@dataclass
class Body:
    """A group's statements, over names."""

    lines: list[str] = field(default_factory=list)
    scratch: list[Scratch] = field(default_factory=list)
    constants: dict[str, Const] = field(default_factory=dict)
    """The numbers it reads by name."""
    partial: list[tuple[str, str]] = field(default_factory=list)
    """Outputs that each tile only adds to: the name, and the function that combines."""


def lent(body: Graph, aliased: frozenset[int]) -> dict[Node, Node]:
    """The members that are computed in the array of an output, before it, with that output.

    A member that dies in the one statement that makes the output needs no array of its own. The
    outputs numbered in ``aliased`` lie over an operand and must not be written early.
    """
    position, last = body.positions, body.last_reads
    taken = set(body.outputs)
    found: dict[Node, Node] = {}
    for number, output in enumerate(body.outputs):
        node = output
        if number in aliased:
            continue
        while node in position and is_single(node):
            dying = [
                x
                for x in node.inputs
                if x in position
                and x not in taken
                and last[x] == position[node]
                and x.type == output.type
                and not isinstance(x.op, Reduce)
            ]
            if not dying:
                break
            node = dying[0]
            taken.add(node)
            found[node] = output
    return found


def may_overwrite(op: Fused, output: int, parameter: int) -> bool:
    """Whether an output may be written into the memory of a parameter of its own shape.

    So it is if the parameter is read no later than in the one statement that writes the output.
    """
    body = op.body
    target, source = body.outputs[output], body.inputs[parameter]
    if target.type != source.type or isinstance(target.op, Reduce | Input):
        return False
    position = body.positions[target]
    last = body.last_reads.get(source, -1)
    return last < position or (last == position and is_single(target))


class Writer:
    """Turns a body into statements, reusing scratch arrays as values die."""

    def __init__(
        self,
        op: Fused,
        inputs: dict[Node, str],
        outputs: dict[Node, str],
        tiled: int | None,
        aliased: frozenset[int],
    ) -> None:
        self.op = op
        self.names = dict(inputs)
        self.outputs = outputs
        self.tiled = tiled
        """The axis of the space that is cut into tiles, if any."""
        self.body = Body()
        self.free: dict[tuple[Shape, DType], list[str]] = {}
        self.held: dict[Node, tuple[str, tuple[Shape, DType]]] = {}
        self.lent = lent(op.body, aliased)

    def write(self) -> Body:
        """The statements for the whole body."""
        graph = self.op.body
        last = graph.last_reads
        for position, node in enumerate(graph.computed):
            dying = [
                x for x in dict.fromkeys(node.inputs) if x in self.held and last[x] == position
            ]
            if isinstance(node.op, Reduce):
                self._reduce(node)
            else:
                self._elementwise(node, dying)
            for x in dying:
                if x in self.held:
                    name, key = self.held.pop(x)
                    self.free.setdefault(key, []).append(name)
            if node not in last and node not in self.outputs:
                raise AssertionError(f"{node} is computed for nothing")
        return self.body

    def _operand(self, x: Node) -> str:
        return self._number(x.op) if isinstance(x.op, Const) else self.names[x]

    def _number(self, op: Const) -> str:
        if self.tiled is not None:
            return number(op.value)
        name = constant_name(op)
        self.body.constants[name] = op
        return name

    def _take(self, shape: Shape, dtype: DType) -> str:
        free = self.free.get((shape, dtype))
        if free:
            return free.pop()
        name = f"s{len(self.body.scratch)}"
        self.body.scratch.append(Scratch(name, shape, dtype))
        return name

    def _target(self, node: Node, dying: list[Node]) -> str:
        """The array for a node's value: the output's own, a dying operand's, or scratch."""
        if node in self.outputs:
            self.names[node] = self.outputs[node]
            return self.names[node]
        if node in self.lent:
            self.names[node] = self.outputs[self.lent[node]]
            return self.names[node]
        key = (node.shape, node.dtype)
        if is_single(node) and not self._is_slow_in_place(node):
            for x in dying:
                if self.held[x][1] == key:
                    name = self.held.pop(x)[0]
                    self.held[node] = (name, key)
                    self.names[node] = name
                    return name
        name = self._take(*key)
        self.held[node] = (name, key)
        self.names[node] = name
        return name

    def _is_slow_in_place(self, node: Node) -> bool:
        """numpy takes twice as long over a single element that it reads and writes."""
        return self.tiled is None and node.type.size == 1

    def _elementwise(self, node: Node, dying: list[Node]) -> None:
        text = spelling(node)
        operands = [
            self._operand(x) if f"{{{slot}}}" in text else "" for slot, x in enumerate(node.inputs)
        ]
        marks = {"out": self._target(node, dying)}
        for mark, value in (("zero", 0), ("one", 1)):
            if f"{{{mark}}}" in text:
                number_ = float(value) if node.dtype.is_floating_point else value
                marks[mark] = self._number(Const(number_, node.dtype))
        extra: list[tuple[tuple[Shape, DType], str]] = []
        for mark, dtype in (("t0", node.dtype), ("t1", node.dtype), ("m0", bool_)):
            if f"{{{mark}}}" in text:
                marks[mark] = self._take(node.shape, dtype)
                extra.append(((node.shape, dtype), marks[mark]))
        self.body.lines += text.format(*operands, **marks).split("\n")
        for key, name in extra:
            self.free.setdefault(key, []).append(name)

    def _reduce(self, node: Node) -> None:
        assert isinstance(node.op, Reduce)
        (x,) = node.inputs
        axes = node.op.axes
        source = self._operand(x)
        if self.tiled is not None and self.tiled in axes:
            name = self._take(node.shape, node.dtype)
            self.body.lines += _reduction(node, source, axes, name)
            target = self.outputs[node]
            combine = COMBINE[node.op.name]
            self.body.lines.append(f"{combine}({target}, {name}, out={target})")
            self.body.partial.append((target, combine))
            self.free.setdefault((node.shape, node.dtype), []).append(name)
            return
        self.body.lines += _reduction(node, source, axes, self._target(node, []))


def _reduction(node: Node, source: str, axes: tuple[int, ...], out: str) -> list[str]:
    if not axes:
        return [f"np.copyto({out}, {source})"]
    text = "None" if len(axes) == node.rank else str(axes[0]) if len(axes) == 1 else str(axes)
    return reduction(node).format(source, axes=text, out=out).split("\n")
