"""C statements that are built line by line, affine indices, and reductions step by step.

``wraps``: whether the compiler lets signed integers wrap around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphc.backends.c_language.types import computed, number, wrapping
from graphc.ir.dtype import DType
from graphc.ir.node import Node
from graphc.lowering.kernel import Ramp
from graphc.passes.fuse import Fused

INDICES = "ijklmnopqrstuvwxyz"
"""Names of loop variables, outermost first."""
START = {"sum": "0", "prod": "1", "any": "0", "all": "1"}
CLAUSE = {"sum": "+", "prod": "*", "max": "max", "min": "min", "any": "|", "all": "&"}


def group_summary(node: Node) -> str:
    """What a fused group computes, and of how much, for a comment."""
    op = node.op
    assert isinstance(op, Fused)
    names = dict.fromkeys(x.op.name for x in op.body.computed)
    shape = " x ".join(map(str, op.space)) or "one element"
    return f"{', '.join(names) or 'copy'} over {shape}"


def terms(
    strides: Sequence[int], names: Sequence[str], apart: Mapping[int, str] | None = None
) -> str:
    """The index that is affine in the named loop variables.

    ``apart`` has the names of strides that are written so, along the last variable.
    """
    parts = []
    for place, (stride, name) in enumerate(zip(strides, names, strict=True), start=1):
        if stride:
            last = place == len(strides)
            factor = apart.get(stride, str(stride)) if apart and last else str(stride)
            parts.append(name if stride == 1 else f"{factor} * {name}")
    return " + ".join(parts).replace("+ -", "- ") or "0"


def ramp(source: Ramp, names: Sequence[str], *, wraps: bool) -> str:
    """The expression for an element of a range."""
    unsigned = "" if wraps or source.step == 1 else wrapping(source.dtype)
    to = unsigned or f"({computed(source.dtype)})"
    index = terms(source.strides, names)
    if source.offset:
        index = f"{source.offset} + {index}"
    index = f"{to}({index})"
    if source.step != 1:
        index = f"{number(source.dtype, source.step)} * {index}"
    return f"{number(source.dtype, source.start)} + {index}" if source.start else index


def start_of(op: str, dtype: DType) -> str:
    """What a reduction begins with."""
    if op in START:
        return START[op]
    kind = computed(dtype)
    if kind in ("float", "double"):
        sign = "-" if op == "max" else ""
        return f"{sign}__builtin_inf{'f' if kind == 'float' else ''}()"
    if dtype.name == "bool":
        return "0" if op == "max" else "1"
    lowest = {"uint8": "0"}.get(dtype.name, f"INT{8 * dtype.itemsize}_MIN")
    highest = {"uint8": "UINT8_MAX"}.get(dtype.name, f"INT{8 * dtype.itemsize}_MAX")
    return lowest if op == "max" else highest


def combined(op: str, dtype: DType, total: str, value: str, *, wraps: bool) -> str:
    """The statement that takes a value into a total; an extreme is nan once a value is."""
    unsigned = "" if wraps else wrapping(dtype)
    if op == "sum":
        return f"{total} = {total} + {unsigned}{value};"
    if op == "prod":
        return f"{total} = {total} * {unsigned}{value};"
    if op in ("any", "all"):
        return f"{total} = {total} {CLAUSE[op]} ({value} != 0);"
    sign = ">" if op == "max" else "<"
    if dtype.is_floating_point:
        # A nan compares with nothing: it must come in, and stay.
        return f"{total} = (({value} {sign} {total}) | ({value} != {value})) ? {value} : {total};"
    return f"{total} = {value} {sign} {total} ? {value} : {total};"


@dataclass
class Lines:
    """Statements with their indentation."""

    text: list[str] = field(default_factory=list)
    depth: int = 1

    def add(self, *lines: str) -> None:
        """Append statements."""
        self.text += ["    " * self.depth + line if line else "" for line in lines]

    def open(self, line: str) -> None:
        """Begin a block."""
        self.add(line + " {")
        self.depth += 1

    def close(self, count: int = 1) -> None:
        """End blocks."""
        for _ in range(count):
            self.depth -= 1
            self.add("}")
