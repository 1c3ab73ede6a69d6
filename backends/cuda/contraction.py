"""Matrix products and convolutions: tiles of the result, made of tiles of the operands.

A convolution is a product whose operands are found by index: no columns are written to memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import Made, Maker, Setting, blocks
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand, spread
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)
from graphc.ops.matmul import MatMul

DEPTH = 16
"""How much of the inner dimension a tile has."""
MEMBERS = 16
"""Threads of a block along each side of its tile."""


@dataclass
class Product:
    """A batch of products ``[m, k] @ [k, n]``, its operands and result found by statements.

    Each list of statements knows the indices that it is named for, and ends by declaring ``place``,
    and ``inside`` where the element may lie outside, where it is zero.
    """

    batch: int
    m: int
    n: int
    k: int
    of_batch: list[str] = field(default_factory=list)
    """Of ``batch``."""
    of_a: list[str] = field(default_factory=list)
    """Of ``i`` and ``k``: the element of the first operand."""
    of_b: list[str] = field(default_factory=list)
    """Of ``k`` and ``j``: that of the second."""
    of_result: list[str] = field(default_factory=list)
    """Of ``i`` and ``j``."""


def _made(cells: Cells, product: Product, summary: str) -> Made:
    """The kernel of a product."""
    x, y = cells.setting.operands[0], cells.setting.results[0]
    if not product.batch * product.m * product.n:
        return cells.made()
    each = 4 if min(product.m, product.n) > MEMBERS else 1
    tile = MEMBERS * each
    kind = computed(x.dtype)
    text = render(
        "contraction.cu.j2",
        name=cells.name,
        summary=summary,
        kind=kind,
        m=product.m,
        n=product.n,
        k=product.k,
        tile=tile,
        each=each,
        depth=DEPTH,
        members=MEMBERS,
        of_batch=product.of_batch,
        of_a=product.of_a,
        of_b=product.of_b,
        of_result=product.of_result,
        a=cells.load(x.dtype, "a0[place]"),
        b=cells.load(x.dtype, "a1[place]"),
        store=cells.store(y.dtype, "out0[place]", f"({kind})total[p][q]"),
        inside_a=any("bool inside" in line for line in product.of_a),
        inside_b=any("bool inside" in line for line in product.of_b),
    )
    grid = (blocks(product.n, tile), blocks(product.m, tile), product.batch)
    cells.function(text, grid, (MEMBERS, MEMBERS, 1))
    return cells.made()


def matmul(name: str, setting: Setting) -> Made:
    """The batched matrix product; leading axes broadcast."""
    (x, w), y, cells = setting.operands, setting.results[0], Cells(name, setting)
    lead = y.shape[:-2]
    batch = Side([f"batch_{axis}" for axis in range(len(lead))], lead)

    def start(operand: Operand) -> str:
        return terms(spread(operand, len(y.shape)).strides[:-2], batch.names)

    product = Product(prod(lead), y.shape[-2], y.shape[-1], x.shape[-1])
    product.of_batch = [
        *batch.indices("batch"),
        f"const long batch_a = {start(x)};",
        f"const long batch_b = {start(w)};",
        f"const long batch_y = {terms(y.strides[:-2], batch.names)};",
    ]
    product.of_a = [f"const long place = batch_a + {terms(x.strides[-2:], ('i', 'k'))};"]
    product.of_b = [f"const long place = batch_b + {terms(w.strides[-2:], ('k', 'j'))};"]
    product.of_result = [f"const long place = batch_y + {terms(y.strides[-2:], ('i', 'j'))};"]
    return _made(cells, product, f"{spelled(x.shape)} @ {spelled(w.shape)}")


@dataclass(frozen=True)
class Side:
    """The axes that a dimension of a product is made of: their indices' names, their extents."""

    names: list[str]
    extents: Shape

    def indices(self, flat: str) -> list[str]:
        """The declarations of the indices that a flat one stands for."""
        return split(flat, self.extents, self.names, "int")


def _pixels(y: Operand, letter: str) -> Side:
    """The elements of a channel, of all images."""
    return Side(["image", *_names(letter, len(y.shape) - 2)], (y.shape[0], *y.shape[2:]))


def _taps(channels: int, w: Operand) -> Side:
    """The elements of a weight that make one of another channel."""
    return Side(["channel", *_names("t", len(w.shape) - 2)], (channels, *w.shape[2:]))


