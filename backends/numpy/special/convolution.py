"""Convolution and its gradients: blocks of columns (im2col) and one matrix product per block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from graphc.backends.numpy.special.common import (
    SCRATCH_LIMIT,
    Rendered,
    Scratch,
    Shape,
    accumulator,
    even,
    following,
    itemsize,
    literal,
    parameters,
    scaled,
    span,
)
from graphc.kernels_templates import render

_POINTWISE_PIXELS = 64
"""From how many pixels a matrix product per image beats one over several images."""


@dataclass(frozen=True)
class _Geometry:
    """A convolution of x (batch, channels, *sizes) by w (out, channels/groups, *kernel)."""

    x_shape: Shape
    w_shape: Shape
    out_sizes: Shape
    dtype: str
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int
    parts: int

    @property
    def batch(self) -> int:
        return self.x_shape[0]

    @property
    def kernel(self) -> Shape:
        return self.w_shape[2:]

    @property
    def sizes(self) -> Shape:
        return self.x_shape[2:]

    @property
    def padded(self) -> Shape:
        """The spatial sizes with the padding on both sides."""
        pairs = zip(self.sizes, self.padding, strict=True)
        return tuple(size + 2 * pad for size, pad in pairs)

    @property
    def acc(self) -> str:
        return accumulator(self.dtype)

    @property
    def cast(self) -> bool:
        return self.acc != self.dtype

    @property
    def rows(self) -> int:
        """The rows of a block of columns: channels x taps."""
        return self.x_shape[1] * prod(self.kernel)

    @property
    def inner(self) -> int:
        return prod(self.out_sizes[1:])

    @cached_property
    def per_part(self) -> int:
        return max(1, -(-self.batch // self.parts))

    @cached_property
    def block(self) -> tuple[int, int]:
        """Images and output rows of a block: whole images where one fits the limit, else rows."""
        item = itemsize(self.acc) * self.parts
        pixels = self.out_sizes[0] * self.inner
        columns = max(1, self.rows * pixels * item)
        padded = self.x_shape[1] * prod(self.padded) * item
        image = max(columns, padded, self.w_shape[0] * pixels * item)
        if columns > SCRATCH_LIMIT:
            row = max(1, self.rows * self.inner * item)
            return 1, even(self.out_sizes[0], SCRATCH_LIMIT // row)
        return even(self.per_part, SCRATCH_LIMIT // image), self.out_sizes[0]

    @property
    def pointwise(self) -> bool:
        """Whether the convolution is a plain matrix product per image."""
        trivial = set(self.kernel) | set(self.stride) == {1} and not any(self.padding)
        enough = prod(self.out_sizes) >= _POINTWISE_PIXELS or self.batch == 1
        return trivial and enough and not self.cast

    def scratch(self, *names: str) -> tuple[tuple[str, ...], Scratch]:
        """The named scratch arrays, each with its worker axis first but for the weight's copy."""
        images, tile = self.block
        pixels, channels, out = images * tile * self.inner, self.x_shape[1], self.w_shape[0]
        grouped = (self.groups, out // self.groups, self.rows // self.groups)
        shapes: dict[str, Shape] = {
            "columns": (self.parts, self.rows * pixels),
            "product": (self.parts, out * pixels),
            "gradient": (self.parts, out * pixels),
            "padded": (self.parts, images, channels, *self.padded),
            "summed": (self.parts, channels, images, *self.padded),
            "kernel_copy": self.w_shape,
            "totals": (self.parts, *grouped),
            "matrix": (self.parts, *grouped),
        }
        aliases = {"summed": "padded", "matrix": "product"}
        shown = tuple(aliases.get(name, name) for name in names)
        return shown, tuple((shapes[name], self.acc) for name in names)

    def variables(self) -> dict[str, object]:
        """The template variables that the three kernels share."""
        images, tile = self.block
        taps = tuple("ijk"[: len(self.kernel)])
        many = len(taps) > 1
        tiled = tile < self.out_sizes[0]
        return {
            "groups": self.groups,
            "group_out": self.w_shape[0] // self.groups,
            "group_rows": self.rows // self.groups,
            "channels": self.x_shape[1],
            "out_channels": self.w_shape[0],
            "rows": self.rows,
            "batch": self.batch,
            "parts": self.parts,
            "images": images,
            "tile": tile,
            "tiled": tiled,
            "out_rows": self.out_sizes[0],
            "inner": self.inner,
            "out_inner": following(self.out_sizes[1:]),
            "kernel": literal(self.kernel),
            "tap_names": ", ".join(taps),
            "tap_loop": f"{', '.join(taps)} in "
            + (f"np.ndindex({literal(self.kernel)})" if many else f"range({self.kernel[0]})"),
            "tap_slice": self._tap_slice(taps, tiled),
            "rows_onward": "row:" if self.stride[0] == 1 else f"{self.stride[0]} * row :",
            "summary": self._summary(images, tile, tiled),
        }

    def _tap_slice(self, taps: tuple[str, ...], tiled: bool) -> str:
        """What one tap sees of the padded input, as the text of a slice per spatial axis."""
        texts = []
        for axis, tap in enumerate(taps):
            step = self.stride[axis]
            start = scaled(tap, self.dilation[axis]) if self.kernel[axis] > 1 else "0"
            count: str | int = self.out_sizes[axis]
            if axis == 0 and tiled:
                count = "height"
            texts.append(span(start, count, step))
        return ", ".join(texts)

    def _summary(self, images: int, tile: int, tiled: bool) -> str:
        """The shapes, settings and block as a phrase for the docstring."""
        block = f"{tile} output rows" if tiled else f"{images} image(s)"
        return (
            f"x {self.x_shape} and w {self.w_shape}, {self.dtype}: stride {self.stride}, padding\n"
            f"    {self.padding}, dilation {self.dilation}, groups {self.groups}; "
            f"in blocks of {block}."
        )

    def inside(self) -> str:
        """Where the image lies in its padded copy, as text."""
        pairs = zip(self.sizes, self.padding, strict=True)
        return ", ".join(f"{pad}:{pad + size}" if pad else ":" for size, pad in pairs)


def output_sizes(
    sizes: Shape, kernel: Shape, stride: Shape, padding: Shape, dilation: Shape
) -> Shape:
    """The spatial sizes of a convolution's output."""
    settings = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple((s + 2 * p - d * (k - 1) - 1) // step + 1 for s, k, step, p, d in settings)


def convolution(
    name: str,
    x_shape: Shape,
    w_shape: Shape,
    dtype: str,
    *,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int,
    parts: int = 1,
    origin: str = "Convolution.",
) -> Rendered:
    """The cross-correlation of x (N, C, *sizes) and w (O, C / groups, *kernel): (N, O, *out)."""
    out_sizes = output_sizes(x_shape[2:], w_shape[2:], stride, padding, dilation)
    shape = _Geometry(x_shape, w_shape, out_sizes, dtype, stride, padding, dilation, groups, parts)
    if shape.pointwise:
        return _pointwise(shape, name, origin, backward=False)
    names = ["columns", "product"]
    names += ["padded"] * any(padding) + ["kernel_copy"] * shape.cast
    shown, scratch = shape.scratch(*names)
    text = render(
        "convolution.numpy.j2",
        name=name,
        origin=origin,
        arguments=parameters(shown),
        pad=any(padding),
        pad_slice=shape.inside(),
        cast=shape.cast,
        **shape.variables(),
    )
    return Rendered(text, scratch)


def convolution_input_grad(
    name: str,
    dy_shape: Shape,
    w_shape: Shape,
    x_shape: Shape,
    dtype: str,
    *,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int,
    parts: int = 1,
    origin: str = "Gradient of a convolution with respect to its input.",
) -> Rendered:
    """From dy (N, O, *out) and w (O, C / groups, *kernel), the gradient of x (N, C, *sizes).

    A transposed convolution is the same kernel with its input as `dy` and its output as `x`.
    """
    shape = _Geometry(
        x_shape, w_shape, dy_shape[2:], dtype, stride, padding, dilation, groups, parts
    )
    if shape.pointwise and x_shape[2:] == dy_shape[2:]:
        return _pointwise(shape, name, origin, backward=True)
    pad = any(padding) or shape.cast
    names = ["columns", "gradient"] + ["summed"] * pad + ["kernel_copy"] * shape.cast
    shown, scratch = shape.scratch(*names)
    text = render(
        "convolution_input_grad.numpy.j2",
        name=name,
        origin=origin,
        arguments=parameters(shown),
        pad=pad,
        crop=shape.inside(),
        cast=shape.cast,
        outer=w_shape[0] == groups,
        **shape.variables(),
    )
    return Rendered(text, scratch)


def convolution_weight_grad(
    name: str,
    x_shape: Shape,
    dy_shape: Shape,
    w_shape: Shape,
    dtype: str,
    *,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    groups: int,
    parts: int = 1,
    origin: str = "Gradient of a convolution with respect to its weight.",
) -> Rendered:
    """From x (N, C, *sizes) and dy (N, O, *out), the gradient of w (O, C / groups, *kernel)."""
    shape = _Geometry(
        x_shape, w_shape, dy_shape[2:], dtype, stride, padding, dilation, groups, parts
    )
    names = ["columns", "gradient", "matrix", "totals"] + ["padded"] * any(padding)
    shown, scratch = shape.scratch(*names)
    text = render(
        "convolution_weight_grad.numpy.j2",
        name=name,
        origin=origin,
        arguments=parameters(shown),
        pad=any(padding),
        pad_slice=shape.inside(),
        **shape.variables(),
    )
    return Rendered(text, scratch)


def _pointwise(shape: _Geometry, name: str, origin: str, *, backward: bool) -> Rendered:
    """A convolution of one-pixel taps, forward or with respect to its input."""
    out, inputs = shape.w_shape[0] // shape.groups, shape.x_shape[1] // shape.groups
    view = f"w.reshape({shape.groups}, {out}, {inputs})" + ".swapaxes(1, 2)" * backward
    text = render(
        "convolution_pointwise.numpy.j2",
        name=name,
        origin=origin,
        data="dy" if backward else "x",
        weight="w",
        weight_view=view,
        batch=shape.batch,
        groups=shape.groups,
        group_in=out if backward else inputs,
        group_out=inputs if backward else out,
        pixels=prod(shape.out_sizes),
    )
    return Rendered(text)
