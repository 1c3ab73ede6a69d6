"""Which generated function computes each heavy primitive: what is neither elementwise nor a reduction."""

from __future__ import annotations

from collections.abc import Callable

from graphc.backends.numpy.special.common import Rendered
from graphc.ir.node import Node

HEAVY: dict[str, Callable[[str, Node], Rendered]] = {}
"""By the op's name: from the function's name and the node to ``def name(*operands, *outs, *scratch)``."""
