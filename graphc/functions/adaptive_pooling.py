"""Pooling to a given number of windows, which share the input as evenly as they can."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

from graphc.errors import GraphcRuntimeError
from graphc.functions.convolution import Extents
from graphc.functions.operands import not_implemented
from graphc.functions.precision import widened
from graphc.functions.windows import unbatched, with_batch
from graphc.ir.dtype import int64
from graphc.ir.node import Item, Node, cast, elementwise
from graphc.ir.types import TensorType
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, where
from graphc.ops.function import GradName, function
from graphc.ops.indexing import Gather, GatherNd
from graphc.ops.movement import expand, permute, reshape, zeros
from graphc.ops.pooling import AvgPool, MaxPool
from graphc.ops.reduce import ArgMax, Sum, mean
from graphc.ops.sloped import level

Sizes = int | Sequence[int | None] | None


def _output_sizes(name: str, output_size: Sizes, sizes: Sequence[int]) -> tuple[int, ...]:
    """How many windows are wanted along each dimension; None is as many as elements."""
    dims = len(sizes)
    if isinstance(output_size, int) or output_size is None:
        wanted: list[int | None] = [output_size] * dims
    else:
        wanted = list(output_size)
    if len(wanted) == 1:
        wanted = wanted * dims
    if len(wanted) != dims:
        if dims == 1:
            why = f"{name}() argument 'output_size' should contain one int (got {len(wanted)})"
        elif "max" in name:
            why = f"{name}(): internal error: output_size.size() must be {dims}"
        else:
            why = f"{name}: output_size must be {dims}"
        raise GraphcRuntimeError(why)
    return tuple(n if m is None else int(m) for m, n in zip(wanted, sizes, strict=True))


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


def _adaptive_avg_pool(name: str, input: Node, output_size: Sizes) -> Node:
    dims = int(name[-2])
    batch = with_batch(name, input, dims)
    x, sizes = widened(batch), batch.shape[2:]
    counts = _output_sizes(name, output_size, sizes)
    # PyTorch pools a line as an image of one row.
    plane = "adaptive_avg_pool2d" if dims == 1 else name
    row = (1,) if dims == 1 else ()
    if any(n < 0 for n in counts):
        shown = ", ".join(map(str, (*row, *counts)))
        raise GraphcRuntimeError(
            f"{plane}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{shown}}}"
        )
    _check_filled(plane, (*input.shape[:-dims], *row, *input.shape[-dims:]), max(dims, 2))
    if not x.dtype.is_floating_point:
        raise not_implemented(f"{plane}{'_cpu' if dims == 3 else ''}", x.dtype)
    return cast(unbatched(_means(x, counts), input, dims), input.dtype)


def _means(x: Node, counts: tuple[int, ...]) -> Node:
    """The means of so many windows along each spatial dimension."""
    sizes = x.shape[2:]
    if all(n == 1 for n in counts):
        return mean(x, tuple(range(2, x.rank)))
    if _is_even(sizes, counts):
        return AvgPool(*_even_windows(sizes, counts), True, None)(x)
    elements, _, inside = _window_elements(x, counts)
    last = (elements.rank - 1,)
    total = Sum(last)(where(inside, elements, 0.0))
    number = Sum((inside.rank - 1,))(cast(inside, x.dtype))
    return reshape(total / number, total.shape[:-1])


def _check_filled(name: str, shape: tuple[int, ...], dims: int) -> None:
    """Raise where one of the last dimensions has no elements."""
    for axis in range(len(shape) - dims, len(shape)):
        if not shape[axis]:
            raise GraphcRuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {list(shape)} with dimension {axis} being empty"
            )


def _adaptive_max_pool(name: str, input: Node, output_size: Sizes) -> tuple[Node, Node]:
    dims = int(name[-2])
    x = with_batch(name, input, dims)
    counts = _output_sizes(name, output_size, x.shape[2:])
    _check_filled(name, input.shape, dims + 1)
    if any(n < 0 for n in counts):
        raise GraphcRuntimeError(
            f"Trying to create tensor with negative dimension {min(counts)}: "
            f"{[*input.shape[:-dims], *counts]}"
        )
    if not x.dtype.is_floating_point:
        raise not_implemented(_KERNELS[dims], x.dtype)
    values, indices = _largest(x, counts)
    return unbatched(values, input, dims), unbatched(indices, input, dims)


_KERNELS = {1: "adaptive_max_pool2d", 2: "adaptive_max_pool2d", 3: "adaptive_max_pool3d_cpu"}


def _largest(x: Node, counts: tuple[int, ...]) -> tuple[Node, Node]:
    """The maxima of so many windows along each spatial dimension, and where they stand."""
    if 0 in counts:
        shape = (*x.shape[:2], *counts)
        return level(zeros(TensorType(shape, x.dtype)), x), zeros(TensorType(shape, int64))
    if _is_even(x.shape[2:], counts):
        pooled = MaxPool(*_even_windows(x.shape[2:], counts))(x)
        return Item(0)(pooled), Item(1)(pooled)
    elements, flat, inside = _window_elements(x, counts)
    last = elements.rank - 1
    best = ArgMax((last,))(where(inside, elements, -inf))
    values = reshape(Gather(last)(elements, best), best.shape[:-1])
    places = expand(flat, elements.shape)
    return values, reshape(Gather(last)(places, best), best.shape[:-1])


def _declare_max(dims: int, grad_name: str) -> None:
    """Declare the adaptive maximum pool of so many dimensions, which returns the places too."""
    name = f"adaptive_max_pool{dims}d"

    def call(input: Node, output_size: Sizes) -> tuple[Node, Node]:
        return _adaptive_max_pool(name, input, output_size)

    call.__name__ = name
    call.__doc__ = (
        f"The largest element of each of ``output_size`` windows of ``[n, c, {'ndhw'[-dims:]}]``, "
        "and where it is."
    )
    function(method=False, namespace=dims == 1, grad_name=grad_name)(call)


_declare_max(1, "SqueezeBackward1")
_declare_max(2, "AdaptiveMaxPool2DBackward0")
_declare_max(3, "AdaptiveMaxPool3DBackward0")


def _mean_name(dims: int) -> GradName:
    """One window is a mean, to PyTorch too."""

    def grad_name(input: Node, output_size: Sizes) -> str:
        one = isinstance(output_size, int) or output_size is None
        given = {output_size} if one else set(output_size)  # type: ignore[arg-type]
        return "MeanBackward1" if given == {1} else f"AdaptiveAvgPool{dims}DBackward0"

    return grad_name


@function(method=False, functional=True, grad_name="SqueezeBackward1")
def adaptive_avg_pool1d(input: Node, output_size: Extents) -> Node:
    """The mean of each of ``output_size`` windows of ``[n, c, length]``."""
    return _adaptive_avg_pool("adaptive_avg_pool1d", input, output_size)


@function(method=False, namespace=False, functional=True, grad_name=_mean_name(2))
def adaptive_avg_pool2d(input: Node, output_size: Sizes) -> Node:
    """The mean of each of ``output_size`` windows of ``[n, c, h, w]``."""
    return _adaptive_avg_pool("adaptive_avg_pool2d", input, output_size)


@function(method=False, namespace=False, functional=True, grad_name=_mean_name(3))
def adaptive_avg_pool3d(input: Node, output_size: Sizes) -> Node:
    """The mean of each of ``output_size`` windows of ``[n, c, d, h, w]``."""
    return _adaptive_avg_pool("adaptive_avg_pool3d", input, output_size)
