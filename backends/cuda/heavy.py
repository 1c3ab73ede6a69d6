"""Which maker makes the kernel of each primitive that is neither elementwise nor a reduction."""

from __future__ import annotations

from graphc.backends.c_language.makers import maker_in, modules_of
from graphc.backends.cuda.made import Maker
from graphc.ir.node import Node
from graphc.lowering.views import Order
from graphc.ops.composite import Composite
from graphc.ops.convolution import Convolution, ConvolutionInputGrad

TABLES = {
    "attention": "attention attention_grad",
    "decompositions": "eigh pseudo_inverse qr svd",
    "drawing": "advance random_integer random_normal random_permutation random_uniform",
    "extremes": "argmax argmin",
    "indexing": "check_range gather gather_nd index_put index_sum scatter scatter_add "
    "scatter_reduce",
    "linear_algebra": "cholesky determinant inverse log_determinant solve solve_triangular",
    "movement": "arange concat expand pad place reshape strided",
    "ordering": "sort topk",
    "pooling": "avg_pool avg_pool_grad max_pool max_pool_grad",
    "scans": "cumprod cumsum",
}
"""The modules, and the primitives that each has makers for: in a table of the module's name."""
MODULES = modules_of(TABLES)


def preferred(node: Node) -> list[Order | None]:
    """The order of dimensions in memory that is best for each result of a kernel, if any is.

    Channels last, so that what a tap of all channels reads lies side by side; heads outermost but
    one, as projections take them.
    """
    if isinstance(node.op, Convolution | ConvolutionInputGrad):
        return [(0, *range(2, node.types[0].rank), 1)]
    if isinstance(node.op, Composite):
        return [(0, 2, 1, 3) if t.rank == 4 else None for t in node.types]
    return [None] * len(node.types)


def maker_of(node: Node) -> Maker:
    """The maker of a node's kernel. Raises where there is none."""
    return maker_in("cuda", MODULES, node)  # type: ignore[no-any-return]
