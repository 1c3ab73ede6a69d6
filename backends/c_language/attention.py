"""For which uses of attention, and of its gradient, there are kernels of C and CUDA C."""

from __future__ import annotations

from graphc.ir.node import Node
from graphc.ops.composite import Composite

ATTENTION = ("attention", "attention_grad")


def is_attended(node: Node) -> bool:
    """Whether a use is one of matrices that lie in one batch, masked or not."""
    op = node.op
    assert isinstance(op, Composite)
    query, key, value, *others = node.inputs
    if op.key not in ATTENTION or not all(x.type.size for x in node.inputs):
        return False
    lead = query.shape[:-2]
    if not lead == key.shape[:-2] == value.shape[:-2]:
        return False
    if not op.present[3]:
        return True
    scores = (*lead, query.shape[-2], key.shape[-2])
    shape = others[0].shape
    return len(shape) <= len(scores) and all(
        n in (1, whole) for n, whole in zip(reversed(shape), reversed(scores), strict=False)
    )
