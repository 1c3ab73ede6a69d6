"""Convolutions as the user calls them, with or without a batch dimension."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES, c_type
from graphc.ir.node import Node
from graphc.ir.types import Shape
from graphc.ops.convolution import Convolution, ConvolutionInputGrad
from graphc.ops.function import function
from graphc.ops.movement import Pad, reshape
from graphc.ops.precision import precision

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


def _check_operands(
    x: Node, weight: Node, bias: Node | None, groups: int, *, transposed: bool
) -> None:
    """Raise where the operands do not go together."""
    if x.dtype is not weight.dtype:
        raise GraphcRuntimeError(
            f"expected scalar type {C_NAMES[x.dtype.name]} but found {C_NAMES[weight.dtype.name]}"
        )
    if bias is not None and bias.dtype is not x.dtype:
        raise GraphcRuntimeError(
            f"Input type ({c_type(x.dtype)}) and bias type ({c_type(bias.dtype)}) should be the "
            "same"
        )
    if groups < 1:
        raise GraphcRuntimeError("non-positive groups is not supported")
    first, second = weight.shape[:2]
    if first < groups:
        raise GraphcRuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {list(weight.shape)} instead"
        )
    if first % groups:
        raise GraphcRuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size [{list(weight.shape)}] instead"
        )
    which = "transposed=1" if transposed else f"groups={groups}"
    wanted = first if transposed else second * groups
    if x.shape[1] != wanted:
        raise GraphcRuntimeError(
            f"Given {which}, weight of size {list(weight.shape)}, expected input{list(x.shape)} to "
            f"have {wanted} channels, but got {x.shape[1]} channels instead"
        )
    channels = second * groups if transposed else first
    if bias is not None and bias.shape != (channels,):
        given = "transposed=1, weight" if transposed else "weight"
        raise GraphcRuntimeError(
            f"Given {given} of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{channels} elements, but got bias of size {list(bias.shape)} instead"
        )


def _check_settings(stride: Shape, **others: Shape) -> None:
    for name, values in others.items():
        if any(n < 0 for n in values):
            raise GraphcRuntimeError(f"negative {name} is not supported")
    if any(n < 1 for n in stride):
        raise GraphcRuntimeError("non-positive stride is not supported")


def _finished(result: Node, bias: Node | None, input: Node, dims: int) -> Node:
    """The result with the bias added, and without the batch dimension that was added."""
    if bias is not None:
        result = result + reshape(bias, (bias.type.size, *(1,) * dims))
    return result if input.rank == dims + 2 else reshape(result, result.shape[1:])


def _check_rank(name: str, weight: Node, dims: int) -> None:
    if weight.rank != dims + 2:
        raise GraphcRuntimeError(
            f"{name}: expected a weight of {dims + 2} dimensions, got {list(weight.shape)}"
        )


def _check_extra(extra: Shape, stride: Shape, dilation: Shape) -> None:
    """Raise where what is added at the end is more than a window moves on by."""
    if all(e < s or e < d for e, s, d in zip(extra, stride, dilation, strict=True)):
        return
    # PyTorch takes a line for an image of one row.
    row = len(extra) == 1
    given = {
        "output_padding": (0, *extra) if row else extra,
        "stride": (1, *stride) if row else stride,
        "dilation": (1, *dilation) if row else dilation,
    }
    sides = ("depth", "height", "width")[-len(given["stride"]) :]
    shown = " ".join(
        f"{name}_{side}: {n}"
        for name, values in given.items()
        for side, n in zip(sides, values, strict=True)
    )
    raise GraphcRuntimeError(
        f"output padding must be smaller than either stride or dilation, but got {shown}"
    )


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
    _check_rank(name, weight, dims)
    x = batched(name, input, dims)
    steps, spread = extents("stride", stride, dims), extents("dilation", dilation, dims)
    if isinstance(padding, str):
        x, margin = _named_padding(x, weight, steps, padding, spread)
    else:
        margin = extents("padding", padding, dims)
    _check_settings(steps, padding=margin)
    _check_operands(x, weight, bias, groups, transposed=False)
    return _finished(
        Convolution(steps, margin, spread, groups, tf32=precision.convolution_tf32)(x, weight),
        bias,
        input,
        dims,
    )


_UNEVEN = (
    "Using padding='same' with even kernel lengths and odd dilation may require a zero-padded copy "
    "of the input be created"
)


def _grad_name(input: Node, weight: Node, *_: object, **__: object) -> str:
    return "ConvolutionBackward0" if input.rank == weight.rank else "SqueezeBackward1"


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
        warnings.warn(_UNEVEN, stacklevel=7)
        none = (0,) * x.rank
        x = Pad(none, (0, 0, *(n % 2 for n in total)), 0)(x)
    return x, tuple(n // 2 for n in total)


@function(method=False, functional=True, grad_name=_grad_name)
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


@function(method=False, functional=True, grad_name=_grad_name)
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


@function(method=False, functional=True, grad_name=_grad_name)
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
    _check_rank(name, weight, dims)
    steps, spread = extents("stride", stride, dims), extents("dilation", dilation, dims)
    margin, extra = (
        extents("padding", padding, dims),
        extents("output_padding", output_padding, dims),
    )
    _check_settings(steps, padding=margin, output_padding=extra)
    _check_operands(x, weight, bias, groups, transposed=True)
    _check_extra(extra, steps, spread)
    settings = (x.shape[2:], weight.shape[2:], steps, margin, spread, extra)
    sizes = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(*settings, strict=True)
    )
    result = ConvolutionInputGrad(
        steps, margin, spread, groups, sizes, tf32=precision.convolution_tf32
    )(x, weight)
    return _finished(result, bias, input, dims)


@function(method=False, functional=True, grad_name=_grad_name)
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


@function(method=False, functional=True, grad_name=_grad_name)
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


@function(method=False, functional=True, grad_name=_grad_name)
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
