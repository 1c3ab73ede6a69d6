"""How kernels find their operands, and the loops of a fused node over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphc.ir.dtype import DType
from graphc.ir.node import Const, Node
from graphc.ir.types import Shape
from graphc.lowering.kernel import Access, Kernel, Load, Ramp, Source, Store
from graphc.lowering.nests import KEEP, lowered
from graphc.lowering.views import View
from graphc.ops.creation import Arange
from graphc.passes.fuse import Fused


@dataclass(frozen=True)
class Operand:
    """How a kernel finds an operand or a result, of which it is given the first element."""

    shape: Shape
    strides: Shape
    """In elements; zero where it is broadcast, negative where it is flipped."""
    dtype: DType

    @property
    def is_contiguous(self) -> bool:
        """Whether the elements lie one after the other in C order."""
        step = 1
        for extent, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if extent != 1 and stride != step:
                return False
            step *= extent
        return True


def lowered_node(
    node: Node,
    operands: Sequence[Operand],
    ramps: Sequence[Ramp | None],
    results: Sequence[Operand],
    keep: int = KEEP,
) -> Kernel:
    """The loops of a fused node, which keep values that cost more than ``keep``."""
    op = node.op
    assert isinstance(op, Fused)
    sources: list[Source] = []
    for slot, (x, operand, ramp) in enumerate(zip(node.inputs, operands, ramps, strict=True)):
        fixed = number_of(x)
        access = Access(slot, single(operand), operand.dtype)
        sources.append(fixed.value if fixed is not None else ramp or access)
    return lowered(op, sources, [single(x) for x in results], keep=keep)


def single(operand: Operand) -> tuple[int, ...]:
    """The strides, zero along axes of extent one."""
    return tuple(0 if n == 1 else s for n, s in zip(operand.shape, operand.strides, strict=True))


def spread(operand: Operand, rank: int) -> Operand:
    """The operand with more dimensions, repeated along those of extent one."""
    lead = rank - len(operand.shape)
    strides = (0,) * lead + single(operand)
    return Operand((1,) * lead + operand.shape, strides, operand.dtype)


def ramp_of(node: Node, view: View) -> Ramp | None:
    """The range that a node's value is a view of, if it is one."""
    op = view.owner[0].op
    if not isinstance(op, Arange):
        return None
    strides = tuple(0 if n == 1 else s for n, s in zip(node.shape, view.strides, strict=True))
    return Ramp(op.start, op.step, view.offset, strides, op.dtype)


def number_of(node: Node) -> Const | None:
    """The number that a value consists of, however broadcast; None if it is no number."""
    while node.op.name in ("expand", "reshape", "permute", "slice", "flip"):
        node = node.inputs[0]
    return node.op if isinstance(node.op, Const) else None


def overwrites(kernel: Kernel, result: int, operand: int) -> bool:
    """Whether a result may lie over an operand: each element is read last before it is written.

    Within a sweep every load of an element comes before every store.
    """
    last_read, written = -1, -1
    reads: set[tuple[int, ...]] = set()
    target: tuple[int, ...] = ()
    for number, sweep in enumerate(kernel.sweeps):
        for x in (*sweep.row, *sweep.body):
            if isinstance(x, Load) and isinstance(x.source, Access):
                if x.source.parameter == operand:
                    last_read = number
                    reads.add(x.source.strides)
            elif isinstance(x, Store) and x.target.parameter == result and written < 0:
                written, target = number, x.target.strides
    return written >= last_read and written >= 0 and reads <= {target}
