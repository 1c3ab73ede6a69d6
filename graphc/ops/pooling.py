"""Pooling over windows of the spatial dimensions of ``[n, c, *sizes]``."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.ir.dtype import int64
from graphc.ir.node import Item, Node, Op
from graphc.ir.types import Shape, TensorType
from graphc.ops.indexing import Gather
from graphc.ops.movement import reshape


@dataclass(frozen=True)
class Pool(Op):
    """What poolings share: the windows."""

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    ceil_mode: bool

    def output_sizes(self, sizes: Shape) -> Shape:
        """How many windows there are along each dimension.

        With ``ceil_mode`` the last one may reach past the padded input, but must begin inside
        the input or its left padding.
        """
        result = []
        windows = (sizes, self.kernel, self.stride, self.padding, self.dilation)
        for n, k, s, p, d in zip(*windows, strict=True):
            free = n + 2 * p - d * (k - 1) - 1
            count = (free + (s - 1 if self.ceil_mode else 0)) // s + 1
            if self.ceil_mode and (count - 1) * s >= n + p:
                count -= 1
            result.append(count)
        return tuple(result)

    def pooled(self, x: TensorType) -> Shape:
        """The shape of the result. Raises where there is no window."""
        sizes = self.output_sizes(x.shape[2:])
        if any(n < 1 for n in sizes) or 0 in x.shape[1:]:
            raise GraphcRuntimeError(
                f"Given input size: ({'x'.join(map(str, x.shape[1:]))}). Calculated output size: "
                f"({'x'.join(map(str, (x.shape[1], *sizes)))}). Output size is too small"
            )
        return (*x.shape[:2], *sizes)


@dataclass(frozen=True)
class MaxPool(Pool, name="max_pool"):
    """The largest element of each window, and where it lies in its plane, counted flat."""

    def infer(self, types: tuple[TensorType, ...]) -> tuple[TensorType, ...]:
        (x,) = types
        shape = self.pooled(x)
        return TensorType(shape, x.dtype), TensorType(shape, int64)

    def grad(self, node: Node, dy: Node, _: Node | None) -> tuple[Node, ...]:
        (x,) = node.inputs
        back = MaxPoolGrad(
            self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode, x.shape[2:]
        )
        return (back(dy, Item(1)(node)),)


@dataclass(frozen=True)
class MaxPoolGrad(Pool, name="max_pool_grad"):
    """Each element of dy, added where the indices say, to planes of ``sizes``."""

    sizes: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        dy, _ = types
        return TensorType((*dy.shape[:2], *self.sizes), dy.dtype)

    def grad(self, node: Node, dx: Node) -> tuple[Node | None, ...]:
        dy, indices = node.inputs
        lead = dy.shape[:2]
        planes = reshape(dx, (*lead, prod(self.sizes)))
        places = reshape(indices, (*lead, prod(dy.shape[2:])))
        return reshape(Gather(2)(planes, places), dy.shape), None


@dataclass(frozen=True)
class AvgPool(Pool, name="avg_pool"):
    """The mean of each window."""

    count_include_pad: bool
    """Whether padding counts as elements that are zero."""
    divisor: int | None
    """What sums are divided by, instead of by the window's size."""

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (x,) = types
        return TensorType(self.pooled(x), x.dtype)

    def grad(self, node: Node, dy: Node) -> tuple[Node, ...]:
        windows = (self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode)
        means = (self.count_include_pad, self.divisor)
        return (AvgPoolGrad(*windows, *means, node.inputs[0].shape[2:])(dy),)


@dataclass(frozen=True)
class AvgPoolGrad(Pool, name="avg_pool_grad"):
    """The share of each element of planes of ``sizes`` in the gradient of the means."""

    count_include_pad: bool
    divisor: int | None
    sizes: Shape

    def infer(self, types: tuple[TensorType, ...]) -> TensorType:
        (dy,) = types
        return TensorType((*dy.shape[:2], *self.sizes), dy.dtype)

    def grad(self, node: Node, dx: Node) -> tuple[Node, ...]:
        windows = (self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode)
        return (AvgPool(*windows, self.count_include_pad, self.divisor)(dx),)
