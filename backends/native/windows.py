"""Windows along spatial axes, and the C that finds their place and what of them lies inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from graphc.backends.c_language.types import is_low
from graphc.backends.native.made import Made, Setting, tasks
from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand
from graphc.ops.pooling import Pool

NAMES = "dhw"
NOTHING = Made("", ())
"""The kernel of results without elements."""


@dataclass(frozen=True)
class Axis:
    """The windows along one spatial axis."""

    name: str
    size: int
    count: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def reach(self) -> int:
        """From a window's first tap to its last."""
        return self.dilation * (self.kernel - 1)

    @property
    def whole(self) -> tuple[int, int]:
        """The first window that lies inside the input, and the one after the last."""
        low = -(-self.padding // self.stride)
        high = min(self.count, (self.size + self.padding - 1 - self.reach) // self.stride + 1)
        return (low, high) if low < high else (0, 0)

    @property
    def is_whole(self) -> bool:
        """Whether all windows lie inside."""
        return self.whole == (0, self.count)

    @property
    def begin(self) -> str:
        """Where the window begins whose number has the axis's name."""
        return spelled((self.stride, self.name)) + (f" - {self.padding}" if self.padding else "")

    def bounds(self) -> list[str]:
        """Declarations of where the window begins, and between which taps it is inside."""
        name, step = self.name, self.dilation
        begin = f"{name}_begin"
        first = f"-{begin}" if step == 1 else f"({step - 1} - {begin}) / {step}"
        rest = f"{self.size} - {begin}"
        after = rest if step == 1 else f"({self.size + step - 1} - {begin}) / {step}"
        inside = f"{begin} < {self.size - self.reach} ? {self.kernel} : {after}"
        return [
            f"const long {begin} = {self.begin};",
            f"const long {name}0 = {begin} < 0 ? {first} : 0, {name}1 = {inside};",
        ]

    def taps(self) -> tuple[str, str]:
        """The first tap inside and the one after the last, by ``bounds`` if they vary."""
        return ("0", str(self.kernel)) if self.is_whole else (f"{self.name}0", f"{self.name}1")

    def counts(self, padding: bool, begin: str) -> str:
        """How many elements an average counts of the window that begins at ``begin``."""
        step, limit = self.dilation, self.size + self.padding * padding
        reached = (self.count - 1) * self.stride - self.padding + self.reach
        if reached < limit and (padding or not self.padding):
            return str(self.kernel)
        over = f"{limit} - {begin}" if step == 1 else f"({limit + step - 1} - {begin}) / {step}"
        count = f"{begin} < {limit - self.reach} ? {self.kernel} : {over}"
        if padding or not self.padding:
            return f"({count})"
        before = f"-{begin}" if step == 1 else f"({step - 1} - {begin}) / {step}"
        return f"(({count}) - ({begin} < 0 ? {before} : 0))"

    def covering(self) -> list[str]:
        """Declarations of between which windows those are that may cover the element."""
        name, place = self.name, self.name
        shifted = f"{place} + {self.padding}" if self.padding else place
        low = f"({shifted} - {self.reach} + {self.stride - 1}) / {self.stride}"
        if self.stride == 1:
            low = f"{shifted} - {self.reach}"
        high = f"({shifted}) / {self.stride} + 1" if self.stride > 1 else f"{shifted} + 1"
        return [
            f"const long {name}0 = {shifted} > {self.reach} ? {low} : 0;",
            f"const long {name}1 = {high} < {self.count} ? {high} : {self.count};",
        ]

    @property
    def are_apart(self) -> bool:
        """Whether no two windows share an element."""
        return self.stride > self.reach


def axes_of(op: Pool, sizes: Shape, counts: Shape) -> tuple[Axis, ...]:
    """The spatial axes of a pooling of ``sizes`` to ``counts`` windows."""
    names = NAMES[-len(sizes) :]
    windows = (names, sizes, counts, op.kernel, op.stride, op.padding, op.dilation)
    return tuple(Axis(*each) for each in zip(*windows, strict=True))


def spelled(*terms: tuple[int, str], start: int = 0) -> str:
    """The sum of products of numbers with variables, and of a number."""
    text = ""
    for factor, name in (*terms, (start, "")):
        if factor:
            size = name or str(abs(factor))
            if name and abs(factor) != 1:
                size = f"{abs(factor)} * {name}"
            sign = "-" if factor < 0 else "+"
            text += f" {sign} {size}" if text else f"{'-' if factor < 0 else ''}{size}"
    return text or "0"


def numbered(variable: str, extents: Sequence[tuple[str, int]]) -> list[str]:
    """Declarations of the indices of the place whose number in C order is ``variable``."""
    lines = []
    for i, (name, extent) in enumerate(extents):
        step = prod(max(later, 1) for _, later in extents[i + 1 :])
        found = variable if step == 1 else f"{variable} / {step}"
        if i > 0 and extent > 0:
            found += f" % {extent}"
        lines.append(f"const long {name} = {'0' if extent == 1 else found};")
    return lines


@dataclass(frozen=True)
class Split:
    """Units of work, cut into tasks."""

    units: int
    tasks: int

    @property
    def first(self) -> str:
        """The first unit of a task."""
        return "0" if self.tasks == 1 else f"{self.units} * task / {self.tasks}"

    @property
    def last(self) -> str:
        """The one after the task's last."""
        return str(self.units) if self.tasks == 1 else f"{self.units} * (task + 1) / {self.tasks}"


def split(units: int, each: int, setting: Setting) -> Split:
    """Units of so many elements, as tasks."""
    return Split(units, tasks(units, each, setting.threads))


def by_channels(result: Operand) -> bool:
    """Whether the channels lie side by side in memory."""
    return result.shape[1] > 1 and result.strides[1] == 1


def conversions(dtype: DType) -> frozenset[str]:
    """The helpers that read and write elements of a type."""
    return frozenset(f"{way}_{dtype.name}" for way in ("widen", "narrow") if is_low(dtype))
