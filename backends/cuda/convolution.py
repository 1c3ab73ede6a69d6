"""The three convolutions as products, whose operands are found by index: no columns are written.

Where channels lie side by side, in the input or the result, they are innermost in the product too:
then copies have several of them, and weights are put in that order first, which costs their bytes.
Otherwise neighbours are pixels, of which each is found by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import stored
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.sides import Found, Product, Side, affine, index_type, width_of
from graphc.ir.types import Shape
from graphc.lowering.finishing import Roles
from graphc.lowering.operands import Operand
from graphc.lowering.views import dense
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)


def is_last(x: Operand) -> bool:
    """Whether channels lie side by side."""
    return x.shape[1] > 1 and x.strides[1] == 1


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{axis}" for axis in range(count)]


class Grouped:
    """A product for each group of a convolution's channels.

    ``x`` is the operand that is found by index, ``last`` whether its channels are innermost.
    """

    def __init__(self, cells: Cells, x: int, result: Operand) -> None:
        setting, self.cells = cells.setting, cells
        op = setting.node.op
        op = getattr(op, "product", op)
        assert isinstance(op, Window)
        self.op = op
        self.operands, self.offsets = setting.operands[:2], setting.offsets
        self.x, self.result = self.operands[x], result
        self.offset, self.slot = self.offsets[x], x
        self.last = is_last(self.x)
        self.index = index_type(*setting.operands, *setting.results)
        self.size = self.x.dtype.itemsize
        self.rank = len(self.x.shape) - 2
        self.declared: list[str] = []

    def pixels(self, flat: str, shape: Shape, letter: str) -> Side:
        """The elements of a channel, of all images."""
        names = ("image", *_names(letter, self.rank))
        return Side(flat, names, (shape[0], *shape[2:]))

    def taps(self, flat: str, channels: int, kernel: Shape) -> Side:
        """The elements of a weight that make one of another channel."""
        names = _names("t", self.rank)
        if self.last:
            return Side(flat, (*names, "channel"), (*kernel, channels))
        return Side(flat, ("channel", *names), (channels, *kernel))

    def over_taps(self, channels: int, kernel: Shape) -> Shape:
        """Strides in the same order."""
        return (*kernel, channels) if self.last else (channels, *kernel)

    def weight(self, slot: int) -> tuple[str, Operand, int]:
        """The weight as it is read: a parameter, how it lies, its offset; in order if need be."""
        w, parameter = self.operands[slot], f"a{slot}"
        if not self.last or is_last(w) or prod(w.shape[2:]) == 1:
            return parameter, w, self.offsets[slot]
        order = (0, *range(2, len(w.shape)), 1)
        packed = Operand(w.shape, dense(w.shape, order), w.dtype)
        self.cells.space("packed", stored(w.dtype), prod(w.shape) * self.size)
        self.cells.copy(
            w.dtype, w.shape, (parameter, w.strides, 0), ("packed", packed.strides, 0),
            suffix="_pack", summary=f"A weight of {spelled(w.shape)}, channels last",
        )  # fmt: skip
        return "packed", packed, 0

    def base(self, letter: str, step: int) -> str:
        """Where a group begins in an operand, so many elements after the one before."""
        if self.op.groups == 1:
            return "0"
        name = f"batch_{letter}"
        self.declared.append(f"const {self.index} {name} = batch * {step};")
        return name

    def affine(self, letter: str, offset: int, step: int, *sides: tuple[Side, Shape]) -> Found:
        """An operand of the product that is found by strides."""
        step = step if self.op.groups > 1 else 0
        apart = (offset, *([step] if step else []))
        base = self.base(letter, step)
        return affine(self.index, base, apart, self.size, *sides, batch=step)

    def found(self, step: int, pixels: Side, taps: Side, at: str, lines: list[str]) -> Found:
        """The operand ``x`` by its pixels and taps: by strides where it has as many pixels.

        Otherwise some place may lie outside; ``lines`` find the element ``at``, and whether.
        """
        kernel = taps.extents[:-1] if self.last else taps.extents[1:]
        if _is_pointwise(self.op, kernel):
            over_pixels = (self.x.strides[0], *self.x.strides[2:])
            over_taps = self.over_taps(self.x.strides[1], (0,) * len(kernel))
            return self.affine("x", self.offset, step, (taps, over_taps), (pixels, over_pixels))
        return self.by_index(step, pixels, taps, at, lines)

    def by_index(self, step: int, pixels: Side, taps: Side, at: str, lines: list[str]) -> Found:
        """The same where some place may lie outside."""
        x, base = self.x, self.base("x", step)
        place = terms(x.strides, ["image", "channel", *_names(at, self.rank)])
        declared = [line for side in (pixels, taps) for line in side.indices(self.index)]
        sum_ = place if base == "0" else f"{base} + {place}"
        text = (*declared, *lines, f"const {self.index} place = {sum_};")
        if not self.last:
            return Found(text, pixels.flat, 1, inside=True)
        channels = taps.extents[-1]
        far = (self.offset, step, channels, x.strides[0], *x.strides[2:])
        return Found(text, taps.flat, width_of(self.size, (channels,), (1,), far), inside=True)

    def of_pixels(self, channels: int, taps: Side, shape: Shape, letter: str) -> Product:
        """The product that makes all pixels of channels, up to its operands.

        Channels are its columns where they are innermost in the result, else its rows.
        """
        others = (0, *range(2, self.rank + 2))
        count, inner = prod((shape[0], *shape[2:])), prod(taps.extents)
        made = Product(self.op.groups, channels, count, inner, self.index)
        made.roles, made.of_batch = Roles((), (1,), others), self.declared
        if is_last(self.result):
            made.m, made.n, made.roles = count, channels, Roles((), others, (1,))
        if self.op.groups > 1:
            own = f"(batch * {channels} + {self.channel})"
            made.row, made.column = ("i", own) if is_last(self.result) else (own, "j")
        return made

    @property
    def channel(self) -> str:
        """The index of the result's channels."""
        return "j" if is_last(self.result) else "i"

    @property
    def pixel(self) -> str:
        """That of its pixels."""
        return "i" if is_last(self.result) else "j"

    def set(self, made: Product, w: tuple[str, Found], x: Found, summary: str) -> Product:
        """The product with its operands."""
        given = [w, (f"a{self.slot}", x)]
        (made.left, made.a), (made.right, made.b) = given[::-1] if is_last(self.result) else given
        made.summary = summary
        return made


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


