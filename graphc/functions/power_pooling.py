"""Power-average pooling: (Σ xᵖ)^(1/p) of each window."""

from __future__ import annotations

from math import inf, prod

from graphc.functions.convolution import Extents, extents
from graphc.functions.pooling import avg_pool, max_pool
from graphc.ir.node import Node, elementwise
from graphc.ops.function import function


def _pooled(
    dims: int,
    x: Node,
    p: float,
    kernel_size: Extents,
    stride: Extents | None,
    ceil_mode: bool,
) -> Node:
    if p in (inf, -inf):
        size = elementwise("abs", x)
        signed = size if p > 0 else -size
        largest, _ = max_pool(f"max_pool{dims}d", signed, kernel_size, stride, ceil_mode=ceil_mode)
        return largest if p > 0 else -largest
    powers = elementwise("pow", x, float(p))
    mean = avg_pool(f"avg_pool{dims}d", powers, kernel_size, stride, ceil_mode=ceil_mode)
    total = elementwise("sign", mean) * elementwise("relu", elementwise("abs", mean))
    count = prod(extents("kernel_size", kernel_size, dims))
    return elementwise("pow", total * float(count), 1.0 / p)


@function(method=False, namespace=False, functional=True, grad_name="PowBackward0")
def lp_pool1d(
    input: Node,
    norm_type: float,
    kernel_size: int,
    stride: Extents | None = None,
    ceil_mode: bool = False,
) -> Node:
    """(Σ xᵖ)^(1/p) of each window of ``[n, c, length]``."""
    return _pooled(1, input, norm_type, kernel_size, stride, ceil_mode)


@function(method=False, namespace=False, functional=True, grad_name="PowBackward0")
def lp_pool2d(
    input: Node,
    norm_type: float,
    kernel_size: Extents,
    stride: Extents | None = None,
    ceil_mode: bool = False,
) -> Node:
    """(Σ xᵖ)^(1/p) of each window of ``[n, c, h, w]``."""
    return _pooled(2, input, norm_type, kernel_size, stride, ceil_mode)


@function(method=False, namespace=False, functional=True, grad_name="PowBackward0")
def lp_pool3d(
    input: Node,
    norm_type: float,
    kernel_size: Extents,
    stride: Extents | None = None,
    ceil_mode: bool = False,
) -> Node:
    """(Σ xᵖ)^(1/p) of each window of ``[n, c, d, h, w]``."""
    return _pooled(3, input, norm_type, kernel_size, stride, ceil_mode)
