"""The geometry of a convolution: which elements of a zero-padded operand meet which weights.

Every convolution is seen with three spatial dimensions, of which the leading ones may have extent
one. Forward, and once for each phase of the data gradient, it is the same sum: the result at
place q of a grid is taken from the operand at ``q * stride + base + t * step``, for taps t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod

from graphc.ir.dtype import DType
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand
from graphc.ops.convolution import Window


@dataclass(frozen=True)
class Taps:
    """One phase of one spatial dimension."""

    begin: int
    """The first place in the result; the next ones are the line's ``apart`` further each."""
    count: int
    kernel: Shape
    """Places in the kernel, in the order in which the operand is met."""
    base: int
    """Where the operand is met by the first place through the first tap."""


@dataclass(frozen=True)
class Line:
    """One spatial dimension."""

    phases: tuple[Taps, ...]
    before: int
    """Zeros before the operand's first element."""
    extent: int
    """Elements of the padded operand that are met."""
    stride: int
    """Between the elements that neighbouring places of a phase meet."""
    step: int
    """Between the elements that neighbouring taps meet."""
    apart: int
    """Between neighbouring places of a phase in the result."""


def forward_line(count: int, kernel: int, stride: int, padding: int, dilation: int) -> Line:
    """A dimension of the convolution itself, with ``count`` places in the output."""
    reach = dilation * (kernel - 1) + 1
    taps = Taps(0, count, tuple(range(kernel)), 0)
    return Line((taps,), padding, max(0, count - 1) * stride + reach, stride, dilation, 1)


def gradient_line(size: int, kernel: int, stride: int, padding: int, dilation: int) -> Line:
    """A dimension of the gradient with respect to an input of ``size`` elements.

    Element i of the input is met by output o through tap k where ``i + padding = o * stride + k *
    dilation``: the elements of one phase, i modulo the stride, have the same taps.
    """
    met: list[list[tuple[int, int]]] = []
    for phase in range(stride):
        reach = [(phase + padding - k * dilation, k) for k in range(kernel)]
        met.append(sorted((at // stride, k) for at, k in reach if at % stride == 0))
    before = max(0, -min((at for taps in met for at, _ in taps), default=0))
    phases, extent = [], 1
    for phase, taps in enumerate(met):
        count = max(0, -(-(size - phase) // stride))
        if not count and not taps:
            continue
        base = taps[0][0] + before if taps else 0
        phases.append(Taps(phase, count, tuple(k for _, k in taps), base))
        if taps and count:
            extent = max(extent, count + taps[-1][0] + before)
    step = dilation // gcd(dilation, stride)
    return Line(tuple(phases), before, extent, 1, step, stride)


@dataclass(frozen=True)
class Extents:
    """A convolution over three spatial dimensions."""

    batch: int
    groups: int
    inputs: int
    """Channels of the input in each group."""
    outputs: int
    """Channels of the output in each group."""
    sizes: Shape
    kernel: Shape
    out: Shape
    stride: Shape
    padding: Shape
    dilation: Shape

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is a convolution of its own."""
        return self.groups > 1 and self.inputs == self.outputs == 1

    def forward(self) -> list[Line]:
        """The dimensions of the convolution itself."""
        return [forward_line(*x) for x in zip(self.out, *self._settings(), strict=True)]

    def gradient(self) -> list[Line]:
        """The dimensions of the gradient with respect to the input."""
        return [gradient_line(*x) for x in zip(self.sizes, *self._settings(), strict=True)]

    def _settings(self) -> tuple[Shape, Shape, Shape, Shape]:
        return self.kernel, self.stride, self.padding, self.dilation


def extents(op: Window, x: Shape, w: Shape, y: Shape) -> Extents:
    """The extents of a convolution of x with w that gives y."""

    def spatial(sizes: Sequence[int], filler: int = 1) -> Shape:
        return (*(filler,) * (3 - len(sizes)), *sizes)

    return Extents(
        x[0],
        op.groups,
        w[1],
        w[0] // op.groups,
        spatial(x[2:]),
        spatial(w[2:]),
        spatial(y[2:]),
        spatial(op.stride),
        spatial(op.padding, 0),
        spatial(op.dilation),
    )


@dataclass(frozen=True)
class Values:
    """An operand or result with three spatial dimensions: two outer strides, then spatial ones."""

    outer: Shape
    inner: Shape
    strides: Shape
    """Of the two outer dimensions: batch and channels, or output and input channels."""
    steps: Shape
    """Of the spatial dimensions."""
    dtype: DType

    @property
    def pixels(self) -> int:
        """Elements of the spatial dimensions."""
        return prod(self.inner)

    def pixel(self) -> int | None:
        """The distance between pixels that follow in row-major order, if it is always the same."""
        found, size = 0, 1
        for extent, step in zip(reversed(self.inner), reversed(self.steps), strict=True):
            if extent == 1:
                continue
            if size == 1:
                found = step
            elif step != found * size:
                return None
            size *= extent
        return found


def values(x: Operand) -> Values:
    """An operand with three spatial dimensions."""
    missing = 5 - len(x.shape)
    inner = (*(1,) * missing, *x.shape[2:])
    steps = (*(0,) * missing, *x.strides[2:])
    return Values(x.shape[:2], inner, x.strides[:2], steps, x.dtype)


@dataclass(frozen=True)
class Phase:
    """One phase of all dimensions."""

    taps: tuple[Taps, Taps, Taps]

    @property
    def count(self) -> Shape:
        """Places of the phase in each dimension."""
        return tuple(x.count for x in self.taps)

    @property
    def kernel(self) -> Shape:
        """Taps in each dimension."""
        return tuple(len(x.kernel) for x in self.taps)


def phases(lines: Sequence[Line]) -> list[Phase]:
    """The phases of a convolution, those with most taps first."""
    found = [Phase((d, h, w)) for d, h, w in product(*(x.phases for x in lines))]
    return sorted(found, key=lambda x: -prod(x.kernel))


@dataclass(frozen=True)
class Source:
    """Where a kernel reads an operand: in place, or in a copy that is padded and channels last."""

    name: str
    steps: Shape
    """Between batch entries, and between elements of each spatial dimension; channels have one."""
    extent: Shape
    """Spatial extents that are read."""
    before: Shape
    """Zeros of the copy before the operand's first element in each dimension."""
    copied: bool
    size: int
    """Elements of the copy."""


def source(
    name: str, x: Values, lines: Sequence[Line], *, copied: bool = False, beyond: int = 0
) -> Source:
    """Where an operand is read: in a copy, if it has to be, with space for elements ``beyond``."""
    before = tuple(line.before for line in lines)
    extent = tuple(line.extent for line in lines)
    within = all(a <= b for a, b in zip(extent, x.inner, strict=True))
    channels = x.outer[1]
    if not copied and within and not any(before) and (channels == 1 or x.strides[1] == 1):
        return Source(name, (x.strides[0], *x.steps), extent, before, False, 0)
    width = channels * extent[2]
    steps = (prod(extent) * channels, extent[1] * width, width, channels)
    size = x.outer[0] * prod(extent) * channels + beyond
    return Source("padded", steps, extent, before, True, size)
