"""Which maker makes the kernel of each primitive that is neither elementwise nor a reduction."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from graphc.backend import refusal
from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Maker, Setting
from graphc.ir.dtype import float32, float64
from graphc.ir.node import Node
from graphc.lowering.views import Order
from graphc.ops.convolution import Window
from graphc.ops.matmul import MatMul

TABLES = (
    ("matmul", "MATMUL"),
    ("convolution", "CONVOLUTION"),
    ("pooling", "POOLING"),
    ("linear_algebra", "LINEAR_ALGEBRA"),
    ("indexing", "INDEXING"),
    ("movement", "MOVEMENT"),
    ("ordering", "ORDERING"),
    ("scans", "SCANS"),
    ("drawing", "DRAWING"),
    ("attention", "ATTENTION"),
)
"""The modules, and the tables of makers in them by the op's name."""


@cache
def makers() -> dict[str, Maker]:
    """Every maker by the op's name."""
    found: dict[str, Maker] = {}
    for module, table in TABLES:
        found.update(getattr(import_module(f"graphc.backends.native.{module}"), table))
    return found


def maker_of(node: Node) -> Maker:
    """The maker of a node's kernel."""
    maker = makers().get(getattr(node.op, "key", node.op.name))
    if maker is None:
        raise refusal("native", node)
    return maker


def can_finish(node: Node) -> bool:
    """Whether the node's kernel can take its result through a group before it is stored."""
    return isinstance(node.op, MatMul | Window) and node.dtype in (float32, float64)


def finishing(node: Node) -> Callable[[str, Setting, Epilogue], Made]:
    """The maker of a product that finishes its result."""
    if isinstance(node.op, MatMul):
        from graphc.backends.native.matmul import matmul

        return matmul
    from graphc.backends.native.convolution import FINISHING

    return FINISHING[node.op.name]


def preferred(node: Node) -> list[Order | None]:
    """The order of dimensions in memory that is best for each result of a kernel, if any is."""
    if isinstance(node.op, Window):
        from graphc.backends.native.convolution import preferred as of_convolution

        return [of_convolution(node)[-1]]
    return [None] * len(node.types)
