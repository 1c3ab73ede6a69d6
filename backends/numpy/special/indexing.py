"""Reading and writing at positions that arrays give: gather, scatter, embedding, index_put."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from graphc.backends.numpy.special.common import (
    Rendered,
    Scratch,
    Shape,
    accumulator,
    even,
    literal,
    normal_axis,
    parameters,
)
from graphc.kernels_templates import render

_BLOCK_BYTES = 1 << 20
"""The bytes of positions of one block of an embedding's gradient."""

_OFTEN = 16
"""From how many tokens a row sorting them beats scattering them, as measured."""


def _strides(shape: Shape) -> Shape:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _arange(size: int, stride: int, later: int) -> str:
    """The text of the offsets along an axis that has `later` axes after it."""
    text = f"np.arange({size})" + (f"[:{', None' * later}]" if later else "")
    return text if stride == 1 else f"{text} * {stride}"


def _along(shape: Shape, index_shape: Shape, axis: int) -> tuple[list[str], list[str]]:
    """Check and position lines of an index along one axis; neighbours that merge are one."""
    groups: list[tuple[int, int, bool]] = []
    for at, (size, stride) in enumerate(zip(index_shape, _strides(shape), strict=True)):
        if groups and at != axis and not groups[-1][2] and groups[-1][1] == size * stride:
            groups[-1] = (groups[-1][0] * size, stride, False)
        else:
            groups.append((size, stride, at == axis))
    view = ", ".join(str(size) for size, _, _ in groups)
    stride = next(stride for _, stride, indexed in groups if indexed)
    steps = [
        f"grid = places.reshape({view})",
        f"np.multiply(index.reshape({view}), {stride}, out=grid)",
    ]
    for at, (size, stride, indexed) in enumerate(groups):
        if not indexed and size > 1:
            steps.append(f"grid += {_arange(size, stride, len(groups) - at - 1)}")
    checks = [
        f"if index.size and (index.min() < 0 or index.max() >= {shape[axis]}):",
        f"    offenders = index[(index < 0) | (index >= {shape[axis]})]",
        *_raise("RuntimeError", axis, shape[axis]),
    ]
    return checks, steps


def _raise(error: str, axis: int, size: int) -> list[str]:
    """The lines that report the first of the offenders."""
    message = f"is out of bounds for dimension {axis} with size {size}"
    return [f'    raise {error}(f"index {{offenders[0]}} {message}")']


def gather(
    name: str,
    x_shape: Shape,
    index_shape: Shape,
    dtype: str,
    *,
    axis: int,
    origin: str = "Gather along an axis.",
) -> Rendered:
    """out[i, j] = x[index[i, j], j] for axis 0, and so on; `name(x, index, out, *scratch)`."""
    axis = normal_axis(axis, len(x_shape))
    checks, steps = _along(x_shape, index_shape, axis)
    text = render(
        "gather.numpy.j2",
        name=name,
        origin=origin,
        summary=f"x {x_shape} {dtype}, index {index_shape}, axis {axis}.",
        inputs="x, index",
        checks=checks,
        steps=steps,
    )
    return Rendered(text, ((index_shape, "int64"),))


def scatter(
    name: str,
    out_shape: Shape,
    index_shape: Shape,
    dtype: str,
    *,
    axis: int,
    accumulate: bool,
    base: bool,
    function: str = "np.add",
    origin: str = "Scatter along an axis.",
) -> Rendered:
    """out = x, then out[index[i, j], j] += source[i, j] for axis 0; x is zero without `base`.

    Rendered as `name(x, source, index, out, *scratch)`, or without x. Sums, or what else the
    `function` accumulates, are in the order of the source, whatever the machine; without
    `accumulate` the last of several stays.
    """
    axis = normal_axis(axis, len(out_shape))
    checks, steps = _along(out_shape, index_shape, axis)
    text = render(
        "scatter.numpy.j2",
        name=name,
        origin=origin,
        summary=f"{index_shape} {dtype} into {out_shape} along axis {axis}, in order.",
        inputs="x, source, index" if base else "source, index",
        arguments=", places",
        checks=checks,
        steps=steps,
        base="x" if base else "0",
        spread=False,
        function=function if accumulate else "",
    )
    return Rendered(text, ((index_shape, "int64"),))


def take(
    name: str,
    x_shape: Shape,
    index_shape: Shape,
    dtype: str,
    *,
    axis: int = 0,
    origin: str = "Slices along an axis.",
) -> Rendered:
    """x with the axis replaced by the shape of the index: index_select, embedding (axis 0)."""
    axis = normal_axis(axis, len(x_shape))
    text = render(
        "take.numpy.j2",
        name=name,
        origin=origin,
        summary=f"x {x_shape} {dtype}, index {index_shape}, axis {axis}.",
        axis=axis,
        size=x_shape[axis],
    )
    return Rendered(text)


