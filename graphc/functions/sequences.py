"""Sequences of several lengths: padded to one, or packed into rows ordered by time."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphcRuntimeError
from graphc.functions.selection import filled
from graphc.ir.dtype import Scalar
from graphc.ir.node import Node, cast
from graphc.ops.function import function
from graphc.ops.indexing import GatherNd
from graphc.ops.movement import Concat, Pad, reshape


@function(method=False, namespace=False, grad_name="CopySlices")
def padded_sequences(
    sequences: Sequence[Node], batch_first: bool, padding_value: Scalar, padding_side: str
) -> Node:
    """The sequences with a dimension for the batch, filled up to the length of the longest."""
    if not sequences:
        raise GraphcRuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise GraphcRuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    first = sequences[0]
    if not all(x.rank for x in sequences):
        raise GraphcRuntimeError("ArrayRef: invalid slice, N = 1; size = 0")
    longest = max(x.shape[0] for x in sequences)
    value = first.dtype.numpy.type(padding_value).item()
    rows = []
    for x in sequences:
        _check_features(first, x)
        before, after = (longest - x.shape[0], 0)[:: 1 if padding_side == "left" else -1]
        rest = (0,) * (x.rank - 1)
        full = Pad((before, *rest), (after, *rest), value)(cast(x, first.dtype))
        one = (1, *full.shape) if batch_first else (longest, 1, *full.shape[1:])
        rows.append(reshape(full, one))
    return rows[0] if len(rows) == 1 else Concat(0 if batch_first else 1)(*rows)


def _check_features(first: Node, x: Node) -> None:
    ours, theirs = first.shape[1:], x.shape[1:]
    if ours == theirs:
        return
    if len(ours) != len(theirs):
        raise GraphcRuntimeError(
            f"The expanded size of the tensor ({x.shape[0]}) must match the existing size"
        )
    axis = next(i for i, (m, n) in enumerate(zip(ours, theirs, strict=True), 1) if m != n)
    raise GraphcRuntimeError(
        f"The size of tensor a ({first.shape[axis]}) must match the size of tensor b "
        f"({x.shape[axis]}) at non-singleton dimension {axis}"
    )


@function(method=False, namespace=False, grad_name="PackPaddedSequenceBackward0")
def packed_rows(input: Node, places: Node) -> Node:
    """The elements at ``places``, counted over the first two dimensions together."""
    rows = reshape(input, (input.shape[0] * input.shape[1], *input.shape[2:]))
    return GatherNd(wrap=False)(rows, places)


def _unpacked_name(data: Node, places: Node, padding_value: Scalar, batch_first: bool) -> str:
    return "TransposeBackward0" if batch_first else "CopySlices"


@function(method=False, namespace=False, grad_name=_unpacked_name)
def unpacked_rows(data: Node, places: Node, padding_value: Scalar, batch_first: bool) -> Node:
    """The rows of ``data`` at ``places``; the row after the last one is padding."""
    padding = filled((1, *data.shape[1:]), padding_value, data.dtype)
    return GatherNd(wrap=False)(Concat(0)(data, padding), places)