def convolution(cells: Cells, y: Operand) -> Product:
    """Outputs of all channels of a group: [channels, taps] @ [taps, pixels], or transposed."""
    made = Grouped(cells, 0, y)
    op, x = made.op, made.x
    parameter, w, offset = made.weight(1)
    inputs, outputs, kernel = w.shape[1], w.shape[0] // op.groups, w.shape[2:]
    channels = Side(made.channel, (made.channel,), (outputs,))
    taps, pixels = made.taps("k", inputs, kernel), made.pixels(made.pixel, y.shape, "o")
    result = made.of_pixels(outputs, taps, y.shape, "o")
    over_taps = made.over_taps(w.strides[1], w.strides[2:])
    of_w = made.affine(
        "w", offset, outputs * w.strides[0], (channels, (w.strides[0],)), (taps, over_taps)
    )
    of_x = made.found(inputs * x.strides[1], pixels, taps, "x", _input(op, x, made.index))
    summary = f"{spelled(x.shape)} convolved with {spelled(w.shape)}"
    return made.set(result, (parameter, of_w), of_x, summary)


def convolution_input_grad(cells: Cells, dx: Operand) -> Product:
    """What flows to the input: [channels, taps] @ [taps, pixels], of the output's gradient."""
    made = Grouped(cells, 0, dx)
    op, dy = made.op, made.x
    parameter, w, offset = made.weight(1)
    inputs, outputs, kernel = w.shape[1], w.shape[0] // op.groups, w.shape[2:]
    channels = Side(made.channel, (made.channel,), (inputs,))
    taps, pixels = made.taps("k", outputs, kernel), made.pixels(made.pixel, dx.shape, "x")
    result = made.of_pixels(inputs, taps, dx.shape, "x")
    over_taps = made.over_taps(w.strides[0], w.strides[2:])
    of_w = made.affine(
        "w", offset, outputs * w.strides[0], (channels, (w.strides[1],)), (taps, over_taps)
    )
    of_dy = made.found(outputs * dy.strides[1], pixels, taps, "o", _output(op, dy, made.index))
    summary = f"What flows from {spelled(dy.shape)} to {spelled(dx.shape)}"
    return made.set(result, (parameter, of_w), of_dy, summary)


def convolution_weight_grad(cells: Cells, dw: Operand) -> Product:
    """What flows to the weight: [channels, pixels] @ [pixels, taps]."""
    made = Grouped(cells, 0, dw)
    op, x, dy = made.op, made.x, made.operands[1]
    inputs, outputs, kernel = dw.shape[1], dw.shape[0] // op.groups, dw.shape[2:]
    channels, taps = Side("i", ("i",), (outputs,)), made.taps("j", inputs, kernel)
    pixels = made.pixels("k", dy.shape, "o")
    over_pixels = (dy.strides[0], *dy.strides[2:])
    step = outputs * dy.strides[1]
    of_dy = made.affine(
        "y", made.offsets[1], step, (channels, (dy.strides[1],)), (pixels, over_pixels)
    )
    of_x = made.found(inputs * x.strides[1], pixels, taps, "x", _input(op, x, made.index))
    count, columns = prod(pixels.extents), prod(taps.extents)
    result = Product(op.groups, outputs, columns, count, made.index)
    axes = tuple(range(2, len(dw.shape)))
    result.roles = Roles((), (0,), (*axes, 1) if made.last else (1, *axes))
    result.of_batch = made.declared
    result.left, result.a, result.right, result.b = "a1", of_dy, "a0", of_x
    result.row = "i" if op.groups == 1 else f"(batch * {outputs} + i)"
    result.summary = f"What flows to a weight of {spelled(dw.shape)}"
    return result


CONVOLUTIONS: dict[str, Callable[[Cells, Operand], Product]] = {
    Convolution.name: convolution,
    ConvolutionInputGrad.name: convolution_input_grad,
    ConvolutionWeightGrad.name: convolution_weight_grad,
}
"""By the op's name: what is to be made to the product that makes it."""