def embedding_grad(
    name: str,
    index_shape: Shape,
    table_shape: Shape,
    dtype: str,
    *,
    padding_idx: int | None = None,
    origin: str = "Gradient of an embedding's table.",
) -> Rendered:
    """From dy (*index, width), the gradient of the table (size, width), summed in token order.

    Where each row is met often the tokens are sorted and summed by row, else scattered.
    """
    tokens, width = prod(index_shape), prod(table_shape[1:])
    acc = accumulator(dtype)
    by_row = tokens >= _OFTEN * table_shape[0]
    block = even(tokens, _BLOCK_BYTES // max(1, 8 * width))
    first = "gathered" if by_row else "places"
    names = (first,) if acc == dtype else (first, "total")
    scratch: Scratch = (((block, width), dtype if by_row else "int64"), (table_shape, acc))
    if padding_idx is not None:
        padding_idx = normal_axis(padding_idx, table_shape[0])
    text = render(
        "embedding_grad_sorted.numpy.j2" if by_row else "embedding_grad.numpy.j2",
        name=name,
        origin=origin,
        summary=f"index {index_shape} into {table_shape} {dtype}; {block} tokens at a time.",
        arguments=parameters(names),
        tokens=tokens,
        width=width,
        block=block,
        size=table_shape[0],
        target=names[-1] if acc != dtype else "out",
        padding=padding_idx,
    )
    return Rendered(text, scratch[: len(names)])


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape that shapes broadcast to."""
    rank = max(map(len, shapes))
    full = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*full, strict=True))


def indexed_shape(x_shape: Shape, indices: Sequence[Shape | None]) -> tuple[Shape, int]:
    """The shape of x[indices], None for a whole axis, and where the broadcast indices begin.

    Index arrays side by side leave their axes in place; apart, they come first.
    """
    padded = [*indices, *[None] * (len(x_shape) - len(indices))]
    used = [axis for axis, index in enumerate(padded) if index is not None]
    common = broadcast([index for index in padded if index is not None])
    whole = [size for size, index in zip(x_shape, padded, strict=True) if index is None]
    at = used[0] if used == list(range(used[0], used[-1] + 1)) else 0
    return (*whole[:at], *common, *whole[at:]), at


def _at_arrays(
    x_shape: Shape, indices: Sequence[Shape | None]
) -> tuple[Shape, list[str], list[str], list[str]]:
    """The result's shape, index parameters, check lines and position lines of x[indices]."""
    shape, at = indexed_shape(x_shape, indices)
    padded = [*indices, *[None] * (len(x_shape) - len(indices))]
    used = [(axis, index) for axis, index in enumerate(padded) if index is not None]
    common = len(broadcast([index for _, index in used]))
    names = [f"index_{number}" for number in range(len(used))]
    checks, terms = [], []
    tail = ", None" * (len(shape) - at - common)
    for number, (name, (axis, _)) in enumerate(zip(names, used, strict=True)):
        size, stride = x_shape[axis], _strides(x_shape)[axis]
        checks += [
            f"if {name}.size and ({name}.min() < {-size} or {name}.max() >= {size}):",
            f"    offenders = {name}[({name} < {-size}) | ({name} >= {size})]",
            # As PyTorch does, the message counts the axes that have an index.
            *_raise("IndexError", number, size),
        ]
        factor = f" * {stride}" if stride != 1 else ""
        terms.append(f"({name} % {size})" + (f"[...{tail}]" if tail else "") + factor)
    whole = [axis for axis, index in enumerate(padded) if index is None]
    for number, axis in enumerate(whole):
        place = number if number < at else number + common
        terms.append(_arange(x_shape[axis], _strides(x_shape)[axis], len(shape) - place - 1))
    steps = [f"places[...] = {terms[0]}", *(f"places += {term}" for term in terms[1:])]
    return shape, names, checks, steps


def index(
    name: str,
    x_shape: Shape,
    indices: Sequence[Shape | None],
    dtype: str,
    *,
    origin: str = "Indexing with arrays.",
) -> Rendered:
    """x[indices]: `name(x, index_0, ..., out, *scratch)`, an index per shape that is not None."""
    shape, names, checks, steps = _at_arrays(x_shape, indices)
    text = render(
        "gather.numpy.j2",
        name=name,
        origin=origin,
        summary=f"x {x_shape} {dtype} at arrays ({literal_or_none(indices)}), to {shape}.",
        inputs=", ".join(["x", *names]),
        checks=checks,
        steps=steps,
    )
    return Rendered(text, ((shape, "int64"),))


def index_put(
    name: str,
    x_shape: Shape,
    indices: Sequence[Shape | None],
    source_shape: Shape,
    dtype: str,
    *,
    accumulate: bool,
    base: bool = True,
    origin: str = "Assignment at arrays of indices.",
) -> Rendered:
    """out = x, then out[indices] = source, or += with duplicates summed in order.

    Rendered as `name(x, source, index_0, ..., out, *scratch)`; without `base` x is zero, and is
    no parameter. The source broadcasts to the shape of x[indices].
    """
    shape, names, checks, steps = _at_arrays(x_shape, indices)
    spread = source_shape != shape
    text = render(
        "scatter.numpy.j2",
        name=name,
        origin=origin,
        summary=f"{source_shape} {dtype} into {x_shape} at arrays ({literal_or_none(indices)}).",
        inputs=", ".join(["x"] * base + ["source", *names]),
        arguments=", places, spread" if spread else ", places",
        checks=checks,
        steps=steps,
        base="x" if base else "0",
        spread=spread,
        function="np.add" if accumulate else "",
    )
    return Rendered(text, ((shape, "int64"), (shape, dtype))[: 1 + spread])


def literal_or_none(indices: Sequence[Shape | None]) -> str:
    """Shapes of index arrays as text, a colon for a whole axis."""
    return ", ".join(":" if shape is None else f"({literal(shape)})" for shape in indices)
