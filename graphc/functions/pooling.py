"""Pooling as the user calls it, over windows of a given size."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.functions.convolution import Extents
from graphc.functions.operands import not_implemented
from graphc.functions.windows import check_filled, check_outputs, unbatched, windows, with_batch
from graphc.ir.dtype import float64, int64
from graphc.ir.node import Item, Node, cast
from graphc.ops.function import function
from graphc.ops.pooling import AvgPool, MaxPool


def max_pool(
    name: str,
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    dilation: Extents = 1,
    ceil_mode: bool = False,
) -> tuple[Node, Node]:
    """The largest element of each window, and where it is in its plane, counted flat."""
    dims = int(name[-2])
    x = with_batch(name, input, dims)
    check_filled(name, input, dims)
    if dims == 1 and not input.dtype.is_floating_point:
        raise not_implemented("max_pool1d_impl", input.dtype)
    pool = MaxPool(*windows(name, kernel_size, stride, padding, dilation), ceil_mode)
    check_outputs(name, pool, x)
    pooled = pool(x)
    return unbatched(Item(0)(pooled), input, dims), unbatched(Item(1)(pooled), input, dims)


def _declare(dims: int, grad_name: str) -> None:
    """Declare the maximum pool of so many dimensions, with and without the places."""

    def with_indices(
        input: Node,
        kernel_size: Extents,
        stride: Extents | None = None,
        padding: Extents = 0,
        dilation: Extents = 1,
        ceil_mode: bool = False,
    ) -> tuple[Node, Node]:
        return max_pool(
            f"max_pool{dims}d", input, kernel_size, stride, padding, dilation, ceil_mode
        )

    def call(
        input: Node,
        kernel_size: Extents,
        stride: Extents | None = None,
        padding: Extents = 0,
        dilation: Extents = 1,
        ceil_mode: bool = False,
    ) -> Node:
        return with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)[0]

    call.__name__ = f"max_pool{dims}d"
    call.__doc__ = f"The largest element of each window of ``[n, c, {'ndhw'[-dims:]}]``."
    with_indices.__name__ = f"{call.__name__}_with_indices"
    with_indices.__doc__ = "The largest element of each window, and where it is in its plane."
    function(method=False, grad_name=grad_name)(call)
    function(method=False, namespace=dims == 1, grad_name=grad_name)(with_indices)


_declare(1, "SqueezeBackward1")
_declare(2, "MaxPool2DWithIndicesBackward0")
_declare(3, "MaxPool3DWithIndicesBackward0")


def avg_pool(
    name: str,
    input: Node,
    kernel_size: Extents,
    stride: Extents | None = None,
    padding: Extents = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Node:
    """The mean of each window."""
    dims = int(name[-2])
    settings = windows(name, kernel_size, stride, padding)
    x = with_batch(name, input, dims)
    if divisor_override == 0:
        raise GraphcRuntimeError("divisor must be not zero")
    pool = AvgPool(*settings, ceil_mode, count_include_pad, divisor_override)
    check_outputs(name, pool, x)
    if not x.dtype.is_floating_point:  # the mean of whole numbers, without its fraction
        if x.dtype is not int64:
            raise not_implemented("avg_pool3d_out_frame" if dims == 3 else "avg_pool2d", x.dtype)
        return unbatched(cast(pool(cast(x, float64)), int64), input, dims)
    return unbatched(pool(x), input, dims)


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
    return avg_pool("avg_pool1d", input, kernel_size, stride, padding, ceil_mode, count_include_pad)


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
    settings = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return avg_pool("avg_pool2d", input, *settings)


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
    settings = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return avg_pool("avg_pool3d", input, *settings)
