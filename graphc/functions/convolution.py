"""Convolutions as the user calls them, with or without a batch dimension."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node
from graphc.ops.convolution import Convolution, ConvolutionInputGrad
from graphc.ops.function import function
from graphc.ops.movement import Pad, reshape

Extents = int | Sequence[int]


def extents(name: str, value: Extents, dims: int) -> tuple[int, ...]:
    """``value`` for each of ``dims`` dimensions."""
    if isinstance(value, int):
        return (value,) * dims
    given = tuple(int(n) for n in value)
    if len(given) == 1:
        return given * dims
    if len(given) != dims:
        raise GraphcRuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match "
            f"the convolution dimensions, but got {name}={list(given)}"
        )
    return given


def batched(name: str, input: Node, dims: int) -> Node:
    """``input`` with a batch dimension."""
    if input.rank == dims + 1:
        return reshape(input, (1, *input.shape))
    if input.rank != dims + 2:
        raise GraphcRuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got "
            f"input of size: {list(input.shape)}"
        )
    return input


def _finished(result: Node, bias: Node | None, input: Node, dims: int) -> Node:
    """The result with the bias added, and without the batch dimension that was added."""
    if bias is not None:
        channels = result.shape[1]
        if bias.shape != (channels,):
            raise GraphcRuntimeError(
                f"expected bias to be 1-dimensional with {channels} elements, but got bias of "
                f"size {list(bias.shape)} instead"
            )
        result = result + reshape(bias, (channels, *(1,) * dims))
    return result if input.rank == dims + 2 else reshape(result, result.shape[1:])


def _convolve(
    name: str,
    dims: int,
    input: Node,
    weight: Node,
    bias: Node | None,
    stride: Extents,
    padding: Extents | str,
    dilation: Extents,
    groups: int,
) -> Node:
    if weight.rank != dims + 2:
        raise GraphcRuntimeError(
            f"{name}: expected a weight of {dims + 2} dimensions, got {list(weight.shape)}"
        )
    x = batched(name, input, dims)
    steps, spread = extents("stride", stride, dims), extents("dilation", dilation, dims)
    if any(n < 1 for n in steps):
        raise GraphcRuntimeError("non-positive stride is not supported")
    if isinstance(padding, str):
        x, margin = _named_padding(x, weight, steps, padding, spread)
    else:
        margin = extents("padding", padding, dims)
    if any(n < 0 for n in margin):
        raise GraphcRuntimeError("negative padding is not supported")
    return _finished(Convolution(steps, margin, spread, groups)(x, weight), bias, input, dims)


def _named_padding(
    x: Node, weight: Node, stride: tuple[int, ...], padding: str, dilation: tuple[int, ...]
) -> tuple[Node, tuple[int, ...]]:
    """The input, padded where both sides differ, and the padding on both sides."""
    if padding == "valid":
        return x, (0,) * len(stride)
    if padding != "same":
        raise GraphcRuntimeError(
            f"Invalid padding string: '{padding}': 'valid' or 'same' was expected"
        )
    if any(n != 1 for n in stride):
        raise GraphcRuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(n % 2 for n in total):
        none = (0,) * x.rank
        x = Pad(none, (0, 0, *(n % 2 for n in total)), 0)(x)
    return x, tuple(n // 2 for n in total)


@function(method=False, functional=True, grad_name="ConvolutionBackward0")
def conv1d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Extents = 1,
    padding: Extents | str = 0,
    dilation: Extents = 1,
    groups: int = 1,
) -> Node:
    """The cross-correlation of ``[n, c, length]`` with ``[o, c / groups, k]``."""
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@function(method=False, functional=True, grad_name="ConvolutionBackward0")
def conv2d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Extents = 1,
    padding: Extents | str = 0,
    dilation: Extents = 1,
    groups: int = 1,
) -> Node:
    """The cross-correlation of ``[n, c, h, w]`` with ``[o, c / groups, kh, kw]``."""
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@function(method=False, functional=True, grad_name="ConvolutionBackward0")
def conv3d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Extents = 1,
    padding: Extents | str = 0,
    dilation: Extents = 1,
    groups: int = 1,
) -> Node:
    """The cross-correlation of ``[n, c, d, h, w]`` with ``[o, c / groups, kd, kh, kw]``."""
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _convolve_transposed(
    name: str,
    dims: int,
    input: Node,
    weight: Node,
    bias: Node | None,
    stride: Extents,
    padding: Extents,
    output_padding: Extents,
    groups: int,
    dilation: Extents,
) -> Node:
    x = batched(name, input, dims)
    if x.dtype is not weight.dtype:
        raise GraphcRuntimeError(
            f"Input type ({x.dtype}) and weight type ({weight.dtype}) should be the same"
        )
    if weight.rank != dims + 2 or x.shape[1] != weight.shape[0]:
        raise GraphcRuntimeError(
            f"Given transposed=1, weight of size {list(weight.shape)}, expected input"
            f"{list(x.shape)} to have {weight.shape[0]} channels, but got {x.shape[1]} channels "
            "instead"
        )
    steps, spread = extents("stride", stride, dims), extents("dilation", dilation, dims)
    margin, extra = (
        extents("padding", padding, dims),
        extents("output_padding", output_padding, dims),
    )
    if any(e >= s and e >= d for e, s, d in zip(extra, steps, spread, strict=True)):
        raise GraphcRuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding={list(extra)}, stride={list(steps)}, dilation={list(spread)}"
        )
    settings = (x.shape[2:], weight.shape[2:], steps, margin, spread, extra)
    sizes = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(*settings, strict=True)
    )
    result = ConvolutionInputGrad(steps, margin, spread, groups, sizes)(x, weight)
    return _finished(result, bias, input, dims)


@function(method=False, functional=True, grad_name="ConvolutionBackward0")
def conv_transpose1d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    groups: int = 1,
    dilation: Extents = 1,
) -> Node:
    """What a convolution with this weight, ``[c, o / groups, k]``, would take to the input."""
    return _convolve_transposed(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


@function(method=False, functional=True, grad_name="ConvolutionBackward0")
def conv_transpose2d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    groups: int = 1,
    dilation: Extents = 1,
) -> Node:
    """As ``conv_transpose1d`` in two dimensions."""
    return _convolve_transposed(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


@function(method=False, functional=True, grad_name="ConvolutionBackward0")
def conv_transpose3d(
    input: Node,
    weight: Node,
    bias: Node | None = None,
    stride: Extents = 1,
    padding: Extents = 0,
    output_padding: Extents = 0,
    groups: int = 1,
    dilation: Extents = 1,
) -> Node:
    """As ``conv_transpose1d`` in three dimensions."""
    return _convolve_transposed(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )
