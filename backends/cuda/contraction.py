"""Matrix products and convolutions: tiles of the result, made of tiles of the operands.

A convolution is a product whose operands are found by index: no columns are written to memory.
Channels are rows and pixels columns, so that neighbours in memory are columns of the result.

Limits. A tile of 128 x 128 has 64 multiplications for each element that it reads, so large products
are bound by arithmetic: a multiprocessor multiplies and adds 1024 floats of two bytes, 512 of tf32
or 128 of float32 in a cycle. With warps of 64 x 64 shared memory is read for half the cycles of the
multiplications, and two blocks of a multiprocessor hide each other's latencies: 128 x 128 should
reach 80 % of what ``mma.sync`` does at most, which on sm_90 is two thirds of what ``wgmma`` does,
and 85 % of the limit of float32. Operands found by index cost 15 to 20 instructions for each
element, which is copied by itself: half the limit of tf32. Products of few rows are bound by the
bytes of the larger operand, of which they should read 75 % of what memory gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.finished import Finishing, as_finished
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.loaded import Found, Side, affine, index_type
from graphc.backends.cuda.made import Made, Setting
from graphc.backends.cuda.products import Product, ProductKernel, kind_of
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.lowering.epilogues import Finished
from graphc.lowering.kernel import Ramp
from graphc.lowering.operands import Operand, spread
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)
from graphc.ops.matmul import MatMul


def product(name: str, setting: Setting, ramps: Sequence[Ramp | None], *, aliased: bool) -> Made:
    """The kernel of a product, which may finish its result. ``aliased`` as a group may be."""
    cells = Cells(name, setting, aliased=aliased)
    if not all(prod(x.shape) for x in setting.results):
        return cells.made()
    op = as_finished(setting.node).op
    assert isinstance(op, Finished)
    plain = op.product
    assert isinstance(plain, MatMul | Window)
    operands = (*setting.operands[:2], Operand(op.type.shape, (), op.type.dtype))
    found = PRODUCTS[plain.name](plain, operands, setting.offsets)
    kind = kind_of(setting.operands[0].dtype, tf32=plain.tf32)
    return ProductKernel(cells, found, Finishing(setting, ramps), kind).made()


def is_product(node: Node) -> bool:
    """Whether a node is a product, or one that finishes its result."""
    return isinstance(node.op, MatMul | Window | Finished)


Operands = tuple[Operand, Operand, Operand]
"""Those of a product, and its result, of which only the shape is known."""


def matmul(op: MatMul, operands: Operands, offsets: Sequence[int]) -> Product:
    """The batched matrix product; leading axes broadcast."""
    x, w, y = operands
    index, lead = index_type(x, w), y.shape[:-2]
    names = [f"batch_{axis}" for axis in range(len(lead))]
    m, n, k = y.shape[-2], y.shape[-1], x.shape[-1]
    rows, inner, columns = Side("i", ("i",), (m,)), Side("k", ("k",), (k,)), Side("j", ("j",), (n,))
    wide_x, wide_w = spread(x, len(y.shape)).strides, spread(w, len(y.shape)).strides
    has_batch = prod(lead) != 1
    starts = [terms(s[:-2], names) if has_batch else "0" for s in (wide_x, wide_w)]
    declared = []
    if has_batch:
        used = [f"const {index} batch_a = {starts[0]};", f"const {index} batch_b = {starts[1]};"]
        declared = [*split("batch", lead, names, index), *used]

    def found(slot: int, strides: Shape, *sides: Side) -> Found:
        base = "0" if starts[slot] == "0" else f"batch_{'ab'[slot]}"
        apart = (offsets[slot], *strides[:-2])
        given = zip(sides, ((strides[-2],), (strides[-1],)), strict=True)
        return affine(index, base, apart, x.dtype.itemsize, *given)

    a, b = found(0, wide_x, rows, inner), found(1, wide_w, inner, columns)
    summary = f"{spelled(x.shape)} @ {spelled(w.shape)}"
    return Product(prod(lead), m, n, k, a, b, index, summary, declared)


def _pixels(flat: str, shape: Shape, letter: str) -> Side:
    """The elements of a channel, of all images."""
    names = ("image", *_names(letter, len(shape) - 2))
    return Side(flat, names, (shape[0], *shape[2:]))


def _taps(flat: str, channels: int, kernel: Shape) -> Side:
    """The elements of a weight that make one of another channel."""
    return Side(flat, ("channel", *_names("t", len(kernel))), (channels, *kernel))


def _over_pixels(x: Operand) -> Shape:
    return (x.strides[0], *x.strides[2:])


class Grouped:
    """A product for each group of a convolution's channels."""

    def __init__(self, op: Window, operands: Operands, offsets: Sequence[int]) -> None:
        self.op, self.offsets = op, offsets
        self.index = index_type(*operands[:2])
        self.size = operands[0].dtype.itemsize
        self.declared: list[str] = []

    def base(self, slot: int, step: int) -> str:
        """Where a group begins in an operand, so many elements after the one before."""
        if self.op.groups == 1:
            return "0"
        name = f"batch_{'ab'[slot]}"
        self.declared.append(f"const {self.index} {name} = batch * {step};")
        return name

    def affine(self, slot: int, operand: int, step: int, *sides: tuple[Side, Shape]) -> Found:
        """Slot a or b of the product: an operand of the convolution that is found by strides."""
        apart = (self.offsets[operand], *([step] if self.op.groups > 1 else []))
        return affine(self.index, self.base(slot, step), apart, self.size, *sides)

    def by_index(
        self, x: Operand, step: int, sides: Sequence[Side], at: str, lines: list[str]
    ) -> Found:
        """Slot b: an operand whose element ``at`` some place may lie outside, as lines find."""
        base = self.base(1, step)
        place = terms(x.strides, ["image", "channel", *_names(at, len(x.shape) - 2)])
        declared = [line for side in sides for line in side.indices(self.index)]
        sum_ = place if base == "0" else f"{base} + {place}"
        text = (*declared, *lines, f"const {self.index} place = {sum_};")
        along = next(x.flat for x in sides if x.names[0] == "image")
        return Found(text, along, 1, inside=True)

    def made(self, m: int, n: int, k: int, a: Found, b: Found, summary: str) -> Product:
        """The product."""
        groups = self.op.groups
        row = "i" if groups == 1 else f"(batch * {m} + i)"
        return Product(groups, m, n, k, a, b, self.index, summary, self.declared, row, (1, 0))


