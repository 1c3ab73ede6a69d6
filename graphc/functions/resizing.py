"""Images in another size: between or beside their pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import (
    GraphcNotImplementedError,
    GraphcRuntimeError,
    GraphcTypeError,
    GraphcValueError,
)
from graphc.functions.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from graphc.functions.precision import LOW, widened
from graphc.ir.dtype import DType, float32, int64
from graphc.ir.node import Node, cast, elementwise
from graphc.ops.creation import Arange
from graphc.ops.elementwise import where
from graphc.ops.function import function
from graphc.ops.indexing import GatherNd
from graphc.ops.matmul import MatMul
from graphc.ops.movement import expand, permute, reshape
from graphc.ops.reduce import Sum

_RANKS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
_AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}
_PLAIN = ("nearest", "nearest-exact", "area")


def _name(
    input: Node,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    *rest: Any,
    antialias: bool = False,
    **settings: Any,
) -> str:
    dims = input.rank - 2
    if antialias or rest[2:3] == (True,):
        return f"Upsample{mode.title()}{dims}DAaBackward0"
    if mode == "area":
        return "SqueezeBackward1" if dims == 1 else f"AdaptiveAvgPool{dims}DBackward0"
    return f"Upsample{mode.title().replace('-', '')}{dims}DBackward0"


@function(method=False, namespace=False, functional=True, grad_name=_name)
def interpolate(
    input: Node,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Node:
    """``[n, c, ...]`` with its other dimensions of ``size``, or ``scale_factor`` times as large."""
    if mode in _PLAIN and align_corners is not None:
        raise GraphcValueError(
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear"
        )
    sizes, factors = _wanted(input, size, scale_factor, mode, recompute_scale_factor)
    _check_mode(input, mode, antialias, bool(align_corners))
    if any(n < 1 for n in (*sizes, *input.shape[1:])):
        given, wanted = (_sizes_named(x) for x in (input.shape[2:], sizes))
        join = " and" if len(sizes) == 1 else ""
        raise GraphcRuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({given}){join} "
            f"output ({wanted})"
        )
    if mode == "area":
        return _AREA[input.rank](input, sizes)
    x = input if mode.startswith("nearest") else widened(input)
    for i, (count, factor) in enumerate(zip(sizes, factors, strict=True)):
        if antialias:
            x = _smoothed(x, i + 2, count, factor, mode, bool(align_corners))
        else:
            x = _resized(x, i + 2, count, factor, mode, bool(align_corners))
    return cast(x, input.dtype) if input.dtype in LOW else x


def _wanted(
    x: Node, size: Any, scale_factor: Any, mode: str, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """The sizes of the result, and the factors where the user gave them and they are to count."""
    dims, own = x.rank - 2, list(x.shape[2:])
    if size is not None and scale_factor is not None:
        raise GraphcValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise GraphcValueError("either size or scale_factor should be defined")
    if recompute and size is not None:
        raise GraphcValueError("recompute_scale_factor is not meaningful with an explicit size.")
    given = size if size is not None else scale_factor
    what = "output size" if size is not None else "scale_factor"
    if not isinstance(given, list | tuple):
        given = [given] * dims
    elif len(given) != dims:
        _report_count(own, given, what)
    if size is not None:
        if not all(isinstance(n, int) for n in given):
            raise GraphcTypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
                f"Tuple[int, int, int], but got size with types {[type(n) for n in given]}"
            )
        return list(given), [None] * dims
    sizes = [math.floor(n * factor) for n, factor in zip(own, given, strict=True)]
    return sizes, [None] * dims if recompute or mode == "area" else list(given)


def _report_count(own: list[int], given: Sequence[Any], what: str) -> None:
    if what == "output size":
        raise GraphcValueError(
            "Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {own} and output size of {given}. Please provide input tensor "
            "in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format."
        )
    raise GraphcValueError(
        "Input and scale_factor must have the same number of spatial dimensions, but got input "
        f"with spatial dimensions of {own} and scale_factor of shape {given}. Please provide input "
        "tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format."
    )


def _check_mode(x: Node, mode: str, antialias: bool, align_corners: bool) -> None:
    if antialias and not (mode in _FILTERS and x.rank == 4):
        raise GraphcValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if mode == "lanczos" and x.rank == 4:
        if align_corners:
            raise GraphcValueError("Lanczos mode does not support align_corners=True")
        if not antialias:
            raise GraphcValueError("Lanczos mode requires antialias=True")
        return
    if x.rank in _AREA and (mode in _PLAIN or _RANKS.get(mode) == x.rank):
        return
    if x.rank in _AREA and mode in _RANKS:
        raise GraphcNotImplementedError(
            f"Got {x.rank}D input, but {mode} mode needs {_RANKS[mode]}D input"
        )
    raise GraphcNotImplementedError(
        "Input Error: Only 3D, 4D and 5D input Tensors supported (got "
        f"{x.rank}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | "
        f"lanczos | area | nearest-exact (got {mode})"
    )


def _sizes_named(sizes: Sequence[int]) -> str:
    return ", ".join(f"{x}: {n}" for x, n in zip("DHW"[-len(sizes) :], sizes, strict=True))


def _resized(
    x: Node, axis: int, count: int, factor: float | None, mode: str, align_corners: bool
) -> Node:
    """``x`` with ``count`` elements along ``axis``."""
    size = x.shape[axis]
    if mode.startswith("nearest"):
        return _nearest(x, axis, count, factor, 0.5 if mode == "nearest-exact" else 0.0)
    if count == size and factor is None:
        return x
    place = _places(x.dtype, size, count, factor, align_corners, mode != "bicubic")
    low = elementwise("floor", place)
    if mode == "bicubic":
        return _cubic(x, axis, low, place - low)
    low = elementwise("minimum", low, float(size - 1))
    share = place - low
    first = cast(low, int64)
    second = elementwise("minimum", first + 1, size - 1)
    weight = reshape(share, (count, *(1,) * (x.rank - 1 - axis)))
    return taken(x, axis, first) * (1.0 - weight) + taken(x, axis, second) * weight


def _nearest(x: Node, axis: int, count: int, factor: float | None, middle: float) -> Node:
    """Each element from the place below, or with ``middle`` a half from the nearest."""
    size = x.shape[axis]
    times, rest = divmod(count, size)
    if not rest and factor in (None, times):
        if times == 1:
            return x
        wide = reshape(x, (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :]))
        spread = expand(wide, (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]))
        return reshape(spread, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    scale = 1.0 / factor if factor else size / count
    place = elementwise("floor", (Arange(0.0, 1.0, count, float32)() + middle) * scale)
    return taken(x, axis, elementwise("minimum", cast(place, int64), size - 1))


def _places(
    dtype: DType, size: int, count: int, factor: float | None, align_corners: bool, clamped: bool
) -> Node:
    """Where the elements of the result lie among those of the operand."""
    number = Arange(0.0, 1.0, count, dtype)()
    if align_corners:
        return number * ((size - 1) / (count - 1) if count > 1 else 0.0)
    scale = 1.0 / factor if factor else size / count
    place = (number + 0.5) * scale - 0.5
    return elementwise("maximum", place, 0.0) if clamped else place


def _cubic(x: Node, axis: int, low: Node, share: Node) -> Node:
    """Keys' cubic convolution of the four elements around a place, with a = -0.75."""
    size, count = x.shape[axis], low.shape[0]
    a = -0.75
    total: Node | None = None
    for offset in (-1, 0, 1, 2):
        t = elementwise("abs", share - offset)
        near = ((a + 2) * t - (a + 3)) * t * t + 1
        far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        weight = reshape(where(t <= 1.0, near, far), (count, *(1,) * (x.rank - 1 - axis)))
        index = cast(low, int64) + offset
        index = elementwise("minimum", elementwise("maximum", index, 0), size - 1)
        term = taken(x, axis, index) * weight
        total = term if total is None else total + term
    assert total is not None
    return total


