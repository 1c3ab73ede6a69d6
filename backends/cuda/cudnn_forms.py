"""Which convolutions cuDNN computes as graphc would: those whose sums are stored as they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphc.backends.cuda.by_library import SUPPORTED
from graphc.backends.cuda.correlation import ORDER, Images, Kind, Problem
from graphc.backends.cuda.made import Setting
from graphc.backends.cuda.products import ProductKernel
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand
from graphc.lowering.views import dense
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)

ALIGNED = 16
"""Bytes that the address of an operand is a multiple of."""
MOST = 2**31
"""The library counts elements by integers of 32 bits."""
KINDS: dict[str, tuple[Kind, str]] = {
    Convolution.name: ("forward", "xwy"),
    ConvolutionInputGrad.name: ("input", "ywx"),
    ConvolutionWeightGrad.name: ("weight", "xyw"),
}
"""By the op's name: what it is, and what its operands and its result are."""


@dataclass(frozen=True)
class Form:
    """A convolution as a problem of the library's, and where its arguments are."""

    problem: Problem
    arguments: tuple[int, ...]
    """The numbers of the kernel's parameters, in the library's order."""


def form_of(kernel: ProductKernel) -> Form | None:
    """The library's form of a convolution, or None where it has none."""
    setting, op = kernel.cells.setting, kernel.finishing.op.product
    if not isinstance(op, Window) or kernel.dtype not in SUPPORTED or not _is_plain(kernel):
        return None
    kind, roles = KINDS[op.name]
    numbers = dict(zip(roles, (0, 1, len(setting.operands)), strict=True))
    given = dict(zip(roles, (*setting.operands[:2], setting.results[0]), strict=True))
    x, w, y = given["x"], given["w"], given["y"]
    channels_last = _channels_last(x, w, y)
    if channels_last is None or op.output_sizes(x.shape[2:], w.shape[2:]) != y.shape[2:]:
        return None
    images = _images(x), _images(y)
    if images[0] is None or images[1] is None or prod(w.shape) >= MOST:
        return None
    problem = Problem(
        kind,
        kernel.dtype,
        op.tf32,
        images[0],
        (*w.shape[:2], *_planar(w.shape[2:], 1)),
        images[1],
        channels_last,
        _planar(op.stride, 1),
        _planar(op.padding, 0),
        _planar(op.dilation, 1),
        op.groups,
    )
    return Form(problem, tuple(numbers[name] for name in ORDER[kind]))


def _is_plain(kernel: ProductKernel) -> bool:
    """Whether the sums are stored as they are, and every operand begins at an even address."""
    setting, finishing = kernel.cells.setting, kernel.finishing
    size = kernel.dtype.itemsize
    return (
        not finishing.op.group.body.computed
        and len(setting.results) == 1
        and setting.results[0].dtype is kernel.dtype
        and setting.results[0].shape == finishing.op.type.shape
        and _is_aligned(setting, size)
    )


def _is_aligned(setting: Setting, size: int) -> bool:
    return all(offset * size % ALIGNED == 0 for offset in setting.offsets[:2])


def _channels_last(x: Operand, w: Operand, y: Operand) -> bool | None:
    """Whether the channels of all three lie side by side; None where the weight lies otherwise."""
    beside = all(each.shape[1] == 1 or each.strides[1] == 1 for each in (x, y))
    if beside and _lies(w, dense(w.shape, (0, *range(2, len(w.shape)), 1))):
        return True
    return False if _lies(w, dense(w.shape)) else None


def _lies(x: Operand, strides: Shape) -> bool:
    return all(n == 1 or a == b for n, a, b in zip(x.shape, x.strides, strides, strict=True))


def _planar(values: Shape, fill: int) -> Shape:
    """Of a single spatial dimension two, of which the first does nothing."""
    return (fill, *values) if len(values) == 1 else values


def _images(x: Operand) -> Images | None:
    """How the input or the output lies; None where its elements share memory or are too many."""
    reach = 1 + sum((n - 1) * s for n, s in zip(x.shape, x.strides, strict=True))
    if reach >= MOST or any(n > 1 and s <= 0 for n, s in zip(x.shape, x.strides, strict=True)):
        return None
    # One after the other, none begins within what those of a smaller stride take.
    taken = 1
    for stride, extent in sorted((s, n) for n, s in zip(x.shape, x.strides, strict=True) if n > 1):
        if stride < taken:
            return None
        taken = stride * (extent - 1) + taken
    strides = [reach if n == 1 else s for n, s in zip(x.shape, x.strides, strict=True)]
    shape = (*x.shape[:2], *_planar(x.shape[2:], 1))
    return Images(shape, (*strides[:2], *_planar(tuple(strides[2:]), reach)))
