"""Matrix products and convolutions: tiles of the result, made of tiles of the operands.

Limits. A tile of 128 x 128 has 64 multiplications for each element that it reads, so large products
are bound by arithmetic: a multiprocessor multiplies and adds 1024 floats of two bytes, 512 of tf32
or 128 of float32 in a cycle. With warps of 64 x 64 shared memory is read for half the cycles of the
multiplications, and two blocks of a multiprocessor hide each other's latencies: 128 x 128 should
reach 80 % of what ``mma.sync`` does at most, which on sm_90 is two thirds of what ``wgmma`` does,
and 85 % of the limit of float32.

On sm_90 ``wgmma`` multiplies and adds 2048 floats of two bytes, 1024 of tf32 in a cycle. A block of
256 x 192 reads shared memory for two thirds of its cycles, and 37 bytes a cycle of the device's
cache, which is about what there is: large products should reach 75 % of it, 1.8 times as much as by
``mma.sync``. What is missing is that blocks share what they read, and that a block begins its next
tile while it writes the last. No multiplication waits for a barrier of the block: the one before is
still being done then.

Operands found by index cost 15 to 20 instructions for each element, which is copied by itself: half
the limit of tf32. Products of few rows are bound by the bytes of the larger operand, of which they
should read 75 % of what memory gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.c_language.statements import terms
from graphc.backends.cuda.cells import Cells, spelled
from graphc.backends.cuda.convolution import CONVOLUTIONS
from graphc.backends.cuda.finished import Finishing, as_finished
from graphc.backends.cuda.indices import split
from graphc.backends.cuda.made import Made, Setting
from graphc.backends.cuda.products import ProductKernel, kind_of
from graphc.backends.cuda.sides import Found, Product, Side, affine, flat_stride, index_type
from graphc.backends.cuda.tiles import Cut
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.lowering.epilogues import Finished
from graphc.lowering.finishing import Roles
from graphc.lowering.kernel import Ramp
from graphc.lowering.operands import Operand, spread
from graphc.lowering.views import dense
from graphc.ops.convolution import Window
from graphc.ops.matmul import MatMul


def product(name: str, setting: Setting, ramps: Sequence[Ramp | None], *, aliased: bool) -> Made:
    """The kernel of a product, which may finish its result. ``aliased`` as a group may be."""
    found = product_kernel(name, setting, ramps, aliased=aliased)
    return Made("", ()) if found is None else found.made()


def product_kernel(
    name: str,
    setting: Setting,
    ramps: Sequence[Ramp | None],
    *,
    aliased: bool,
    cut: Cut | None = None,
) -> ProductKernel | None:
    """The same before its text is made, or None if it is empty; ``cut`` as should be best."""
    cells = Cells(name, setting, aliased=aliased)
    if not all(prod(x.shape) for x in setting.results):
        return None
    op = as_finished(setting.node).op
    assert isinstance(op, Finished)
    plain = op.product
    assert isinstance(plain, MatMul | Window)
    result = Operand(op.type.shape, dense(op.type.shape), op.type.dtype)
    result = next((x for x in setting.results if x.shape == result.shape), result)
    maker = matmul if isinstance(plain, MatMul) else CONVOLUTIONS[plain.name]
    found = maker(cells, result)
    kind = kind_of(setting.operands[0].dtype, tf32=plain.tf32)
    return ProductKernel(cells, found, Finishing(setting, ramps, found), kind, cut)


def is_product(node: Node) -> bool:
    """Whether a node is a product, or one that finishes its result."""
    return isinstance(node.op, MatMul | Window | Finished)


def matmul(cells: Cells, y: Operand) -> Product:
    """The batched matrix product; leading axes broadcast."""
    setting = cells.setting
    (x, w), offsets = setting.operands[:2], setting.offsets
    index, lead = index_type(*setting.operands, *setting.results), y.shape[:-2]
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
        batch = flat_stride(lead, strides[:-2])
        return affine(index, base, apart, x.dtype.itemsize, *given, batch=batch)

    made = Product(prod(lead), m, n, k, index)
    made.a, made.b = found(0, wide_x, rows, inner), found(1, wide_w, inner, columns)
    made.summary, made.of_batch = f"{spelled(x.shape)} @ {spelled(w.shape)}", declared
    rank = len(y.shape)
    made.roles = Roles(tuple(range(rank - 2)), (rank - 2,), (rank - 1,))
    return made
