"""Which products cuBLASLt computes just as graphc would, with what becomes of their results."""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.backends.cuda.actions import accesses
from graphc.backends.cuda.by_library import SUPPORTED
from graphc.backends.cuda.finished import Finishing
from graphc.backends.cuda.multiplication import Matrix, Problem
from graphc.backends.cuda.products import ProductKernel
from graphc.backends.cuda.sides import flat_stride
from graphc.ir.node import Const, Input, Node
from graphc.ir.types import Shape
from graphc.lowering.operands import Operand, single, spread
from graphc.ops.matmul import MatMul

NODES = 12
"""Computations after a product, of which none that the library knows has more."""
ALIGNED = 16
"""Bytes that addresses of arrays are multiples of."""
GELU = "mul({0}, sigmoid(mul({0}, add(mul(mul({0}, {0}), {1}), {2}))))"
SLOPES = (0.07135481627260025, 1.5957691216057308)
"""2 sqrt(2 / pi), and 0.044715 times that: gelu by tanh, which is written as a sigmoid."""
SUMS = {"y": False, "add(y, bias)": True, "add(bias, y)": True}
"""What the library does before the activation, and whether it has a bias."""
KNOWN = {
    form.format(value, *SLOPES): (name, bias)
    for name, form in (("", "{0}"), ("relu", "relu({0})"), ("gelu", GELU))
    for value, bias in SUMS.items()
}
"""The computations, by their text: the activation, and whether it has a bias."""


@dataclass(frozen=True)
class Form:
    """A product as a problem of the library's, and where its arguments are."""

    problem: Problem
    arguments: tuple[int, ...]
    """The numbers of the kernel's parameters: the operands, the result, the bias if any."""
    bias_alignment: int = ALIGNED


def form_of(kernel: ProductKernel) -> Form | None:
    """The library's form of a product, or None where it has none."""
    setting, finishing = kernel.cells.setting, kernel.finishing
    op = finishing.op
    if not isinstance(op.product, MatMul) or kernel.dtype not in SUPPORTED:
        return None
    if len(setting.results) != 1 or setting.results[0].dtype is not kernel.dtype:
        return None
    known = KNOWN.get(_text(finishing))
    problem = _problem(kernel)
    if known is None or problem is None:
        return None
    activation, has_bias = known
    numbers = (0, 1, len(setting.operands))
    problem = replace(problem, activation=activation, bias=has_bias)
    if not has_bias:
        return Form(problem, numbers)
    if not _is_row(finishing):
        return None
    return Form(problem, (*numbers, 2), _aligned(setting.offsets[2] * kernel.dtype.itemsize))


# -- what becomes of the result ------------------------------------------------------------------


def _text(finishing: Finishing) -> str:
    """The computation of a single result, of the product ``y`` and at most one ``bias``."""
    body, slot = finishing.op.group.body, finishing.op.slot
    if len(body.computed) > NODES or len(body.inputs) > 2:
        return ""
    names = {x: "y" if i == slot else "bias" for i, x in enumerate(body.inputs)}

    def text(x: Node) -> str:
        if isinstance(x.op, Input):
            return names[x]
        if isinstance(x.op, Const):
            return repr(x.op.value)
        # Roundings between are left out: the library has what it computes in float32.
        if x.op.name == "cast" and x.dtype.is_floating_point:
            return text(x.inputs[0])
        return f"{x.op.name}({', '.join(map(text, x.inputs))})"

    return text(body.outputs[0])


def _is_row(finishing: Finishing) -> bool:
    """Whether the second operand of the group has a number in memory for each column alone."""
    (x,) = finishing.operands
    slot = 1 - finishing.op.slot
    if all(read.parameter != slot for read in accesses(finishing.kernel)):
        return False  # a number or a range, which is not in memory
    space, roles = finishing.op.group.space, finishing.roles
    strides = spread(x, len(space)).strides
    others = [strides[axis] for axis in (*roles.batch, *roles.rows)]
    extents = [space[axis] for axis in roles.columns]
    along = flat_stride(tuple(extents), tuple(strides[axis] for axis in roles.columns))
    return x.dtype is finishing.op.type.dtype and not any(others) and along == 1


# -- where everything lies -----------------------------------------------------------------------


def _problem(kernel: ProductKernel) -> Problem | None:
    """The product alone."""
    setting, size = kernel.cells.setting, kernel.dtype.itemsize
    batch, m, n, k = kernel.extents
    product = kernel.finishing.op.product
    assert isinstance(product, MatMul)
    lead = kernel.finishing.op.type.shape[:-2]
    x, w = (_operand(o, lead) for o in setting.operands[:2])
    y = _result(kernel.finishing, setting.results[0])
    if x is None or w is None or y is None:
        return None
    if batch > 1 and w.apart == 0 and x.apart == m * x.row and y.apart == m * y.row:
        batch, m = 1, batch * m
    left = _matrix(x, m, k, setting.offsets[0] * size)
    right = _matrix(w, k, n, setting.offsets[1] * size)
    result = _matrix(y, m, n, 0)
    if left is None or right is None or result is None or result.transposed:
        return None
    return Problem(kernel.dtype, product.tf32, batch, left, right, result)


@dataclass(frozen=True)
class Strides:
    """Elements between the matrices of a batch, their rows and their columns."""

    apart: int
    row: int
    column: int


def _operand(x: Operand, lead: Shape) -> Strides | None:
    strides = spread(x, len(lead) + 2).strides
    apart = flat_stride(lead, strides[:-2])
    return None if apart is None else Strides(apart, *strides[-2:])


def _result(finishing: Finishing, x: Operand) -> Strides | None:
    """The same of the result, whose axes may be those of the product, cut in several."""
    strides, space, roles = single(x), finishing.op.group.space, finishing.roles
    found = [
        flat_stride(tuple(space[a] for a in axes), tuple(strides[a] for a in axes))
        for axes in (roles.batch, roles.rows, roles.columns)
    ]
    apart, row, column = found
    if apart is None or row is None or column is None:
        return None
    return Strides(apart, row, column)


def _matrix(x: Strides, rows: int, columns: int, offset: int) -> Matrix | None:
    """A matrix of ours, whose rows are the library's columns unless it lies turned round."""
    if min(x.apart, x.row, x.column) < 0:
        return None
    aligned = _aligned(offset)
    if (x.column == 1 or columns == 1) and (x.row >= columns or rows == 1):
        return Matrix(columns, rows, max(x.row, columns), x.apart, False, aligned)
    if (x.row == 1 or rows == 1) and (x.column >= rows or columns == 1):
        return Matrix(rows, columns, max(x.column, rows), x.apart, True, aligned)
    return None


def _aligned(offset: int) -> int:
    """What an address so many bytes after an aligned one is a multiple of."""
    return ALIGNED if offset == 0 else min(ALIGNED, offset & -offset)
