"""Channels as pixels, pixels as channels, and images as columns of patches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.functions.convolution import Extents, batched, extents
from graphc.functions.padding import python_number
from graphc.functions.reduction import normal_dim
from graphc.functions.windows import unbatched
from graphc.ir.node import Node, grad_mode
from graphc.ir.types import TensorType
from graphc.ops.function import function
from graphc.ops.movement import Concat, Pad, Place, Slice, permute, reshape, zeros
from graphc.ops.sloped import without_derivative


@function(method=False, functional=True)
def pixel_shuffle(input: Node, upscale_factor: int) -> Node:
    """Channels spread over a finer image: ``[..., c · r², h, w]`` to ``[..., c, h · r, w · r]``."""
    *lead, channels, height, width = _image("pixel_shuffle", input)
    r = upscale_factor
    if r <= 0:
        raise GraphcRuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    if channels % (r * r):
        raise GraphcRuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    groups = channels // (r * r)
    x = reshape(input, (prod(lead), groups, r, r, height, width))
    return reshape(permute(x, (0, 1, 4, 2, 5, 3)), (*lead, groups, height * r, width * r))


@function(method=False, functional=True)
def pixel_unshuffle(input: Node, downscale_factor: int) -> Node:
    """An image gathered into channels: ``[..., c, h · r, w · r]`` to ``[..., c · r², h, w]``."""
    *lead, channels, height, width = _image("pixel_unshuffle", input)
    r = downscale_factor
    if r <= 0:
        raise GraphcRuntimeError(
            f"pixel_unshuffle expects a positive downscale_factor, but got {r}"
        )
    for label, place, size in (("height", -2, height), ("width", -1, width)):
        if size % r:
            raise GraphcRuntimeError(
                f"pixel_unshuffle expects {label} to be divisible by downscale_factor, but "
                f"input.size({place})={size} is not divisible by {r}"
            )
    x = reshape(input, (prod(lead), channels, height // r, r, width // r, r))
    shape = (*lead, channels * r * r, height // r, width // r)
    return reshape(permute(x, (0, 1, 3, 5, 2, 4)), shape)


def _image(name: str, x: Node) -> tuple[int, ...]:
    if x.rank < 3:
        raise GraphcRuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {x.rank} "
            "dimension(s)"
        )
    return x.shape


@function(method=False, functional=True, grad_name="NotImplemented")
def native_channel_shuffle(input: Node, groups: int) -> Node:
    """``channel_shuffle``, for which PyTorch has no derivative."""
    missing = "derivative for aten::native_channel_shuffle is not implemented"
    with grad_mode(False):
        shuffled = channel_shuffle(input, groups)
    return without_derivative(missing, shuffled, input)


@function(method=False, functional=True)
def channel_shuffle(input: Node, groups: int) -> Node:
    """The channels of ``groups`` groups, interleaved."""
    if input.rank < 3:
        raise GraphcRuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise GraphcRuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    batch, channels, *field = input.shape
    if channels % groups:
        raise GraphcRuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and "
            f"{groups} groups."
        )
    x = reshape(input, (batch, groups, channels // groups, prod(field)))
    return reshape(permute(x, (0, 2, 1, 3)), input.shape)


class _Windows:
    """The windows that slide over an image."""

    def __init__(
        self,
        size: Sequence[int],
        kernel: Extents,
        dilation: Extents,
        padding: Extents,
        stride: Extents,
    ) -> None:
        self.kernel = extents("kernel_size", kernel, 2)
        self.dilation = extents("dilation", dilation, 2)
        self.padding = extents("padding", padding, 2)
        self.stride = extents("stride", stride, 2)
        self.padded = tuple(n + 2 * p for n, p in zip(size, self.padding, strict=True))
        self._check()
        self.counts = tuple(
            (n - d * (k - 1) - 1) // s + 1
            for n, k, d, s in zip(self.padded, self.kernel, self.dilation, self.stride, strict=True)
        )

    def _check(self) -> None:
        """Raise, in PyTorch's words, where a setting cannot be."""
        for label, name, values, least in (
            ("kernel size", "kernel", self.kernel, 1),
            ("dilation", "dilation", self.dilation, 1),
            ("padding", "pad", self.padding, 0),
            ("stride", "stride", self.stride, 1),
        ):
            if any(n < least for n in values):
                expected = "greater than zero" if least else "non-negative"
                height, width = values
                raise GraphcRuntimeError(
                    f"{label} should be {expected}, but got {name}_height: {height} "
                    f"{name}_width: {width}"
                )

    def places(self) -> list[tuple[tuple[int, ...], ...]]:
        """For each element of a window its place in all windows: starts, stops and steps."""
        found: list[tuple[tuple[int, ...], ...]] = []
        for offset in product(*map(range, self.kernel)):
            starts = tuple(i * d for i, d in zip(offset, self.dilation, strict=True))
            stops = tuple(
                a + s * (n - 1) + 1
                for a, s, n in zip(starts, self.stride, self.counts, strict=True)
            )
            found.append((starts, stops, self.stride))
        return found

    def check_count(self, size: tuple[int, ...], count: int) -> None:
        """Raise where columns are not as many as windows."""
        if count != prod(self.counts):
            raise GraphcRuntimeError(
                f"Given output_size={size}, kernel_size={self.kernel}, dilation={self.dilation}, "
                f"padding={self.padding}, stride={self.stride}, expected size of input's "
                "dimension 2 to match the calculated number of sliding blocks "
                f"{self.counts[0]} * {self.counts[1]} = {prod(self.counts)}, but got "
                f"input.size(2)={count}."
            )


