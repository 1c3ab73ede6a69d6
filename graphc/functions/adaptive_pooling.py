"""Pooling to a given number of windows, which share the input as evenly as they can."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.functions.convolution import batched
from graphc.functions.pooling import Pooled, unbatched
from graphc.functions.precision import real
from graphc.ir.dtype import int64
from graphc.ir.node import Item, Node, cast, elementwise
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, where
from graphc.ops.function import function
from graphc.ops.indexing import Gather, GatherNd
from graphc.ops.movement import expand, permute, reshape
from graphc.ops.pooling import AvgPool, MaxPool
from graphc.ops.reduce import ArgMax, Sum, mean

Sizes = int | Sequence[int | None] | None


def _output_sizes(output_size: Sizes, sizes: Sequence[int]) -> tuple[int, ...]:
    """How many windows are wanted along each dimension; None is as many as elements."""
    if isinstance(output_size, int) or output_size is None:
        wanted: list[int | None] = [output_size] * len(sizes)
    else:
        wanted = list(output_size)
    if len(wanted) == 1:
        wanted = wanted * len(sizes)
    if len(wanted) != len(sizes):
        raise GraphcRuntimeError(
            f"adaptive pooling: output_size must be {len(sizes)}, not {len(wanted)} values"
        )
    counts = tuple(n if m is None else int(m) for m, n in zip(wanted, sizes, strict=True))
    if any(n < 0 for n in counts):
        raise GraphcRuntimeError(
            f"elements of output_size must be greater than or equal to 0 but received {counts}"
        )
    return counts


def _is_even(sizes: Sequence[int], counts: Sequence[int]) -> bool:
    return all(m and n % m == 0 for n, m in zip(sizes, counts, strict=True))


def _even_windows(
    sizes: Sequence[int], counts: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], bool]:
    kernel = tuple(n // m for n, m in zip(sizes, counts, strict=True))
    return kernel, kernel, (0,) * len(kernel), (1,) * len(kernel), False


def _spans(size: int, count: int) -> tuple[Node, Node, int]:
    """The first index of each window and its end, and the length of the longest window."""
    number = Arange(0, 1, count, int64)()
    start = elementwise("floor_divide", number * size, count)
    stop = elementwise("floor_divide", (number + 1) * size + (count - 1), count)
    longest = max(
        (-(-(i + 1) * size // count) - i * size // count for i in range(count)), default=0
    )
    return start, stop, longest


def _window_elements(x: Node, counts: Sequence[int]) -> tuple[Node, Node, Node]:
    """The elements of each window in a last axis, where they lie in the plane, and which are real.

    Windows differ in length by one at most; a shorter one is filled up.
    """
    sizes, dims = x.shape[2:], len(counts)
    indices: list[Node] = []
    inside: Node | None = None
    flat: Node | None = None
    for axis, (size, count) in enumerate(zip(sizes, counts, strict=True)):
        start, stop, longest = _spans(size, count)
        shape = tuple(count if i == axis else 1 for i in range(dims))
        reach = tuple(longest if i == axis else 1 for i in range(dims))
        place = reshape(start, (*shape, *(1,) * dims)) + reshape(
            Arange(0, 1, longest, int64)(), (*(1,) * dims, *reach)
        )
        valid = place < reshape(stop, (*shape, *(1,) * dims))
        index = where(valid, place, 0)
        inside = valid if inside is None else And()(inside, valid)
        flat = index if flat is None else flat * size + index
        indices.append(index)
    assert inside is not None and flat is not None
    order = (*range(2, dims + 2), 0, 1)
    found = (
        GatherNd(wrap=False)(permute(x, order), *indices)
        if dims == 1
        else GatherNd()(permute(x, order), *indices)
    )
    reach_count = prod(found.shape[dims : 2 * dims])
    rows = reshape(found, (*counts, reach_count, *x.shape[:2]))
    elements = permute(rows, (dims + 1, dims + 2, *range(dims + 1)))
    full = (*counts, *found.shape[dims : 2 * dims])
    return (
        elements,
        reshape(expand(flat, full), (*counts, reach_count)),
        reshape(expand(inside, full), (*counts, reach_count)),
    )


@real("adaptive_avg_pool")
def _adaptive_avg_pool(input: Node, output_size: Sizes, dims: int) -> Node:
    x = batched(f"adaptive_avg_pool{dims}d", input, dims)
    sizes = x.shape[2:]
    counts = _output_sizes(output_size, sizes)
    if 0 in sizes:
        raise GraphcRuntimeError(
            f"adaptive_avg_pool{dims}d(): Expected input to have non-zero size for non-batch "
            f"dimensions, but input has sizes {list(input.shape)}"
        )
    if all(n == 1 for n in counts):
        pooled = mean(x, tuple(range(2, x.rank)))
    elif _is_even(sizes, counts):
        pooled = AvgPool(*_even_windows(sizes, counts), True, None)(x)
    else:
        elements, _, inside = _window_elements(x, counts)
        last = (elements.rank - 1,)
        total = Sum(last)(where(inside, elements, 0.0))
        number = Sum((inside.rank - 1,))(cast(inside, x.dtype))
        pooled = reshape(total / number, total.shape[:-1])
    return unbatched(pooled, input, dims)


def _adaptive_max_pool(input: Node, output_size: Sizes, dims: int, return_indices: bool) -> Pooled:
    x = batched(f"adaptive_max_pool{dims}d", input, dims)
    sizes = x.shape[2:]
    counts = _output_sizes(output_size, sizes)
    if _is_even(sizes, counts):
        pooled = MaxPool(*_even_windows(sizes, counts))(x)
        values, indices = Item(0)(pooled), Item(1)(pooled)
    else:
        elements, flat, inside = _window_elements(x, counts)
        last = elements.rank - 1
        lowest = -inf if x.dtype.is_floating_point else int(np.iinfo(x.dtype.numpy).min)
        best = ArgMax((last,))(where(inside, elements, lowest))
        values = reshape(Gather(last)(elements, best), best.shape[:-1])
        places = expand(flat, elements.shape)
        indices = reshape(Gather(last)(places, best), best.shape[:-1])
    if not return_indices:
        return unbatched(values, input, dims)
    return unbatched(values, input, dims), unbatched(indices, input, dims)


@function(method=False, functional=True, grad_name="SqueezeBackward1")
def adaptive_avg_pool1d(input: Node, output_size: Sizes) -> Node:
    """The mean of each of ``output_size`` windows of ``[n, c, length]``."""
    return _adaptive_avg_pool(input, output_size, 1)


@function(method=False, namespace=False, functional=True, grad_name="AdaptiveAvgPool2DBackward0")
def adaptive_avg_pool2d(input: Node, output_size: Sizes) -> Node:
    """The mean of each of ``output_size`` windows of ``[n, c, h, w]``."""
    return _adaptive_avg_pool(input, output_size, 2)


@function(method=False, namespace=False, functional=True, grad_name="AdaptiveAvgPool3DBackward0")
def adaptive_avg_pool3d(input: Node, output_size: Sizes) -> Node:
    """The mean of each of ``output_size`` windows of ``[n, c, d, h, w]``."""
    return _adaptive_avg_pool(input, output_size, 3)


@function(method=False, functional=True, grad_name="SqueezeBackward1")
def adaptive_max_pool1d(input: Node, output_size: Sizes, return_indices: bool = False) -> Pooled:
    """The largest element of each of ``output_size`` windows of ``[n, c, length]``."""
    return _adaptive_max_pool(input, output_size, 1, return_indices)


@function(method=False, namespace=False, functional=True, grad_name="AdaptiveMaxPool2DBackward0")
def adaptive_max_pool2d(input: Node, output_size: Sizes, return_indices: bool = False) -> Pooled:
    """The largest element of each of ``output_size`` windows of ``[n, c, h, w]``."""
    return _adaptive_max_pool(input, output_size, 2, return_indices)


@function(method=False, namespace=False, functional=True, grad_name="AdaptiveMaxPool3DBackward0")
def adaptive_max_pool3d(input: Node, output_size: Sizes, return_indices: bool = False) -> Pooled:
    """The largest element of each of ``output_size`` windows of ``[n, c, d, h, w]``."""
    return _adaptive_max_pool(input, output_size, 3, return_indices)