def _convolved(
    cells: Cells,
    rows: Side,
    inner: Side,
    columns: int,
    inside: list[str],
    places: tuple[str, str, str],
    summary: str,
) -> Made:
    """A product for each group, by where elements of its operands and of its result are found."""
    op = cells.setting.node.op
    assert isinstance(op, Window)
    a, b, result = (f"const long place = {place};" for place in places)
    product = Product(op.groups, prod(rows.extents), columns, prod(inner.extents))
    product.of_a = [*rows.indices("i"), *inner.indices("k"), *inside, a]
    product.of_b = [*inner.indices("k"), b]
    product.of_result = [*rows.indices("i"), result]
    return _made(cells, product, summary)


def _input(op: Window, pixels: Side, taps: Side, x: Operand) -> list[str]:
    """Where in the input a tap of an output lies, and whether inside."""
    lines, inside = [], []
    for axis, size in enumerate(x.shape[2:]):
        s, p, d = op.stride[axis], op.padding[axis], op.dilation[axis]
        out, tap = pixels.names[1 + axis], taps.names[1 + axis]
        lines.append(f"const int x{axis} = {out} * {s} + {tap} * {d} - {p};")
        inside.append(f"x{axis} >= 0 && x{axis} < {size}")
    return [*lines, f"const bool inside = {' && '.join(inside)};"]


def _input_place(x: Operand, channels: int) -> str:
    """The element of the input that is meant then."""
    names = ["image", f"(batch * {channels} + channel)", *_names("x", len(x.shape) - 2)]
    return terms(x.strides, names)


def _output(op: Window, dy: Operand) -> list[str]:
    """Which output a tap of an input meets, and whether there is one."""
    lines, inside = [], []
    for axis, size in enumerate(dy.shape[2:]):
        s, p, d = op.stride[axis], op.padding[axis], op.dilation[axis]
        lines.append(f"const int f{axis} = x{axis} + {p} - t{axis} * {d};")
        lines.append(f"const int o{axis} = f{axis} / {s};")
        inside.append(f"f{axis} >= 0 && f{axis} % {s} == 0 && o{axis} < {size}")
    return [*lines, f"const bool inside = {' && '.join(inside)};"]


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{axis}" for axis in range(count)]


def convolution(name: str, setting: Setting) -> Made:
    """Outputs of all channels of a group: [pixels, taps] @ [taps, channels]."""
    op, (x, w), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Convolution)
    inputs, outputs = w.shape[1], w.shape[0] // op.groups
    pixels, taps = _pixels(y, "o"), _taps(inputs, w)
    output = f"(batch * {outputs} + j)"
    places = (
        _input_place(x, inputs),
        terms(w.strides, [output, *taps.names]),
        terms(y.strides, ["image", output, *pixels.names[1:]]),
    )
    inside = _input(op, pixels, taps, x)
    summary = f"{spelled(x.shape)} convolved with {spelled(w.shape)}"
    return _convolved(Cells(name, setting), pixels, taps, outputs, inside, places, summary)


def convolution_input_grad(name: str, setting: Setting) -> Made:
    """What flows to the input: [pixels, taps] @ [taps, channels], of the output's gradient."""
    op, (dy, w), dx = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ConvolutionInputGrad)
    inputs, outputs = w.shape[1], w.shape[0] // op.groups
    pixels, taps = _pixels(dx, "x"), _taps(outputs, w)
    output = f"(batch * {outputs} + channel)"
    places = (
        terms(dy.strides, ["image", output, *_names("o", len(dy.shape) - 2)]),
        terms(w.strides, [output, "j", *taps.names[1:]]),
        terms(dx.strides, ["image", f"(batch * {inputs} + j)", *pixels.names[1:]]),
    )
    inside = _output(op, dy)
    summary = f"What flows from {spelled(dy.shape)} to {spelled(dx.shape)}"
    return _convolved(Cells(name, setting), pixels, taps, inputs, inside, places, summary)


def convolution_weight_grad(name: str, setting: Setting) -> Made:
    """What flows to the weight: [taps, pixels] @ [pixels, channels]."""
    op, (x, dy), dw = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ConvolutionWeightGrad)
    inputs, outputs = dw.shape[1], dw.shape[0] // op.groups
    pixels, taps = _pixels(dy, "o"), _taps(inputs, dw)
    output = f"(batch * {outputs} + j)"
    places = (
        _input_place(x, inputs),
        terms(dy.strides, ["image", output, *pixels.names[1:]]),
        terms(dw.strides, [output, *taps.names]),
    )
    inside = _input(op, pixels, taps, x)
    summary = f"What flows to a weight of {spelled(dw.shape)}"
    return _convolved(Cells(name, setting), taps, pixels, outputs, inside, places, summary)


CONTRACTION: dict[str, Maker] = {
    MatMul.name: matmul,
    Convolution.name: convolution,
    ConvolutionInputGrad.name: convolution_input_grad,
    ConvolutionWeightGrad.name: convolution_weight_grad,
}
"""By the op's name."""
