"""Cumulative sums and products, and stable sorting along an axis."""

from __future__ import annotations

from graphc.backends.numpy.special.common import (
    Rendered,
    Shape,
    accumulator,
    even,
    normal_axis,
    split,
)
from graphc.kernels_templates import render

_BLOCK_BYTES = 1 << 20
"""The bytes of positions that one block sorts."""

_SLICE = 256
"""Elements of a slice across the axis from which a call per slice beats one running call."""

_RUN = 16
"""Contiguous elements that such a slice needs at least."""

_LONG = 1024
"""Elements of a row from which a partition beats a whole sort for the first few."""

_SMALL = 1 << 16
"""Elements below which one worker sorts as fast as two."""


def cumulative(
    name: str,
    shape: Shape,
    dtype: str,
    *,
    axis: int,
    product: bool = False,
    origin: str = "",
) -> Rendered:
    """The cumulative sum (or product) of x along an axis; `name(x, out, *scratch)`."""
    word = "product" if product else "sum"
    acc = accumulator(dtype)
    outer, size, inner = split(shape, axis)
    text = render(
        "scan.numpy.j2",
        name=name,
        origin=origin or f"Cumulative {word}.",
        summary=f"{shape} {dtype}, along axis {axis}.",
        function="np.multiply" if product else "np.add",
        outer=outer,
        size=size,
        inner=inner,
        slices=outer * inner >= _SLICE and inner >= _RUN and size > 0,
        wide=acc != dtype,
    )
    return Rendered(text, ((shape, acc),) if acc != dtype else ())


def sort(
    name: str,
    shape: Shape,
    dtype: str,
    *,
    axis: int,
    descending: bool = False,
    keep: int | None = None,
    values: bool = True,
    indices: bool = True,
    parts: int = 2,
    origin: str = "Stable sort.",
) -> Rendered:
    """x sorted along an axis: values and int64 positions, either left out on demand.

    Equal elements stay in order, also when descending; NaN counts as the greatest. With `keep`
    only the first so many: top-k. Argsort is the positions alone, and of a bool too.
    """
    axis = normal_axis(axis, len(shape))
    outer, size, inner = split(shape, axis)
    block = even(-(-outer // parts), _BLOCK_BYTES // max(1, 8 * size * inner))
    if outer * size * inner < _SMALL or outer < parts:
        parts = 1
    part = "data[first:last]"
    text = render(
        "sort.numpy.j2",
        name=name,
        origin=origin,
        summary=f"{shape} {dtype}, along axis {axis}"
        + (f", the first {keep}." if keep is not None else "."),
        outer=outer,
        size=size,
        inner=inner,
        keep=size if keep is None else keep,
        values=values,
        indices=indices,
        block=block,
        parts=parts,
        descending=descending,
        keys=f"{part}.astype(np.float32)" if dtype == "bfloat16" else part,
    )
    return Rendered(text)


def argsort(
    name: str,
    shape: Shape,
    dtype: str,
    *,
    axis: int,
    descending: bool = False,
    parts: int = 2,
    origin: str = "Stable argsort.",
) -> Rendered:
    """The int64 positions that sort x along an axis; `name(x, indices)`."""
    return sort(
        name, shape, dtype, axis=axis, descending=descending, values=False, parts=parts,
        origin=origin,
    )  # fmt: skip


def top_k(
    name: str,
    shape: Shape,
    dtype: str,
    *,
    axis: int,
    count: int,
    largest: bool = True,
    parts: int = 2,
    origin: str = "The greatest or least few.",
) -> Rendered:
    """The `count` greatest (or least) along an axis, in order; of equals the first.

    NaN counts as the greatest. Rendered as `name(x, values, indices)`.
    """
    outer, size, inner = split(shape, axis)
    if inner == 1 and size >= _LONG and 0 < 8 * count <= size:
        text = render(
            "top_k.numpy.j2",
            name=name,
            origin=origin,
            summary=f"{shape} {dtype}, along axis {axis}, the first {count}.",
            rows=outer,
            size=size,
            keep=count,
            border=size - count if largest else count - 1,
            beyond="<" if largest else ">",
            parts=parts if outer >= parts and outer * size >= _SMALL else 1,
            descending=largest,
            keys="data[row].astype(np.float32)" if dtype == "bfloat16" else "data[row]",
        )
        return Rendered(text)
    return sort(
        name, shape, dtype, axis=axis, descending=largest, keep=count, parts=parts, origin=origin
    )
