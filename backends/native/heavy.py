"""Which maker makes the kernel of each primitive that is neither elementwise nor a reduction."""

from __future__ import annotations

from collections.abc import Callable

from graphc.backends.c_language.makers import maker_in, modules_of
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Maker, Setting
from graphc.ir.dtype import float32, float64
from graphc.ir.node import Node
from graphc.lowering.views import Order
from graphc.ops.composite import Composite
from graphc.ops.convolution import Window
from graphc.ops.matmul import MatMul

TABLES = {
    "attention": "attention attention_grad",
    "convolution": "convolution convolution_input_grad convolution_weight_grad",
    "drawing": "advance random_integer random_normal random_permutation random_uniform",
    "indexing": "check_range gather gather_nd index_put index_sum scatter scatter_add "
    "scatter_reduce",
    "linear_algebra": "cholesky determinant eigh inverse log_determinant pseudo_inverse qr solve "
    "solve_triangular svd",
    "matmul": "matmul",
    "movement": "arange concat expand pad place reshape strided",
    "ordering": "argmax argmin sort topk",
    "pooling": "avg_pool avg_pool_grad max_pool max_pool_grad",
    "scans": "cumprod cumsum",
}
"""The modules, and the primitives that each has makers for: in a table of the module's name."""
MODULES = modules_of(TABLES)


def maker_of(node: Node) -> Maker:
    """The maker of a node's kernel."""
    return maker_in("native", MODULES, node)  # type: ignore[no-any-return]


def can_finish(node: Node) -> bool:
    """Whether the node's kernel can take its result through a group before it is stored."""
    return isinstance(node.op, MatMul | Window) and node.dtype in (float32, float64)


def finishing(node: Node) -> Callable[[str, Setting, Epilogue], Made]:
    """The maker of a product that finishes its result."""
    return maker_of(node)


def preferred(node: Node) -> list[Order | None]:
    """The order of dimensions in memory that is best for each result of a kernel, if any is."""
    if isinstance(node.op, Window):
        from graphc.backends.native.convolution import preferred as of_convolution

        return [of_convolution(node)[-1]]
    if isinstance(node.op, Composite):
        from graphc.backends.native.attention import preferred as of_attention

        return of_attention(node)
    return [None] * len(node.types)
