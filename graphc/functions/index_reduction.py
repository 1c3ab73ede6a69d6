"""Combining slices with those that a vector of integers names."""

from __future__ import annotations

import warnings

from graphc.errors import GraphcRuntimeError
from graphc.functions.indexing import check_added, raised, within
from graphc.functions.reduction import normal_dim
from graphc.functions.scattering import scatter_reduce
from graphc.ir.node import Node
from graphc.ops.function import function
from graphc.ops.movement import expand, reshape

_BETA = "index_reduce() is in beta and the API may change at any time."


@function(inplace=True)
def index_reduce(
    input: Node, dim: int, index: Node, source: Node, reduce: str, *, include_self: bool = True
) -> Node:
    """``input`` with the slices of ``source`` combined where a vector names: prod, mean, amax or
    amin. What was there takes part, unless ``include_self`` is false and something falls there."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise GraphcRuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    warnings.warn(_BETA, stacklevel=5)
    axis = normal_dim(dim, input.rank)
    check_added("index_reduce_()", input, axis, index, source)
    x, values = raised(input), raised(source)
    extent = x.shape[axis]
    places = within(raised(index), 0, extent, "index out of range in self", "IndexError")
    column = reshape(places, (places.shape[0], *(1,) * (x.rank - axis - 1)))
    spread = expand(column, values.shape)
    found = scatter_reduce(x, axis, spread, values, reduce, include_self=include_self)
    return reshape(found, input.shape)
