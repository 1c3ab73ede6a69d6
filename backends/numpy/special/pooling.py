"""Max and average pooling with their gradients, by blocks of planes (batch x channels)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from operator import mul

from graphc.backends.numpy.special.common import (
    Rendered,
    Scratch,
    Shape,
    accumulator,
    even,
    itemsize,
    joined,
    literal,
    parameters,
    scaled,
    span,
)
from graphc.kernels_templates import render

_BLOCK_BYTES = 1 << 20
"""The bytes of the output (or of the padded input) of one block: what stays in a core's cache."""

_SMALL = 1 << 18
"""Outputs below which one worker is faster than two."""


def pool_output_sizes(
    sizes: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    *,
    ceil_mode: bool = False,
) -> Shape:
    """The spatial sizes of a pooling's output, as PyTorch's `pooling_output_shape` has them."""
    result = []
    for s, k, step, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        free = s + 2 * p - d * (k - 1) - 1
        out = (free + (step - 1 if ceil_mode else 0)) // step + 1
        if ceil_mode and (out - 1) * step >= s + p:
            out -= 1
        result.append(out)
    return tuple(result)


@dataclass(frozen=True)
class _Windows:
    """The windows of a pooling of x (N, C, *sizes), and how its planes are cut into blocks."""

    x_shape: Shape
    out_sizes: Shape
    dtype: str
    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    wanted_parts: int

    @property
    def sizes(self) -> Shape:
        return self.x_shape[2:]

    @property
    def planes(self) -> int:
        return self.x_shape[0] * self.x_shape[1]

    @property
    def parts(self) -> int:
        """The workers: one for little work, never more than planes."""
        if self.planes * prod(self.out_sizes) < _SMALL:
            return 1
        return max(1, min(self.wanted_parts, self.planes))

    @property
    def out_shape(self) -> Shape:
        return (*self.x_shape[:2], *self.out_sizes)

    @cached_property
    def padded(self) -> Shape:
        """The spatial sizes from the left padding to the last element that a window reaches."""
        rows = zip(
            self.sizes, self.out_sizes, self.kernel, self.stride, self.padding, self.dilation,
            strict=True,
        )  # fmt: skip
        return tuple(max(p + s, (o - 1) * step + d * (k - 1) + 1) for s, o, k, step, p, d in rows)

    @property
    def pad(self) -> bool:
        return self.padded != self.sizes

    @cached_property
    def block(self) -> int:
        item = itemsize(accumulator(self.dtype))
        plane = max(prod(self.out_sizes), prod(self.padded) if self.pad else 1, 1) * item
        return even(-(-self.planes // self.parts), _BLOCK_BYTES // plane)

    @property
    def tap_slice(self) -> str:
        texts = []
        for axis, name in enumerate(self.names):
            start = scaled(name, self.dilation[axis]) if self.kernel[axis] > 1 else "0"
            texts.append(span(start, self.out_sizes[axis], self.stride[axis]))
        return ", ".join(texts)

    @property
    def names(self) -> str:
        return "ijk"[: len(self.kernel)]

    @property
    def inside(self) -> str:
        triples = zip(self.sizes, self.padding, self.padded, strict=True)
        return ", ".join(
            f"{pad}:{pad + size}" if pad or edge != size else ":" for size, pad, edge in triples
        )

    def strides(self) -> Shape:
        """The elements between neighbours along each spatial axis of a plane."""
        return tuple(prod(self.sizes[axis + 1 :]) for axis in range(len(self.sizes)))

    @property
    def axes(self) -> list[str]:
        """The names of the arrays of each window's first coordinate: rows, columns and so on."""
        return ["layers", "rows", "columns"][-len(self.sizes) :]

    def coordinates(self) -> list[str]:
        """The lines that define those arrays, so shaped that they broadcast to (*out_sizes)."""
        lines = []
        for axis, name in enumerate(self.axes):
            text = f"np.arange({self.out_sizes[axis]})"
            later = len(self.sizes) - axis - 1
            text += f"[:{', None' * later}]" if later else ""
            text += f" * {self.stride[axis]}" if self.stride[axis] != 1 else ""
            text += f" - {self.padding[axis]}" if self.padding[axis] else ""
            lines.append(f"{name} = {text}")
        return lines

    def first(self, axis: int) -> str:
        """The text of each window's first coordinate that lies inside the image."""
        name, step = self.axes[axis], self.dilation[axis]
        if not self.padding[axis]:
            return name
        if step == 1:
            return f"np.maximum({name}, 0)"
        return f"np.where({name} < 0, {name} % {step}, {name})"

    def flat(self, inside: bool) -> str:
        """The text of each window's first flat index, (*out_sizes)."""
        terms = []
        for axis, stride in enumerate(self.strides()):
            text = self.first(axis) if inside else self.axes[axis]
            terms.append(text if stride == 1 else f"{text} * {stride}")
        return joined(terms, "+")

    def offsets(self) -> str:
        """The text of each tap's distance from its window's first element, in window order."""
        steps = [d * stride for d, stride in zip(self.dilation, self.strides(), strict=True)]
        if prod(self.kernel) <= 16:
            taps = product(*(range(k) for k in self.kernel))
            return f"np.array({[sum(map(mul, tap, steps)) for tap in taps]})"
        terms = []
        for axis, (count, step) in enumerate(zip(self.kernel, steps, strict=True)):
            later = ", None" * (len(steps) - axis - 1)
            text = f"np.arange({count})" + (f"[:{later}]" if later else "")
            terms.append(text if step == 1 else f"{text} * {step}")
        return f"{joined(terms, '+', always=True)}.reshape(-1)"

    def divisor(self, count_include_pad: bool, override: int | None) -> str:
        """The text of what each window's sum is divided by."""
        if override is not None:
            return str(override)
        if not self.pad or (count_include_pad and not self._overhangs()):
            return str(prod(self.kernel))
        counts = []
        for axis, name in enumerate(self.axes):
            limit = self.sizes[axis] + self.padding[axis] * count_include_pad
            end = f"np.minimum({name} + {self.kernel[axis]}, {limit})"
            begin = name if count_include_pad else self.first(axis)
            counts.append(f"({end} - {begin})")
        return joined(counts, "*")

    def _overhangs(self) -> bool:
        """Whether a window reaches beyond the right padding, as ceil_mode allows."""
        triples = zip(self.padded, self.sizes, self.padding, strict=True)
        return any(reach > size + 2 * pad for reach, size, pad in triples)

    def variables(self) -> dict[str, object]:
        """The template variables that every kernel of the family shares."""
        names = self.names
        settings = f"kernel {self.kernel}, stride {self.stride}, padding {self.padding}"
        return {
            "planes": self.planes,
            "parts": self.parts,
            "block": self.block,
            "sizes": literal(self.sizes),
            "out_sizes": literal(self.out_sizes),
            "tap_names": ", ".join(names) + ("," if len(names) == 1 else ""),
            "tap_loop": f"np.ndindex({literal(self.kernel)})",
            "tap_slice": self.tap_slice,
            "coordinates": self.coordinates(),
            "summary": f"x {self.x_shape} {self.dtype}, to {self.out_shape}:\n"
            f"    {settings}, dilation {self.dilation}.",
        }

    def scratch(self, *wanted: tuple[str, str]) -> tuple[str, Scratch]:
        """Parameters as text, and shapes, of named scratch arrays of one block per worker."""
        shapes: list[tuple[Shape, str]] = []
        for name, dtype in wanted:
            sizes = self.padded if name == "padded" else self.out_sizes
            shapes.append(((self.parts, self.block, *sizes), dtype))
        return parameters(tuple(name for name, _ in wanted)), tuple(shapes)


def _lowest(dtype: str) -> str:
    if "float" in dtype:
        return "-np.inf"
    return "False" if dtype == "bool" else f"np.iinfo(np.{dtype}).min"


def max_pool(
    name: str,
    x_shape: Shape,
    dtype: str,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    ceil_mode: bool = False,
    indices: bool = True,
    parts: int = 2,
    origin: str = "Max pooling.",
) -> Rendered:
    """Of x (N, C, *sizes): values (N, C, *out), and with `indices` their int64 flat positions.

    Rendered as `name(x, values, indices, *scratch)`, or without `indices`. Of equals the first in
    window order is chosen; of several NaN the last, as in PyTorch.
    """
    out_sizes = pool_output_sizes(
        x_shape[2:], kernel, stride, padding, dilation, ceil_mode=ceil_mode
    )
    shape = _Windows(x_shape, out_sizes, dtype, kernel, stride, padding, dilation, parts)
    nan = "float" in dtype
    narrow = "int8" if prod(kernel) <= 127 else "int32"
    wanted = [("padded", dtype)] if shape.pad else []
    if indices:
        wanted += [("candidate", dtype), ("mask", "bool")]
        wanted += [("number", narrow), ("winner", narrow), ("wide", "int64")]
        wanted += [("missing", "bool")] if nan else []
    arguments, scratch = shape.scratch(*wanted)
    text = render(
        "max_pool.numpy.j2",
        name=name,
        origin=origin,
        arguments=arguments,
        pad=shape.pad,
        pad_slice=shape.inside,
        lowest=_lowest(dtype),
        indices=indices,
        nan=nan,
        narrow=f"np.{narrow}",
        offsets=shape.offsets(),
        starts=shape.flat(inside=False),
        firsts=shape.flat(inside=True) if any(padding) else "",
        **shape.variables(),
    )
    return Rendered(text, scratch)


def max_pool_grad(
    name: str,
    x_shape: Shape,
    out_sizes: Shape,
    dtype: str,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    parts: int = 2,
    origin: str = "Gradient of max pooling.",
) -> Rendered:
    """From dy and indices (N, C, *out_sizes), the gradient of x (N, C, *sizes)."""
    shape = _Windows(x_shape, out_sizes, dtype, kernel, stride, padding, dilation, parts)
    windows = zip(kernel, stride, dilation, strict=True)
    variables = shape.variables()
    text = render(
        "max_pool_grad.numpy.j2",
        name=name,
        origin=origin,
        size=prod(shape.sizes),
        out_size=prod(out_sizes),
        unique=all(step >= d * (k - 1) + 1 for k, step, d in windows),
        **{key: variables[key] for key in ("planes", "parts", "block", "summary")},
    )
    return Rendered(text, (((shape.parts, shape.block, prod(out_sizes)), "int64"),))


def average_pool(
    name: str,
    x_shape: Shape,
    dtype: str,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    parts: int = 2,
    origin: str = "Average pooling.",
) -> Rendered:
    """The means of the windows of x (N, C, *sizes), into (N, C, *out)."""
    ones = (1,) * len(kernel)
    out_sizes = pool_output_sizes(x_shape[2:], kernel, stride, padding, ones, ceil_mode=ceil_mode)
    shape = _Windows(x_shape, out_sizes, dtype, kernel, stride, padding, ones, parts)
    acc = accumulator(dtype)
    divisor = shape.divisor(count_include_pad, divisor_override)
    wanted = [("padded", acc)] if shape.pad else []
    wanted += [("sums", acc)] if acc != dtype else []
    arguments, scratch = shape.scratch(*wanted)
    text = render(
        "average_pool.numpy.j2",
        name=name,
        origin=origin,
        arguments=arguments,
        pad=shape.pad,
        pad_slice=shape.inside,
        divisor=divisor,
        divisor_varies=not divisor.isdecimal(),
        cast=acc != dtype,
        **shape.variables(),
    )
    return Rendered(text, scratch)


def average_pool_grad(
    name: str,
    x_shape: Shape,
    out_sizes: Shape,
    dtype: str,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    parts: int = 2,
    origin: str = "Gradient of average pooling.",
) -> Rendered:
    """From dy (N, C, *out_sizes), the gradient of x (N, C, *sizes)."""
    ones = (1,) * len(kernel)
    shape = _Windows(x_shape, out_sizes, dtype, kernel, stride, padding, ones, parts)
    acc = accumulator(dtype)
    divisor = shape.divisor(count_include_pad, divisor_override)
    pad = shape.pad or acc != dtype
    arguments, scratch = shape.scratch(("shares", acc), *([("padded", acc)] if pad else []))
    text = render(
        "average_pool_grad.numpy.j2",
        name=name,
        origin=origin,
        arguments=arguments,
        pad=pad,
        crop=shape.inside,
        divisor=divisor,
        divisor_varies=not divisor.isdecimal(),
        **shape.variables(),
    )
    return Rendered(text, scratch)
