"""Rows of a table combined within bags."""

from __future__ import annotations

from math import inf

from graphc.errors import GraphcRuntimeError
from graphc.functions.embedding import embedded
from graphc.functions.operands import C_NAMES
from graphc.functions.pieces import cut
from graphc.ir.dtype import int32, int64
from graphc.ir.node import Node, cast, const, elementwise
from graphc.ops.elementwise import equal, where
from graphc.ops.function import function
from graphc.ops.indexing import CheckRange, IndexSum, ScatterReduce
from graphc.ops.movement import Concat, expand, full, reshape
from graphc.ops.scan import CumSum


@function(method=False, namespace=False, grad_name="EmbeddingBagBackward0")
def bagged(
    input: Node,
    weight: Node,
    offsets: Node,
    mode: str,
    scale_grad_by_freq: bool,
    per_sample_weights: Node | None,
    include_last_offset: bool,
    padding_idx: int | None,
) -> Node:
    """For each bag the sum, mean or maximum of the rows of ``weight`` that its integers name.

    A bag begins at its offset and ends before the next one.
    """
    _check(input, weight, per_sample_weights)
    count, index = input.shape[0], cast(input, int64)
    bags = offsets.shape[0] - include_last_offset
    place = _bags(cast(offsets, int64), count)
    rows = embedded(index, weight, padding_idx, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * reshape(per_sample_weights, (count, 1))
    ones = full((count, 1), const(1.0, rows.dtype))
    if padding_idx is not None:
        padding = reshape(equal(index, const(padding_idx, int64)), (count, 1))
        ones = where(padding, 0.0, ones)
        rows = where(padding, -inf if mode == "max" else 0.0, rows)
    total = IndexSum((offsets.shape[0], 1), wrap=False)(ones, place)
    if mode == "max":
        result = where(equal(total, const(0.0, total.dtype)), 0.0, _largest(rows, place, offsets))
    else:
        result = IndexSum((offsets.shape[0], rows.shape[1]), wrap=False)(rows, place)
        if mode == "mean":
            result = result / elementwise("maximum", total, 1.0)
    return cut(result, 0, 0, bags)


def _largest(rows: Node, place: Node, offsets: Node) -> Node:
    start = full((offsets.shape[0], rows.shape[1]), const(-inf, rows.dtype))
    index = expand(reshape(place, (rows.shape[0], 1)), rows.shape)
    return ScatterReduce(0, "maximum")(start, rows, index)


def _bags(offsets: Node, count: int) -> Node:
    """The bag of each of ``count`` elements: how many bags begin up to it, less one."""
    first = CheckRange(
        0,
        1,
        "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
        "position 0. However, got {}",
        "RuntimeError",
    )(cut(offsets, 0, 0, 1))
    begins = Concat(0)(first, cut(offsets, 0, 1, offsets.shape[0]))
    message = (
        f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {{}}"
    )
    begins = CheckRange(0, count + 1, message, "RuntimeError")(begins)
    ones = full(offsets.shape, const(1, int64))
    begun = CumSum(0)(IndexSum((count + 1,), wrap=False)(ones, begins))
    return cut(begun, 0, 0, count) + -1


def _check(input: Node, weight: Node, per_sample_weights: Node | None) -> None:
    where_ = "(while checking arguments for embedding_bag)"
    if input.dtype not in (int32, int64):
        raise GraphcRuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar "
            f"types: Long, Int; but got torch.{C_NAMES[input.dtype.name]}Tensor instead {where_}"
        )
    if per_sample_weights is not None and per_sample_weights.dtype is not weight.dtype:
        names = [C_NAMES[x.dtype.name] for x in (weight, per_sample_weights)]
        raise GraphcRuntimeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for "
            f"argument #1 'per_sample_weights'; but type torch.{names[0]}Tensor does not equal "
            f"torch.{names[1]}Tensor {where_}"
        )