@function(method=False, namespace=False, grad_name="Im2ColBackward0")
def patch_columns(
    input: Node,
    kernel_size: Extents,
    dilation: Extents = 1,
    padding: Extents = 0,
    stride: Extents = 1,
) -> Node:
    """The patches of ``[n, c, h, w]`` as columns: ``[n, c · patch, patches]``."""
    if input.rank not in (3, 4):
        normal_dim(2 if input.rank > 1 else 1, input.rank)
        raise GraphcRuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(input.shape)}"
        )
    x = batched("im2col", input, 2)
    batch, channels, *size = x.shape
    windows = _Windows(size, kernel_size, dilation, padding, stride)
    if any(n < 1 for n in windows.counts):
        raise GraphcRuntimeError(
            f"Given input with spatial size ({size[0]}, {size[1]}), kernel_size="
            f"{windows.kernel}, dilation={windows.dilation}, padding={windows.padding}, "
            f"calculated shape of the array of sliding blocks as {windows.counts}, but its "
            "components must be at least one."
        )
    if any(windows.padding):
        frame = (0, 0, *windows.padding)
        x = Pad(frame, frame, python_number(0, x.dtype))(x)
    field = prod(windows.counts)
    parts = [
        reshape(
            Slice((0, 0, *starts), (batch, channels, *stops), (1, 1, *steps))(x),
            (batch, channels, 1, field),
        )
        for starts, stops, steps in windows.places()
    ]
    columns = parts[0] if len(parts) == 1 else Concat(2)(*parts)
    return unbatched(reshape(columns, (batch, channels * len(parts), field)), input, 2)


@function(method=False, namespace=False, functional=True, grad_name="Col2ImBackward0")
def fold(
    input: Node,
    output_size: Extents,
    kernel_size: Extents,
    dilation: Extents = 1,
    padding: Extents = 0,
    stride: Extents = 1,
) -> Node:
    """Columns of patches, ``[n, c · patch, patches]``, added up to an image of ``output_size``."""
    size = extents("output_size", output_size, 2)
    windows = _Windows(size, kernel_size, dilation, padding, stride)
    if input.rank not in (2, 3):
        raise GraphcRuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(input.shape)}"
        )
    x = batched("col2im", input, 1)
    batch, rows, field = x.shape
    patch = prod(windows.kernel)
    if rows % patch:
        raise GraphcRuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={rows} and kernel_size={windows.kernel}."
        )
    windows.check_count(size, field)
    channels = rows // patch
    parts = reshape(x, (batch, channels, patch, *windows.counts))
    blank = zeros(TensorType((batch, channels, *windows.padded), x.dtype))
    total: Node | None = None
    for i, (starts, stops, steps) in enumerate(windows.places()):
        part = Slice((0, 0, i, 0, 0), (batch, channels, i + 1, *windows.counts), (1,) * 5)(parts)
        image = Place((0, 0, *starts), (batch, channels, *stops), (1, 1, *steps))(
            blank, reshape(part, (batch, channels, *windows.counts))
        )
        total = image if total is None else total + image
    assert total is not None
    low = (0, 0, *windows.padding)
    high = (batch, channels, *(p + n for p, n in zip(windows.padding, size, strict=True)))
    inner = Slice(low, high, (1,) * 4)(total) if any(windows.padding) else total
    return unbatched(inner, input, 1)
