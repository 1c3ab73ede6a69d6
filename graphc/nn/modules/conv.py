"""Convolutions as modules."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import graphc.nn.functional as F
from graphc.errors import GraphcValueError
from graphc.ir.dtype import DType
from graphc.nn import init
from graphc.nn.modules.module import Module
from graphc.nn.modules.settings import repeated
from graphc.nn.parameter import new_parameter
from graphc.tensor import Tensor

Extents = int | tuple[int, ...]
_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions of any rank, transposed or not, have in common."""

    rank: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Extents,
        stride: Extents,
        padding: Extents | str,
        dilation: Extents,
        transposed: bool,
        output_padding: Extents,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: DType | None,
    ) -> None:
        super().__init__()
        _check_channels(in_channels, out_channels, groups)
        if padding_mode not in _MODES:
            raise GraphcValueError(
                f"padding_mode must be one of {{{str(_MODES)[1:-1]}}}, but got "
                f"padding_mode='{padding_mode}'"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = repeated(kernel_size, self.rank)
        self.stride = repeated(stride, self.rank)
        self.padding: Any = padding if isinstance(padding, str) else repeated(padding, self.rank)
        self.dilation = repeated(dilation, self.rank)
        self.transposed = transposed
        self.output_padding = repeated(output_padding, self.rank)
        self.groups = groups
        self.padding_mode = padding_mode
        _check_padding(self.padding, self.stride)
        channels = (out_channels, in_channels // groups)
        if transposed:
            channels = (in_channels, out_channels // groups)
        self.weight = new_parameter((*channels, *self.kernel_size), device, dtype)
        self.register_parameter(
            "bias", new_parameter((out_channels,), device, dtype) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(-k, k), k = 1 / √fan_in."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        init.bias_like_weight_(self.bias, self.weight)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * len(value):
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


def _check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if groups <= 0:
        raise GraphcValueError("groups must be a positive integer")
    if in_channels % groups:
        raise GraphcValueError("in_channels must be divisible by groups")
    if out_channels % groups:
        raise GraphcValueError("out_channels must be divisible by groups")


def _check_padding(padding: Any, stride: tuple[int, ...]) -> None:
    if not isinstance(padding, str):
        return
    if padding not in ("same", "valid"):
        raise GraphcValueError(
            f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}"
        )
    if padding == "same" and any(s != 1 for s in stride):
        raise GraphcValueError("padding='same' is not supported for strided convolutions")


class _Conv(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Extents,
        stride: Extents = 1,
        padding: Extents | str = 0,
        dilation: Extents = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self.rank - 1]
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._borders(), mode=self.padding_mode), 0
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def _borders(self) -> list[int]:
        """What is put before and after each spatial dimension, the last one first."""
        borders: list[int] = []
        for i in reversed(range(self.rank)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                borders += [total // 2, total - total // 2]
            else:
                borders += [0, 0] if self.padding == "valid" else [self.padding[i]] * 2
        return borders

    def _one_line(self) -> str:
        kernel = self.kernel_size
        shown = kernel[0] if len(set(kernel)) == 1 else kernel
        return f"{self._get_name()}({self.in_channels}, {self.out_channels}, {shown})"


class Conv1d(_Conv):
    """A convolution over ``[batch, channels, length]``."""

    rank = 1


class Conv2d(_Conv):
    """A convolution over ``[batch, channels, height, width]``."""

    rank = 2


class Conv3d(_Conv):
    """A convolution over ``[batch, channels, depth, height, width]``."""

    rank = 3


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Extents,
        stride: Extents = 1,
        padding: Extents = 0,
        output_padding: Extents = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Extents = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise GraphcValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}'
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            True,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.rank - 1]
        output_padding = self.output_padding
        if output_size is not None:
            output_padding = self._padding_for(tuple(input.shape), tuple(output_size))
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            output_padding,
            self.groups,
            self.dilation,
        )

    def _padding_for(self, input: tuple[int, ...], output: tuple[int, ...]) -> tuple[int, ...]:
        """The output padding with which an input of this shape comes out in that one."""
        rank = self.rank
        leading = len(input) - rank
        if len(output) == leading + rank:
            output = output[leading:]
        if len(output) != rank:
            raise GraphcValueError(
                f"{type(self).__name__}: for {len(input)}D input, output_size must have {rank} or "
                f"{leading + rank} elements (got {len(output)})"
            )
        smallest = [
            (input[leading + i] - 1) * self.stride[i]
            - 2 * self.padding[i]
            + self.dilation[i] * (self.kernel_size[i] - 1)
            + 1
            for i in range(rank)
        ]
        largest = [n + self.stride[i] - 1 for i, n in enumerate(smallest)]
        if any(
            not low <= n <= high for low, n, high in zip(smallest, output, largest, strict=True)
        ):
            raise GraphcValueError(
                f"requested an output size of {list(output)}, but valid sizes range from "
                f"{smallest} to {largest} (for an input of {list(input[leading:])})"
            )
        return tuple(n - low for n, low in zip(output, smallest, strict=True))


class ConvTranspose1d(_ConvTransposeNd):
    """The transpose of ``Conv1d``."""

    rank = 1


class ConvTranspose2d(_ConvTransposeNd):
    """The transpose of ``Conv2d``."""

    rank = 2


class ConvTranspose3d(_ConvTransposeNd):
    """The transpose of ``Conv3d``."""

    rank = 3
