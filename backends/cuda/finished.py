"""What becomes of a product's sums: the group that alone reads it, or that they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.types import is_low
from graphc.backends.cuda.actions import Writer, accesses
from graphc.backends.cuda.made import Setting
from graphc.backends.cuda.sides import Product
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_input
from graphc.lowering.epilogues import Finished
from graphc.lowering.finishing import Finish
from graphc.lowering.kernel import Ramp
from graphc.ops.convolution import Window
from graphc.ops.matmul import MatMul
from graphc.passes.fuse import Fused


def can_finish(node: Node) -> bool:
    """Whether the node's kernel can take its result through a group before it is stored."""
    return isinstance(node.op, MatMul | Window) and node.dtype.is_floating_point


def as_finished(node: Node) -> Node:
    """The node as one that finishes its result: a plain product does nothing to it."""
    if isinstance(node.op, Finished):
        return node
    assert not isinstance(node.type, tuple)
    x = make_input("x", node.type, device="")
    group = Fused(Graph((x,), (x,), name="copy"), node.shape, ())
    op = Finished(node.op, len(node.inputs), node.type, group, 0)
    return Node(
        op, node.inputs, node.type, requires_grad=False, device=node.device, origin=node.origin
    )


class Finishing(Finish):
    """The same as statements for a run of columns."""

    def __init__(self, setting: Setting, ramps: Sequence[Ramp | None], product: Product) -> None:
        self.setting, self.made = setting, product
        node = as_finished(setting.node)
        super().__init__(node, setting.operands, ramps, setting.results, lambda *_: product.roles)
        op = self.op
        slots = range(len(op.group.body.inputs))
        operands = [op.arity + slot - (slot > op.slot) for slot in slots]
        self.names = [f"a{x}" for x in operands]
        self.names += [f"out{x}" for x in range(len(self.results))]
        aligned = [0] * len(self.results)
        given = [0 if s == op.slot else setting.offsets[x] for s, x in enumerate(operands)]
        self.offsets = [*given, *aligned]
        self.helpers: set[str] = set()

    @property
    def says(self) -> str:
        """What is done to the product, in a comment."""
        names = dict.fromkeys(x.op.name for x in self.op.group.body.computed)
        return f", then {', '.join(names)}" if names else ""

    def width(self, run: int) -> int:
        """How many neighbours of a run can be written at once."""
        columns = [x for x in self.nest.axes if x[0] in self.roles.columns]
        if not columns:
            return 1
        extent = self.kernel.axes[-1].extent
        near = [
            x
            for x in accesses(self.kernel)
            if x.parameter != self.op.slot and x.strides and x.strides[-1] == 1
        ]
        while run > 1:
            writer = Writer(self.kernel, (), self.offsets, run)
            small = all(x.dtype.itemsize * run <= 16 for x in near)
            # Columns of a group follow those of the one before.
            even = extent % run == 0 and (self.made.column == "j" or self.made.n % run == 0)
            if even and small and near and all(map(writer.is_packed, near)):
                return run
            run //= 2
        return 1

    def lines(self, run: int, columns: int, index: str) -> list[str]:
        """What is done with a run of columns from j on in row i, whose sums are ``value``."""
        width = self.width(run)
        writer = Writer(self.kernel, self.names, self.offsets, width)
        at = "u + v" if width > 1 else "u"
        if width == run:
            at = "v" if width > 1 else "0"
        writer.given[self.op.slot] = self._value(f"value[{at}]")
        writer.lines.depth = 0
        begin = self.made.column
        if width != run:
            writer.lines.add("#pragma unroll")
            # Runs begin at multiples of their length: of few columns there is one.
            count = min(run, columns)
            writer.lines.open(f"for (int u = 0; u < {count}; u += {width})")
            begin = f"({begin} + u)"
            if columns % count:
                writer.lines.add(f"if (j + u >= {columns}) break;")
        flat = {"batch": "batch", "i": self.made.row, "j": begin}
        writer.names, decomposed = self._indices(index, flat)
        writer.lines.add(*decomposed)
        writer.elements(self.kernel.sweeps[0].body)
        if width != run:
            writer.lines.close()
        self.helpers |= writer.helpers
        return writer.lines.text

    def _value(self, text: str) -> str:
        """A sum as the group reads it: rounded, unless it is only stored."""
        dtype = self.op.type.dtype
        if not is_low(dtype) or not self.op.group.body.computed:
            return text
        self.helpers.add(f"round_{dtype.name}")
        return f"round_{dtype.name}({text})"

    def _indices(self, index: str, flat: dict[str, str]) -> tuple[list[str], list[str]]:
        """The names of the loops' indices, and how they follow from those of the product."""
        names: list[str] = []
        lines: list[str] = []
        members = {"batch": self.roles.batch, "i": self.roles.rows, "j": self.roles.columns}
        for letter, axes in members.items():
            mine = [x for x in self.nest.axes if x[0] in axes]
            extents = [prod(self.op.group.space[a] for a in x) for x in mine]
            for number, _ in enumerate(mine):
                if len(mine) == 1:
                    names.append(flat[letter])
                    continue
                below = prod(extents[number + 1 :])
                text = flat[letter] if below == 1 else f"{flat[letter]} / {below}"
                if number:
                    text = f"{text} % {extents[number]}"
                names.append(f"{letter}{number}")
                lines.append(f"const {index} {letter}{number} = {text};")
        return names, lines