# -- with what lies between places taken into account -------------------------------------------


def _triangle(t: Node) -> Node:
    return elementwise("clamp_min", 1.0 - t, 0.0)


def _keys(t: Node) -> Node:
    """Keys' cubic with a = -0.5, which is 0 from 2 on."""
    near = (1.5 * t - 2.5) * t * t + 1.0
    far = ((-0.5 * t + 2.5) * t - 4.0) * t + 2.0
    return where(t < 1.0, near, where(t < 2.0, far, 0.0))


def _lanczos(t: Node) -> Node:
    """sinc(t) · sinc(t / 3), which is 0 from 3 on."""
    turn = where(t > 0.0, t, 1.0) * math.pi
    both = elementwise("sin", turn) * elementwise("sin", turn / 3.0) * 3.0 / (turn * turn)
    return where(t > 0.0, where(t < 3.0, both, 0.0), 1.0)


_FILTERS: dict[str, Callable[[Node], Node]] = {
    "bilinear": _triangle,
    "bicubic": _keys,
    "lanczos": _lanczos,
}
"""By which function of the distance elements count."""


def _smoothed(
    x: Node, axis: int, count: int, factor: float | None, mode: str, align_corners: bool
) -> Node:
    """``x`` with ``count`` elements along ``axis``, each a mean of all that it stands for."""
    size, weigh = x.shape[axis], _FILTERS[mode]
    scale = 1.0 / factor if factor else size / count
    if align_corners:
        scale = (size - 1) / (count - 1) if count > 1 else 0.0
    wide = max(scale, 1.0)
    middle = reshape((Arange(0.0, 1.0, count, x.dtype)() + 0.5) * scale, (1, count))
    place = reshape(Arange(0.0, 1.0, size, x.dtype)() + 0.5, (size, 1))
    distance = place - middle
    weights = weigh(elementwise("abs", distance) / wide)
    weights = weights / Sum((0,))(weights)
    order = tuple(i for i in range(x.rank) if i != axis)
    rows = permute(x, (*order, axis))
    flat = reshape(rows, (rows.type.size // size, size))
    found = reshape(MatMul()(flat, weights), (*rows.shape[:-1], count))
    return permute(found, (*range(axis), x.rank - 1, *range(axis, x.rank - 1)))


def taken(x: Node, axis: int, index: Node) -> Node:
    """The slices of ``x`` along ``axis`` that ``index`` names."""
    rest = [i for i in range(x.rank) if i != axis]
    rows = GatherNd(wrap=False)(permute(x, (axis, *rest)), index)
    order = [*range(1, axis + 1), 0, *range(axis + 1, x.rank)]
    return permute(rows, tuple(order))
