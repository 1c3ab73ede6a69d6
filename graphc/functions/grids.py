"""Images sampled at the places that a grid names, and grids of affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import C_NAMES
from graphc.functions.pieces import cut
from graphc.functions.precision import widened
from graphc.ir.dtype import DType, int64
from graphc.ir.node import Node, cast, const, elementwise
from graphc.ops.creation import Arange
from graphc.ops.elementwise import And, where
from graphc.ops.function import function
from graphc.ops.indexing import GatherNd
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, expand, full, permute, reshape
from graphc.ops.precision import multiplied
from graphc.ops.sloped import level

Tap = tuple[Node, Node | None, Node]
"""Along one dimension: which element, whether there is one, and its weight."""


def _sample_name(input: Node, *_: object) -> str:
    return f"GridSampler{input.rank - 2}DBackward0"


@function(method=False, namespace=False, grad_name=_sample_name)
def grid_sampled(
    input: Node, grid: Node, mode: str, padding_mode: str, align_corners: bool
) -> Node:
    """``[n, c, ...]`` at the places of ``[n, ..., dims]``, of which -1 and 1 are the ends."""
    _check(input, grid, mode)
    x, places = widened(input), widened(grid)
    sizes, count = x.shape[2:], len(x.shape) - 2
    taps = []
    for axis, size in enumerate(sizes):
        own = cut(places, places.rank - 1, count - 1 - axis, count - axis)
        place = _unscaled(reshape(own, places.shape[:-1]), size, align_corners)
        taps.append(_taps(place, size, mode, padding_mode, align_corners))
    rows = reshape(permute(x, (0, *range(2, x.rank), 1)), (x.type.size // x.shape[1], x.shape[1]))
    first = reshape(Arange(0, 1, x.shape[0], int64)(), (x.shape[0], *(1,) * count))
    total: Node | None = None
    for combination in product(*taps):
        term = _term(rows, first, sizes, combination)
        total = term if total is None else total + term
    assert total is not None
    result = permute(total, (0, total.rank - 1, *range(1, total.rank - 1)))
    return cast(level(result, grid) if mode == "nearest" else result, input.dtype)


def _term(rows: Node, first: Node, sizes: Sequence[int], taps: Sequence[Tap]) -> Node:
    """The elements that a combination of taps names, times the product of their weights."""
    index, weight, valid = first, None, None
    for size, (place, there, share) in zip(sizes, taps, strict=True):
        index = index * size + place
        weight = share if weight is None else weight * share
        if there is not None:
            valid = there if valid is None else And()(valid, there)
    assert weight is not None
    if valid is not None:
        weight = where(valid, weight, 0.0)
    return GatherNd(wrap=False)(rows, index) * reshape(weight, (*weight.shape, 1))


def _unscaled(place: Node, size: int, align_corners: bool) -> Node:
    """Places between -1 and 1 as places among ``size`` elements."""
    if align_corners:
        return (place + 1.0) / 2.0 * (size - 1)
    return ((place + 1.0) * size - 1.0) / 2.0


def _taps(place: Node, size: int, mode: str, padding: str, align_corners: bool) -> list[Tap]:
    """The elements along one dimension that a sample is made of."""
    if mode == "bicubic":
        low = elementwise("floor", place)
        weights = _cubic(place - low)
        found = []
        for offset, weight in zip((-1.0, 0.0, 1.0, 2.0), weights, strict=True):
            element = _inside(low + offset, size, padding, align_corners)
            found.append(_tap(element, weight, size))
        return found
    place = _inside(place, size, padding, align_corners)
    if mode == "nearest":
        return [_tap(elementwise("round", place), full(place.shape, const(1.0, place.dtype)), size)]
    low = elementwise("floor", place)
    share = place - low
    return [_tap(low, 1.0 - share, size), _tap(low + 1.0, share, size)]


def _tap(element: Node, weight: Node, size: int) -> Tap:
    there = And()(element >= 0.0, element <= float(size - 1))
    return cast(where(there, element, 0.0), int64), there, weight


def _inside(place: Node, size: int, padding: str, align_corners: bool) -> Node:
    """The place brought to where there are elements, unless what is outside is zero."""
    if padding == "zeros":
        return place
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
        place = _reflected(place, low, high - low)
    last = float(size - 1)
    return where(place <= 0.0, 0.0, where(place >= last, last, place))


def _reflected(place: Node, low: float, span: float) -> Node:
    """The place mirrored at both ends of a range as often as it takes."""
    if not span:
        return place * 0.0
    distance = elementwise("abs", place - low)
    turns = elementwise("floor", distance / span)
    rest = distance - turns * span
    odd = elementwise("floor", turns / 2.0) * 2.0 < turns
    return where(odd, span - rest, rest) + low


def _cubic(share: Node) -> tuple[Node, ...]:
    """Keys' weights of the four elements around a place, with a = -0.75."""
    a = -0.75

    def near(t: Node) -> Node:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Node) -> Node:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return far(share + 1.0), near(share), near(1.0 - share), far(2.0 - share)


def _check(input: Node, grid: Node, mode: str) -> None:
    dims, shapes = input.rank - 2, [list(x.shape) for x in (input, grid)]
    if input.shape[:1] != grid.shape[:1]:
        raise GraphcRuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {shapes[0]} and grid with sizes {shapes[1]}"
        )
    if not grid.rank or grid.shape[-1] != dims:
        raise GraphcRuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid "
            f"with sizes {shapes[1]}"
        )
    for axis, extent in enumerate(input.shape[2:], 2):
        if not extent:
            raise GraphcRuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input "
                f"has sizes {shapes[0]} with dimension {axis} being empty"
            )
    if dims not in (2, 3) or grid.rank != input.rank:
        raise GraphcRuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {shapes[0]} and grid with sizes {shapes[1]}"
        )
    if mode == "bicubic" and dims != 2:
        raise GraphcRuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input.dtype is not grid.dtype:
        raise GraphcRuntimeError(
            f"expected scalar type {C_NAMES[input.dtype.name]} but found {C_NAMES[grid.dtype.name]}"
        )


@function(method=False, namespace=False, grad_name="AffineGridGeneratorBackward0")
def affine_places(theta: Node, size: Sequence[int], align_corners: bool) -> Node:
    """``[n, ..., dims]``: where each affine map of ``theta`` takes the places of a grid."""
    sizes = tuple(size[2:])
    if theta.shape[0] != size[0]:
        raise GraphcRuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{size[0]}, "
            f"{len(sizes) + 1}] but got: [{theta.shape[0]}, {theta.shape[2]}]."
        )
    columns = []
    for axis in reversed(range(len(sizes))):
        own = tuple(n if i == axis else 1 for i, n in enumerate((*sizes, 1)))
        line = reshape(_line(sizes[axis], theta.dtype, align_corners), own)
        columns.append(expand(line, (*sizes, 1)))
    columns.append(full((*sizes, 1), const(1.0, theta.dtype)))
    base = Concat(len(sizes))(*columns)
    rows = reshape(base, (base.type.size // (len(sizes) + 1), len(sizes) + 1))
    return reshape(multiplied(rows, transposed(theta)), (theta.shape[0], *sizes, len(sizes)))


def _line(count: int, dtype: DType, align_corners: bool) -> Node:
    """``count`` places between -1 and 1, at even distances."""
    if count == 1:
        return full((1,), const(0.0, dtype))
    line = Arange(0.0, 1.0, count, dtype)() * (2.0 / (count - 1)) + -1.0
    return line if align_corners else line * ((count - 1) / count)
