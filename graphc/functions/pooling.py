"""Pooling as the user calls it, over windows of a given size."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.functions.convolution import Extents, batched, extents
from graphc.ir.node import Item, Node
from graphc.ir.types import Shape
from graphc.ops.function import function
from graphc.ops.movement import reshape
from graphc.ops.pooling import AvgPool, MaxPool

Pooled = Node | tuple[Node, Node]


def unbatched(result: Node, input: Node, dims: int) -> Node:
    """``result`` without the batch dimension, where the input had none."""
    return result if input.rank == dims + 2 else reshape(result, result.shape[1:])


def _windows(
    dims: int, kernel_size: Extents, stride: Extents | None, padding: Extents, dilation: Extents
) -> tuple[Shape, Shape, Shape, Shape]:
    kernel = extents("kernel_size", kernel_size, dims)
    empty = stride is None or (not isinstance(stride, int) and not tuple(stride))
    steps = kernel if empty or stride is None else extents("stride", stride, dims)
    margin, spread = extents("padding", padding, dims), extents("dilation", dilation, dims)
    if any(n < 1 for n in steps):
        raise GraphcRuntimeError("stride should not be zero")
    if any(n < 1 for n in kernel):
        raise GraphcRuntimeError(f"kernel size should be greater than zero, but got {list(kernel)}")
    for p, k, d in zip(margin, kernel, spread, strict=True):
        if p < 0 or p > (d * (k - 1) + 1) // 2:
            raise GraphcRuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
    return kernel, steps, margin, spread


def _max_pool(
    dims: int,
    input: Node,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    dilation: Extents,
    ceil_mode: bool,
    return_indices: bool,
) -> Pooled:
    x = batched(f"max_pool{dims}d", input, dims)
    pooled = MaxPool(*_windows(dims, kernel_size, stride, padding, dilation), ceil_mode)(x)
    values = unbatched(Item(0)(pooled), input, dims)
    if not return_indices:
        return values
    return values, unbatched(Item(1)(pooled), input, dims)


@function(method=False, functional=True, grad_name="SqueezeBackward1")
def max_pool1d(
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """The largest element of each window of ``[n, c, length]``; with indices, where it is."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@function(method=False, functional=True, grad_name="MaxPool2DWithIndicesBackward0")
def max_pool2d(
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """The largest element of each window of ``[n, c, h, w]``; with indices, where it is."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@function(method=False, functional=True, grad_name="MaxPool3DWithIndicesBackward0")
def max_pool3d(
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """The largest element of each window of ``[n, c, d, h, w]``; with indices, where it is."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _avg_pool(
    dims: int,
    input: Node,
    kernel_size: Extents,
    stride: Extents | None,
    padding: Extents,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Node:
    x = batched(f"avg_pool{dims}d", input, dims)
    if divisor_override == 0:
        raise GraphcRuntimeError("divisor must be not zero")
    windows = _windows(dims, kernel_size, stride, padding, 1)
    pooled = AvgPool(*windows, ceil_mode, count_include_pad, divisor_override)(x)
    return unbatched(pooled, input, dims)


@function(method=False, functional=True, grad_name="SqueezeBackward1")
def avg_pool1d(
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Node:
    """The mean of each window of ``[n, c, length]``."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


@function(method=False, namespace=False, functional=True, grad_name="AvgPool2DBackward0")
def avg_pool2d(
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of each window of ``[n, c, h, w]``."""
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@function(method=False, namespace=False, functional=True, grad_name="AvgPool3DBackward0")
def avg_pool3d(
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of each window of ``[n, c, d, h, w]``."""
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )
