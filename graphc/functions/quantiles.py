"""Values below which a given share of the elements lies."""

from __future__ import annotations

from math import prod

from graphc.errors import GraphcRuntimeError
from graphc.functions.arithmetic import lerp
from graphc.functions.indexing import within
from graphc.functions.ordering import sort
from graphc.functions.reduction import normal_dim
from graphc.ir.dtype import float32, float64, int64
from graphc.ir.node import Node, cast, const, elementwise
from graphc.ops import reduce
from graphc.ops.elementwise import Not, where
from graphc.ops.function import function
from graphc.ops.indexing import Gather
from graphc.ops.movement import expand, permute, reshape

ROUNDINGS = {"lower": "floor", "higher": "ceil", "nearest": "round"}
"""Which element is taken where none stands at a rank."""
BETWEEN = ("linear", "midpoint")


@function(grad_name="SqueezeBackward4")
def quantile(
    input: Node,
    q: float | Node,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Node:
    """The elements at the shares ``q`` of the order along ``dim``; nan where one of them is nan."""
    return _quantile(input, q, dim, keepdim, interpolation, skip=False)


@function(grad_name="SqueezeBackward4")
def nanquantile(
    input: Node,
    q: float | Node,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Node:
    """``quantile`` of the elements that are not nan."""
    return _quantile(input, q, dim, keepdim, interpolation, skip=True)


def _quantile(
    input: Node, q: float | Node, dim: int | None, keepdim: bool, interpolation: str, *, skip: bool
) -> Node:
    if not isinstance(q, Node):
        if not 0 <= q <= 1:
            raise GraphcRuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
        q = const(float(q), input.dtype)
    _check(input, q, interpolation)
    axis = normal_dim(dim or 0, input.rank)
    axes = range(input.rank) if dim is None else range(axis, axis + 1) if input.rank else ()
    others = [d for d in range(input.rank) if d not in axes]
    rows = permute(input, (*others, *axes))
    rows = reshape(rows, (prod(input.shape[d] for d in others), prod(input.shape[d] for d in axes)))
    shares = reshape(q, (1, q.type.size))
    found = permute(_of_rows(rows, shares, interpolation, skip), (1, 0))
    kept = tuple(1 if d in axes else n for d, n in enumerate(input.shape))
    rest = kept if keepdim else tuple(input.shape[d] for d in others)
    return reshape(found, (*q.shape, *rest))


def _check(x: Node, q: Node, interpolation: str) -> None:
    if not x.type.size:
        raise GraphcRuntimeError("quantile() input tensor must be non-empty")
    if q.rank > 1:
        raise GraphcRuntimeError("quantile() q must be a scalar or 1D tensor")
    if x.dtype not in (float32, float64):
        raise GraphcRuntimeError("quantile() input tensor must be either float or double dtype")
    if q.dtype is not x.dtype:
        raise GraphcRuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if interpolation not in (*ROUNDINGS, *BETWEEN):
        raise GraphcRuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )


def _of_rows(rows: Node, shares: Node, interpolation: str, skip: bool) -> Node:
    """For each row and share the element there, or what lies between its two neighbours."""
    ordered = sort(rows)[0]
    ranks = _ranks(rows, shares, skip)
    if interpolation in ROUNDINGS:
        return _at(ordered, elementwise(ROUNDINGS[interpolation], ranks))
    low = elementwise("floor", ranks)
    weight = ranks - low if interpolation == "linear" else expand(const(0.5, rows.dtype), low.shape)
    return lerp(_at(ordered, low), _at(ordered, elementwise("ceil", ranks)), weight)


def _at(ordered: Node, ranks: Node) -> Node:
    message = "quantile() q values must be in the range [0, 1]"
    places = within(ranks, 0, ordered.shape[1], message, "RuntimeError")
    return Gather(1)(ordered, places)


def _ranks(rows: Node, shares: Node, skip: bool) -> Node:
    """Where in the order the shares lie. What is nan stands last, and is found if it counts."""
    count, last = rows.shape[0], rows.shape[1] - 1
    missing = elementwise("ne", rows, rows)
    shape = (count, shares.shape[1])
    if skip:
        known = reduce.Sum((1,))(cast(Not()(missing), int64))
        return shares * cast(elementwise("maximum", known, 1) - 1, rows.dtype)
    spoilt = expand(reduce.Any((1,))(missing), shape)
    return where(spoilt, const(float(last), rows.dtype), expand(shares * float(last), shape))
