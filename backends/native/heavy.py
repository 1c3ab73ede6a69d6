"""Which maker makes the kernel of each primitive that is neither elementwise nor a reduction."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from graphc.backend import refusal
from graphc.backends.native.made import Maker
from graphc.ir.node import Node
from graphc.lowering.views import Order
from graphc.ops.convolution import Window

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


def preferred(node: Node) -> list[Order | None]:
    """The order of dimensions in memory that is best for each result of a kernel, if any is."""
    if isinstance(node.op, Window):
        from graphc.backends.native.convolution import preferred as of_convolution

        return [of_convolution(node)[-1]]
    return [None] * len(node.types)
