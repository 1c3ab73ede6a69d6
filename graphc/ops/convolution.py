"""Convolution over one to three spatial dimensions and its two gradients.

The three are bilinear in two of input, weight and output, so that each one's gradients are the
other two. The gradient with respect to the input is also the transposed convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphc.errors import GraphcRuntimeError
from graphc.ir.node import Node, Op
from graphc.ir.types import Shape, TensorType
from graphc.ops.movement import Slice


@dataclass(frozen=True)
class Window(Op):
    """What the three share: how the kernel moves over the input. Padding is of zeros."""

    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int
    tf32: bool = field(default=False, kw_only=True)
    """Whether factors of float32 may be rounded to the ten bits of tf32, as tensor cores take."""

    @property
    def _settings(self) -> tuple[Shape, Shape, Shape, int]:
        return self.stride, self.padding, self.dilation, self.groups

    def output_sizes(self, sizes: Sequence[int], kernel: Sequence[int]) -> Shape:
        """The spatial extents of the output, given those of the input and the weight."""
        settings = zip(sizes, kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in settings)

    def convolution(self, x: Node, w: Node, sizes: Sequence[int]) -> Node:
        """The output of these settings, as far as ``sizes`` go."""
        y = Convolution(*self._settings, tf32=self.tf32)(x, w)
        shape = (*y.shape[:2], *sizes)
        return y if y.shape == shape else Slice((0,) * y.rank, shape, (1,) * y.rank)(y)

    def input_grad(self, dy: Node, w: Node, sizes: Shape) -> Node:
        return ConvolutionInputGrad(*self._settings, sizes, tf32=self.tf32)(dy, w)

    def weight_grad(self, x: Node, dy: Node, kernel: Shape) -> Node:
        return ConvolutionWeightGrad(*self._settings, kernel, tf32=self.tf32)(x, dy)


@dataclass(frozen=True)
class Convolution(Window, name="convolution"):
    """The cross-correlation of x ``[n, c, *sizes]`` with w ``[o, c / groups, *kernel]``."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, w = types
        _check_channels(x, w, self.groups)
        sizes, kernel = x.shape[2:], w.shape[2:]
        outputs = self.output_sizes(sizes, kernel)
        padded = [n + 2 * p for n, p in zip(sizes, self.padding, strict=True)]
        reach = [d * (k - 1) + 1 for d, k in zip(self.dilation, kernel, strict=True)]
        if any(n < k for n, k in zip(padded, reach, strict=True)):
            raise GraphcRuntimeError(
                f"Calculated padded input size per channel: ({_extents(padded)}). "
                f"Kernel size: ({_extents(reach)}). "
                "Kernel size can't be greater than actual input size"
            )
        return TensorType((x.shape[0], w.shape[0], *outputs), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node | None, ...]:
        x, w = node.inputs
        return (
            self.input_grad(dy, w, x.shape[2:]) if x.requires_grad else None,
            self.weight_grad(x, dy, w.shape[2:]) if w.requires_grad else None,
        )


@dataclass(frozen=True)
class ConvolutionInputGrad(Window, name="convolution_input_grad"):
    """The gradient ``[n, c, *sizes]`` of dy ``[n, o, *out]`` and w ``[o, c / groups, *kernel]``."""

    sizes: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        dy, w = types
        return TensorType((dy.shape[0], w.shape[1] * self.groups, *self.sizes), dy.dtype)

    def grad(self, node: Node, dx: Node) -> tuple[Node | None, ...]:
        dy, w = node.inputs
        return (
            self.convolution(dx, w, dy.shape[2:]) if dy.requires_grad else None,
            self.weight_grad(dx, dy, w.shape[2:]) if w.requires_grad else None,
        )


@dataclass(frozen=True)
class ConvolutionWeightGrad(Window, name="convolution_weight_grad"):
    """The gradient ``[o, c / groups, *kernel]`` of x ``[n, c, *sizes]`` and dy ``[n, o, *out]``."""

    kernel: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        x, dy = types
        return TensorType((dy.shape[1], x.shape[1] // self.groups, *self.kernel), x.dtype)

    def grad(self, node: Node, dw: Node) -> tuple[Node | None, ...]:
        x, dy = node.inputs
        return (
            self.input_grad(dy, dw, x.shape[2:]) if x.requires_grad else None,
            self.convolution(x, dw, dy.shape[2:]) if dy.requires_grad else None,
        )


def _check_channels(x: TensorType, w: TensorType, groups: int) -> None:
    if x.dtype is not w.dtype:
        raise GraphcRuntimeError(
            f"Input type ({x.dtype}) and weight type ({w.dtype}) should be the same"
        )
    if w.shape[0] % groups:
        raise GraphcRuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(w.shape)} instead"
        )
    if x.shape[1] != w.shape[1] * groups:
        raise GraphcRuntimeError(
            f"Given groups={groups}, weight of size {list(w.shape)}, expected input"
            f"{list(x.shape)} to have {w.shape[1] * groups} channels, but got {x.shape[1]} "
            "channels instead"
        )


def _extents(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
