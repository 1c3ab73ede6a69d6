"""How a pooling's windows lie in memory, and which of them are done side by side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod

from graphc.backends.native.made import Setting
from graphc.backends.native.windows import Axis, Split, by_channels, numbered, spelled, split
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand

UNROLLED = 32
"""Taps up to which they are written out."""


@dataclass(frozen=True)
class Layout:
    """What the windows are that lie side by side: those of all channels, or of a row of places."""

    setting: Setting
    axes: tuple[Axis, ...]

    @property
    def x(self) -> Operand:
        return self.setting.operands[0]

    @property
    def y(self) -> Operand:
        return self.setting.results[0]

    @property
    def channels(self) -> bool:
        return by_channels(self.y)

    @property
    def outer(self) -> tuple[Axis, ...]:
        """The axes of which a unit of work has one window."""
        return self.axes if self.channels else self.axes[:-1]

    @property
    def side(self) -> tuple[int, int]:
        """The first window that is done side by side with others, and the one after the last."""
        return (0, self.y.shape[1]) if self.channels else self.axes[-1].whole

    @property
    def step(self) -> int:
        """From a window's element to that of the window beside it."""
        return self.x.strides[1] if self.channels else self.axes[-1].stride * self.x.strides[-1]

    def result_step(self, result: int) -> int:
        """From the result of a window to that of the window beside it."""
        strides = self.setting.results[result].strides
        return strides[1] if self.channels else strides[-1]

    @property
    def unrolled(self) -> bool:
        first, last = self.side
        few = prod(a.kernel for a in self.axes) <= UNROLLED
        return few and last > first and all(a.whole != (0, 0) for a in self.axes)

    def units(self) -> list[tuple[str, int]]:
        """The indices of a unit of work with their extents."""
        n, c = self.y.shape[:2]
        lead = [("n", n)] if self.channels else [("n", n), ("c", c)]
        return lead + [(a.name, a.count) for a in self.outer]

    def split(self) -> Split:
        count = prod(extent for _, extent in self.units())
        side = self.y.shape[1] if self.channels else self.axes[-1].count
        return split(count, side * prod(a.kernel for a in self.axes), self.setting)

    def _lead(self, strides: Shape) -> list[tuple[int, str]]:
        return [(strides[0], "n")] + ([] if self.channels else [(strides[1], "c")])

    def opening(self, planes: bool) -> list[str]:
        """The declarations of a unit of work."""
        lines = numbered("unit", self.units())
        for a in self.outer:
            lines += [f"const long {a.name}_begin = {a.begin};"] if a.is_whole else a.bounds()
        spatial = self.x.strides[2:]
        places = [(s, f"{a.name}_begin") for s, a in zip(spatial, self.outer, strict=False)]
        start = 0 if self.channels else -self.axes[-1].padding
        at = spelled(*self._lead(self.x.strides), *places, start=start * spatial[-1])
        lines.append(f"const long at = {at};")
        for i, result in enumerate(self.setting.results[: 1 + planes]):
            indices = zip(result.strides[2:], (a.name for a in self.outer), strict=False)
            lines.append(f"const long to{i} = {spelled(*self._lead(result.strides), *indices)};")
        if planes:
            flat = zip(flat_strides(self.axes), self.outer, strict=False)
            terms = [(s, f"{a.name}_begin") for s, a in flat]
            lines.append(f"const long place = {spelled(*terms, start=start)};")
        return lines

    def whole(self) -> str:
        """Whether no tap of a unit's windows along the outer axes is outside."""
        clipped = [a for a in self.outer if not a.is_whole]
        return " && ".join(f"{a.name}0 == 0 && {a.name}1 == {a.kernel}" for a in clipped)


def flat_strides(axes: tuple[Axis, ...]) -> list[int]:
    """From an element to its neighbours along each axis, counted in the plane."""
    return [prod(a.size for a in axes[i + 1 :]) for i in range(len(axes))]


def taps(layout: Layout) -> list[tuple[int, int]]:
    """How far each tap is from the window's first element, in memory and in the plane."""
    steps = [
        (a.dilation * s, a.dilation * f)
        for a, s, f in zip(
            layout.axes, layout.x.strides[2:], flat_strides(layout.axes), strict=True
        )
    ]
    return [
        (
            sum(k * s for k, (s, _) in zip(tap, steps, strict=True)),
            sum(k * f for k, (_, f) in zip(tap, steps, strict=True)),
        )
        for tap in product(*(range(a.kernel) for a in layout.axes))
    ]
