"""How many elements lie between edges, in one dimension or several."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from graphc.errors import GraphcRuntimeError
from graphc.factories import arange, ones_like, zeros
from graphc.from_data import tensor
from graphc.functions.operands import not_implemented
from graphc.functions.return_types import return_type
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def histogram(
    input: Tensor,
    bins: int | Tensor = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """The elements, or their weights, between edges: those given, or of ``bins`` equal widths.

    With ``density`` they are divided by the width and by the sum of all.
    """
    columns = input.detach().reshape(-1, 1)
    flat = None if weight is None else weight.reshape(-1)
    _check(columns, flat)
    edges = [bins] if isinstance(bins, Tensor) else _even(columns, [bins], range)
    found = _counted(columns, edges, flat, density)
    return return_type("histogram", "hist", "bin_edges")(found, edges[0])


def histogramdd(
    input: Tensor,
    bins: Any,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """The same of points, which the last dimension holds, in a grid of cells."""
    if input.ndim < 2:
        raise GraphcRuntimeError(
            "torch.histogramdd: input tensor should have at least 2 dimensions, but got "
            f"{input.ndim}"
        )
    _check(input, weight)
    dims = input.shape[-1]
    points = input.detach().reshape(-1, dims)
    given = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(given) != dims:
        raise GraphcRuntimeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input."
        )
    flat = None if weight is None else weight.reshape(-1)
    edges: Any = given if isinstance(given[0], Tensor) else _even(points, given, range)
    found = _counted(points, edges, flat, density)
    return return_type("histogramdd", "hist", "bin_edges")(found, tuple(edges))


def _check(points: Tensor, weight: Tensor | None) -> None:
    if not points.dtype.is_floating_point:
        raise not_implemented("histogramdd", points.dtype)
    if weight is not None and weight.shape != points.shape[:-1]:
        raise GraphcRuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the "
            "input tensor excluding its innermost dimension, but got input with shape "
            f"{list(points.shape)} and weight with shape {list(weight.shape)}"
        )


def _even(points: Tensor, counts: Sequence[int], given: Sequence[float] | None) -> list[Tensor]:
    """Edges at equal distances, from the least to the greatest or over the range given."""
    dims, like = points.shape[1], points
    if given is not None:
        ends = tensor(list(given), dtype=like.dtype, device=like.device).reshape(dims, 2)
        low, high = ends[:, 0], ends[:, 1]
    elif points.shape[0]:
        low, high = points.amin(0), points.amax(0)
    else:
        low, high = zeros(dims, dtype=like.dtype), ones_like(points[:0].sum(0))
    flat = low == high
    low, high = LIFTED["where"](flat, low - 0.5, low), LIFTED["where"](flat, high + 0.5, high)
    return [_spaced(low[d], high[d], n) for d, n in enumerate(counts)]


def _spaced(low: Tensor, high: Tensor, count: int) -> Tensor:
    """``count`` + 1 numbers, counted from the nearer end as ``linspace`` does."""
    if count <= 0:
        raise GraphcRuntimeError("torch.histogramdd(): bins must be > 0")
    number = arange(count + 1, device=low.device).to(low.dtype)
    step = (high - low) / count
    from_low, from_high = low + step * number, high - step * (count - number)
    spaced: Tensor = LIFTED["where"](number < (count + 1) // 2, from_low, from_high)
    return spaced


def _counted(
    points: Tensor, edges: Sequence[Tensor], weight: Tensor | None, density: bool
) -> Tensor:
    """The sums of weights in the cells of a grid; the last edges belong to the cells before."""
    counts = [e.shape[0] - 1 for e in edges]
    place: Any = 0
    inside: Any = None
    for d, (e, n) in enumerate(zip(edges, counts, strict=True)):
        x = points[:, d].contiguous()
        cell = (LIFTED["searchsorted"](e, x, right=True) - 1).clamp(max=n - 1)
        within = (x >= e[0]) & (x <= e[-1])
        inside = within if inside is None else inside & within
        place = place * n + cell.clamp(min=0)
    share = ones_like(points[:, 0]) if weight is None else weight.to(points.dtype)
    share = LIFTED["where"](inside, share, 0.0)
    start = zeros(prod(counts), dtype=points.dtype, device=points.device)
    found: Tensor = start.index_add(0, place, share).reshape(counts)
    if density:
        found = found / found.sum()
        for d, e in enumerate(edges):
            shape = [1] * len(counts)
            shape[d] = -1
            found = found / e.diff().reshape(shape)
    return found


NAMESPACE: dict[str, Any] = {"histogram": histogram, "histogramdd": histogramdd}
"""What the package offers by name."""
METHODS: dict[str, Any] = {"histogram": histogram}
"""What tensors offer."""
