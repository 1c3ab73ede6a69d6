"""Matrix products and convolutions: tiles of the result, made of tiles of the operands.

A convolution is a product whose operands are found by index: no columns are written to memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.c_language.types import computed
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import Made, Maker, Setting, blocks
from graphc.ir.types import Shape
from graphc.kernels_templates import render
from graphc.lowering.operands import Operand
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
    names, lines = split_names("batch", lead)

    def start(operand: Operand) -> str:
        own = operand.shape[:-2]
        strides = (0,) * (len(lead) - len(own)) + tuple(
            0 if n == 1 else s for n, s in zip(own, operand.strides[:-2], strict=True)
        )
        return terms(strides, names)

    product = Product(prod(lead), y.shape[-2], y.shape[-1], x.shape[-1], lines)
    product.of_batch += [
        f"const long batch_a = {start(x)};",
        f"const long batch_b = {start(w)};",
        f"const long batch_y = {terms(y.strides[:-2], names)};",
    ]
    product.of_a = [f"const long place = batch_a + {terms(x.strides[-2:], ('i', 'k'))};"]
    product.of_b = [f"const long place = batch_b + {terms(w.strides[-2:], ('k', 'j'))};"]
    product.of_result = [f"const long place = batch_y + {terms(y.strides[-2:], ('i', 'j'))};"]
    return _made(cells, product, f"{spelled(x.shape)} @ {spelled(w.shape)}")


def split_names(flat: str, shape: Shape) -> tuple[list[str], list[str]]:
    """Names of the indices of a flat one that is an int, and their declarations."""
    names = [f"{flat}_{axis}" for axis in range(len(shape))]
    return names, split(flat, shape, names, "int")


def _declared(names: Sequence[str], shape: Shape, flat: str) -> list[str]:
    return split(flat, shape, names, "int")


def _input(op: Window, outputs: Sequence[str], taps: Sequence[str], sizes: Shape) -> list[str]:
    """Where in the input a tap of an output lies, and whether inside."""
    lines, inside = [], []
    for axis, size in enumerate(sizes):
        s, p, d = op.stride[axis], op.padding[axis], op.dilation[axis]
        lines.append(f"const int x{axis} = {outputs[axis]} * {s} + {taps[axis]} * {d} - {p};")
        inside.append(f"x{axis} >= 0 && x{axis} < {size}")
    return [*lines, f"const bool inside = {' && '.join(inside)};"]


def _names(letter: str, count: int) -> list[str]:
    return [f"{letter}{axis}" for axis in range(count)]


def convolution(name: str, setting: Setting) -> Made:
    """Outputs of all channels of a group: [pixels, taps] @ [taps, channels]."""
    op, (x, w), y = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, Convolution)
    cells, rank = Cells(name, setting), len(y.shape) - 2
    inputs, outputs = w.shape[1], w.shape[0] // op.groups
    pixels, taps = (y.shape[0], *y.shape[2:]), (inputs, *w.shape[2:])
    own, tap = ["image", *_names("o", rank)], ["channel", *_names("t", rank)]
    at = _names("x", rank)
    product = Product(op.groups, prod(pixels), outputs, prod(taps))
    product.of_a = [
        *_declared(own, pixels, "i"),
        *_declared(tap, taps, "k"),
        *_input(op, own[1:], tap[1:], x.shape[2:]),
        f"const long place = {terms(x.strides, ['image', f'(batch * {inputs} + channel)', *at])};",
    ]
    product.of_b = [
        *_declared(tap, taps, "k"),
        f"const long place = {terms(w.strides, [f'(batch * {outputs} + j)', *tap])};",
    ]
    target = ["image", f"(batch * {outputs} + j)", *own[1:]]
    product.of_result = [
        *_declared(own, pixels, "i"),
        f"const long place = {terms(y.strides, target)};",
    ]
    return _made(cells, product, f"{spelled(x.shape)} convolved with {spelled(w.shape)}")


def convolution_input_grad(name: str, setting: Setting) -> Made:
    """What flows to the input: [pixels, taps] @ [taps, channels], of the output's gradient."""
    op, (dy, w), dx = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ConvolutionInputGrad)
    cells, rank = Cells(name, setting), len(dx.shape) - 2
    inputs, outputs = w.shape[1], w.shape[0] // op.groups
    pixels, taps = (dx.shape[0], *dx.shape[2:]), (outputs, *w.shape[2:])
    own, tap = ["image", *_names("x", rank)], ["channel", *_names("t", rank)]
    product = Product(op.groups, prod(pixels), inputs, prod(taps))
    lines, inside = [], []
    for axis in range(rank):
        s, p, d = op.stride[axis], op.padding[axis], op.dilation[axis]
        lines.append(f"const int f{axis} = x{axis} + {p} - t{axis} * {d};")
        lines.append(f"const int o{axis} = f{axis} / {s};")
        inside.append(f"f{axis} >= 0 && f{axis} % {s} == 0 && o{axis} < {dy.shape[2 + axis]}")
    source = ["image", f"(batch * {outputs} + channel)", *_names("o", rank)]
    product.of_a = [
        *_declared(own, pixels, "i"),
        *_declared(tap, taps, "k"),
        *lines,
        f"const bool inside = {' && '.join(inside)};",
        f"const long place = {terms(dy.strides, source)};",
    ]
    weight = [f"(batch * {outputs} + channel)", "j", *tap[1:]]
    product.of_b = [
        *_declared(tap, taps, "k"),
        f"const long place = {terms(w.strides, weight)};",
    ]
    target = ["image", f"(batch * {inputs} + j)", *own[1:]]
    product.of_result = [
        *_declared(own, pixels, "i"),
        f"const long place = {terms(dx.strides, target)};",
    ]
    return _made(cells, product, f"What flows from {spelled(dy.shape)} to {spelled(dx.shape)}")


def convolution_weight_grad(name: str, setting: Setting) -> Made:
    """What flows to the weight: [taps, pixels] @ [pixels, channels]."""
    op, (x, dy), dw = setting.node.op, setting.operands, setting.results[0]
    assert isinstance(op, ConvolutionWeightGrad)
    cells, rank = Cells(name, setting), len(dw.shape) - 2
    inputs, outputs = dw.shape[1], dw.shape[0] // op.groups
    pixels, taps = (dy.shape[0], *dy.shape[2:]), (inputs, *dw.shape[2:])
    own, tap = ["image", *_names("o", rank)], ["channel", *_names("t", rank)]
    at = _names("x", rank)
    product = Product(op.groups, prod(taps), outputs, prod(pixels))
    product.of_a = [
        *_declared(tap, taps, "i"),
        *_declared(own, pixels, "k"),
        *_input(op, own[1:], tap[1:], x.shape[2:]),
        f"const long place = {terms(x.strides, ['image', f'(batch * {inputs} + channel)', *at])};",
    ]
    source = ["image", f"(batch * {outputs} + j)", *own[1:]]
    product.of_b = [
        *_declared(own, pixels, "k"),
        f"const long place = {terms(dy.strides, source)};",
    ]
    target = [f"(batch * {outputs} + j)", *tap]
    product.of_result = [
        *_declared(tap, taps, "i"),
        f"const long place = {terms(dw.strides, target)};",
    ]
    return _made(cells, product, f"What flows to a weight of {spelled(dw.shape)}")


CONTRACTION: dict[str, Maker] = {
    MatMul.name: matmul,
    Convolution.name: convolution,
    ConvolutionInputGrad.name: convolution_input_grad,
    ConvolutionWeightGrad.name: convolution_weight_grad,
}
"""By the op's name."""