def _is_pointwise(op: Window, kernel: Shape) -> bool:
    """Whether outputs are made of the inputs at the same place alone."""
    return all(x == 1 for x in (*kernel, *op.stride)) and not any(op.padding)


def _input(op: Window, x: Operand, index: str) -> list[str]:
    """Where in the input a tap of an output lies, and whether inside."""
    lines, inside = [], []
    for axis, size in enumerate(x.shape[2:]):
        s, p, d = op.stride[axis], op.padding[axis], op.dilation[axis]
        lines.append(f"const {index} x{axis} = o{axis} * {s} + t{axis} * {d} - {p};")
        inside.append(f"x{axis} >= 0 && x{axis} < {size}")
    return [*lines, f"const bool inside = {' && '.join(inside)};"]


def _output(op: Window, dy: Operand, index: str) -> list[str]:
    """Which output a tap of an input meets, and whether there is one."""
    lines, inside = [], []
    for axis, size in enumerate(dy.shape[2:]):
        s, p, d = op.stride[axis], op.padding[axis], op.dilation[axis]
        far = f"x{axis} + {p} - t{axis} * {d}"
        if s == 1:
            lines.append(f"const {index} o{axis} = {far};")
            inside.append(f"o{axis} >= 0 && o{axis} < {size}")
            continue
        lines += [f"const {index} f{axis} = {far};", f"const {index} o{axis} = f{axis} / {s};"]
        inside.append(f"f{axis} >= 0 && f{axis} % {s} == 0 && o{axis} < {size}")
    return [*lines, f"const bool inside = {' && '.join(inside)};"]


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{axis}" for axis in range(count)]


def convolution(op: Window, operands: Operands, offsets: Sequence[int]) -> Product:
    """Outputs of all channels of a group: [channels, taps] @ [taps, pixels]."""
    x, w, y = operands
    inputs, outputs, made = w.shape[1], w.shape[0] // op.groups, Grouped(op, operands, offsets)
    channels, taps = Side("i", ("i",), (outputs,)), _taps("k", inputs, w.shape[2:])
    pixels = _pixels("j", y.shape, "o")
    a = made.affine(
        0, 1, outputs * w.strides[0], (channels, (w.strides[0],)), (taps, w.strides[1:])
    )
    step = inputs * x.strides[1]
    if _is_pointwise(op, w.shape[2:]):
        strides = (x.strides[1], *(0 for _ in w.shape[2:]))
        b = made.affine(1, 0, step, (taps, strides), (pixels, _over_pixels(x)))
    else:
        b = made.by_index(x, step, (taps, pixels), "x", _input(op, x, made.index))
    summary = f"{spelled(x.shape)} convolved with {spelled(w.shape)}"
    return made.made(outputs, prod(pixels.extents), prod(taps.extents), a, b, summary)


def convolution_input_grad(op: Window, operands: Operands, offsets: Sequence[int]) -> Product:
    """What flows to the input: [channels, taps] @ [taps, pixels], of the output's gradient."""
    dy, w, dx = operands
    inputs, outputs, made = w.shape[1], w.shape[0] // op.groups, Grouped(op, operands, offsets)
    channels, taps = Side("i", ("i",), (inputs,)), _taps("k", outputs, w.shape[2:])
    pixels = _pixels("j", dx.shape, "x")
    over_taps = (w.strides[0], *w.strides[2:])
    a = made.affine(0, 1, outputs * w.strides[0], (channels, (w.strides[1],)), (taps, over_taps))
    b = made.by_index(dy, outputs * dy.strides[1], (taps, pixels), "o", _output(op, dy, made.index))
    summary = f"What flows from {spelled(dy.shape)} to {spelled(dx.shape)}"
    return made.made(inputs, prod(pixels.extents), prod(taps.extents), a, b, summary)


def convolution_weight_grad(op: Window, operands: Operands, offsets: Sequence[int]) -> Product:
    """What flows to the weight: [channels, pixels] @ [pixels, taps]."""
    x, dy, dw = operands
    inputs, outputs, made = dw.shape[1], dw.shape[0] // op.groups, Grouped(op, operands, offsets)
    channels, taps = Side("i", ("i",), (outputs,)), _taps("j", inputs, dw.shape[2:])
    pixels = _pixels("k", dy.shape, "o")
    a = made.affine(
        0, 1, outputs * dy.strides[1], (channels, (dy.strides[1],)), (pixels, _over_pixels(dy))
    )
    b = made.by_index(x, inputs * x.strides[1], (pixels, taps), "x", _input(op, x, made.index))
    summary = f"What flows to a weight of {spelled(dw.shape)}"
    return made.made(outputs, prod(taps.extents), prod(pixels.extents), a, b, summary)


PRODUCTS: dict[str, Callable[..., Product]] = {
    MatMul.name: matmul,
    Convolution.name: convolution,
    ConvolutionInputGrad.name: convolution_input_grad,
    ConvolutionWeightGrad.name: convolution_weight_grad,
}
"""By the op's name: operands and offsets to the product."""
