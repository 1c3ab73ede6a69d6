"""The parts of attention by several heads: projections, heads, and weights that are shown."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

from graphc.functions.linear import linear
from graphc.functions.neural import masked_by_noise
from graphc.functions.pieces import cut
from graphc.functions.softmax import softmax_rows
from graphc.ir.dtype import DType
from graphc.ir.node import Node, cast, const
from graphc.ir.types import TensorType
from graphc.ops import reduce
from graphc.ops.elementwise import And, Ne, Not, where
from graphc.ops.function import function
from graphc.ops.matmul import transposed
from graphc.ops.movement import Concat, expand, permute, reshape, zeros
from graphc.ops.parts import equal_parts, parts
from graphc.ops.precision import multiplied


@function(method=False, namespace=False)
def additive_mask(mask: Node, dtype: DType) -> Node:
    """-∞ where a mask of truth values holds, else 0."""
    return where(mask, const(-inf, dtype), const(0.0, dtype))


@function(method=False, namespace=False)
def mask_of_heads(
    attn_mask: Node | None, key_padding_mask: Node | None, batch: int, heads: int
) -> Node:
    """What is added to the scores: ``[batch, heads, queries, keys]`` or of extent one."""
    found = attn_mask
    if found is not None:
        lead = (1, 1) if found.rank == 2 or found.shape[0] == 1 else (batch, heads)
        found = reshape(found, (*lead, *found.shape[-2:]))
    if key_padding_mask is None:
        assert found is not None
        return found
    padding = reshape(key_padding_mask, (batch, 1, 1, key_padding_mask.shape[-1]))
    return padding if found is None else found + padding


@function(method=False, namespace=False)
def without_padding(input: Node, key_padding_mask: Node, aligned: bool) -> Node:
    """``[batch, time, features]`` with zero where the mask is not.

    If it has to be ``aligned``, only where all sequences have their padding at the end.
    """
    padded = Ne()(key_padding_mask, const(0.0, key_padding_mask.dtype))
    if aligned:
        earlier, later = (cut(padded, 1, start, start + padded.shape[1] - 1) for start in (0, 1))
        holes = And()(earlier, Not()(later))
        whole = Not()(reduce.Any((0, 1))(holes))
        padded = And()(padded, whole)
    return where(reshape(padded, (*padded.shape, 1)), 0.0, input)


def _projected(
    query: Node, key: Node, value: Node, weights: tuple[Node, ...], bias: Node | None
) -> tuple[Node, ...]:
    """Query, key and value, projected by one weight together or by one each."""
    if len(weights) == 1 and query is key and key is value:
        return equal_parts(linear(query, weights[0], bias), 3)
    extents = (query.shape[-1],) * 3
    each = parts(weights[0], 0, extents) if len(weights) == 1 else weights
    biases = (None,) * 3 if bias is None else parts(bias, 0, extents)
    pairs = zip((query, key, value), each, biases, strict=True)
    return tuple(linear(x, w, b) for x, w, b in pairs)


@function(method=False, namespace=False)
def projected_heads(
    query: Node,
    key: Node,
    value: Node,
    weights: Any,
    bias: Node | None,
    more: Any,
    zero: bool,
    heads: int,
    batch_first: bool,
) -> tuple[Node, ...]:
    """``[batch, heads, time, features]`` of query, key and value.

    ``more`` has a further key and a further value for all sequences, and ``zero`` adds one of each
    that is zero.
    """
    q, *others = _projected(query, key, value, tuple(weights), bias)
    time = 1 if batch_first else 0
    for i, row in enumerate(more):
        shape = tuple(1 if axis == time else n for axis, n in enumerate(others[i].shape))
        others[i] = Concat(time)(others[i], expand(row, shape))
    q, *others = (_split(x, heads, batch_first=batch_first) for x in (q, *others))
    if zero:
        rows = (zeros(TensorType((*x.shape[:2], 1, x.shape[3]), x.dtype)) for x in others)
        others = [Concat(2)(x, row) for x, row in zip(others, rows, strict=True)]
    return q, *others


def _split(x: Node, heads: int, *, batch_first: bool) -> Node:
    apart = reshape(x, (*x.shape[:2], heads, x.shape[2] // heads))
    return permute(apart, (0, 2, 1, 3) if batch_first else (1, 2, 0, 3))


def _joined_name(input: Any, weight: Any, bias: Any, batch_first: bool, batched: bool) -> str:
    if not batched:
        return "SqueezeBackward1"
    return "TransposeBackward0" if batch_first else "ViewBackward0"


@function(method=False, namespace=False, grad_name=_joined_name)
def joined_heads(
    input: Node, weight: Node, bias: Node | None, batch_first: bool, batched: bool
) -> Node:
    """The heads' results side by side, projected; with no dimension for a batch of one if asked."""
    order = (0, 2, 1, 3) if batch_first else (2, 0, 1, 3)
    rows = permute(input, order)
    result = linear(reshape(rows, (*rows.shape[:2], rows.shape[2] * rows.shape[3])), weight, bias)
    if batched:
        return result
    first, second, features = result.shape
    return reshape(result, (second if batch_first else first, features))


def _weighted_names(*_: Any) -> tuple[str, str]:
    return "BmmBackward0", "ViewBackward0"


@function(method=False, namespace=False, grad_name=_weighted_names)
def weighted_heads(
    query: Node, key: Node, value: Node, mask: Node | None, noise: Node | None, dropout: float
) -> tuple[Node, ...]:
    """Σ weights · value, and the weights softmax(query · keyᵀ / √features + mask) themselves."""
    scores = multiplied(query * sqrt(1.0 / query.shape[-1]), transposed(key))
    if mask is not None:
        scores = scores + cast(mask, scores.dtype)
    weights = softmax_rows(scores, scores.rank - 1)
    if noise is not None:
        weights = masked_by_noise(weights, noise, dropout)
    return multiplied(weights, value), weights
