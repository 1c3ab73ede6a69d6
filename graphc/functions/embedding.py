"""Rows of a table, and classes as rows."""

from __future__ import annotations

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.functions.class_losses import classes
from graphc.functions.norms import vector_norm
from graphc.functions.operands import C_NAMES
from graphc.ir.dtype import int32, int64
from graphc.ir.node import Node, cast, const
from graphc.ops.elementwise import equal, where
from graphc.ops.function import function
from graphc.ops.indexing import CheckRange, GatherNd, IndexSum
from graphc.ops.movement import full, reshape
from graphc.ops.sloped import sloped


@function(method=False, namespace=False, grad_name="EmbeddingBackward0")
def embedded(input: Node, weight: Node, padding_idx: int | None, scale_grad_by_freq: bool) -> Node:
    """The rows of ``weight`` that the integers of ``input`` name."""
    if weight.rank != 2:
        raise GraphcRuntimeError("'weight' must be 2-D")
    if input.dtype not in (int32, int64):
        raise GraphcRuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar "
            f"types: Long, Int; but got torch.{C_NAMES[input.dtype.name]}Tensor instead (while "
            "checking arguments for embedding)"
        )
    index = cast(input, int64)
    rows = GatherNd(wrap=False, skip=padding_idx)(weight, index)
    if not scale_grad_by_freq:
        return rows
    ones = full(index.shape, const(1.0, weight.dtype))
    counts = GatherNd(wrap=False)(IndexSum(weight.shape[:1], wrap=False)(ones, index), index)
    return sloped(rows, rows, reshape(1.0 / counts, (*index.shape, 1)))


@function(method=False, namespace=False)
def marked(input: Node, num_classes: int) -> Node:
    """1 at the class, 0 elsewhere, in a new last dimension."""
    if input.dtype is not int64:
        raise GraphcRuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes < 1:
        why = "Class values must be smaller than num_classes."
        if not input.type.size:
            why = "Can not infer total number of classes from empty tensor."
        raise GraphcRuntimeError(why)
    limits = np.iinfo(np.int64)
    positive = CheckRange(0, int(limits.max), "Class values must be non-negative.", "RuntimeError")
    message = "Class values must be smaller than num_classes."
    small = CheckRange(int(limits.min), num_classes, message, "RuntimeError")
    column = reshape(small(positive(input)), (*input.shape, 1))
    return cast(equal(column, classes(num_classes, input.rank + 1, input.rank)), int64)


@function(method=False, namespace=False)
def shortened(weight: Node, index: Node, max_norm: float, norm_type: float) -> Node:
    """``weight`` with those of its rows that ``index`` names no longer than ``max_norm``."""
    rows = weight.shape[:1]
    ones = full(index.shape, const(1.0, weight.dtype))
    named = IndexSum(rows, wrap=False)(ones, cast(index, int64)) > 0.0
    norms = vector_norm(weight, float(norm_type), (1,))
    scale = where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)
    return weight * where(reshape(named, (*rows, 1)), scale, 1.0)
