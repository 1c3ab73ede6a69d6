"""About how much work a kernel is."""

from __future__ import annotations

from math import prod

from graphc.ir.node import Node
from graphc.lowering.epilogues import Finished
from graphc.lowering.finishing import product_of
from graphc.ops.convolution import ConvolutionInputGrad, ConvolutionWeightGrad, Window
from graphc.ops.matmul import MatMul
from graphc.passes.costs import cost
from graphc.passes.fuse import Fused


def operations(kernel: Node) -> int:
    """Additions and multiplications, or what takes as long."""
    op = kernel.op
    if isinstance(op, Fused):
        return prod(op.space) * sum(cost(x) for x in op.body.computed)
    if isinstance(op, Finished):
        group = prod(op.group.space) * sum(cost(x) for x in op.group.body.computed)
        return operations(product_of(kernel)) + group
    if isinstance(op, MatMul):
        return 2 * kernel.type.size * kernel.inputs[0].shape[-1]
    if isinstance(op, Window):
        return 2 * _taps(kernel)
    return 8 * (sum(x.type.size for x in kernel.inputs) + sum(t.size for t in kernel.types))


def _taps(kernel: Node) -> int:
    """The multiplications of a convolution: for each output element those of its window."""
    op = kernel.op
    if isinstance(op, ConvolutionWeightGrad):
        output, weight = kernel.inputs[1], kernel.shape
    elif isinstance(op, ConvolutionInputGrad):
        output, weight = kernel.inputs[0], kernel.inputs[1].shape
    else:
        output, weight = kernel, kernel.inputs[1].shape
    return output.type.size * prod(weight[1:])
