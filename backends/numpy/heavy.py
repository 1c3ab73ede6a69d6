"""Which function computes each heavy primitive: what is neither elementwise nor a reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.backends.numpy import special
from graphc.backends.numpy.linear_algebra import LINEAR_ALGEBRA
from graphc.backends.numpy.special import Rendered
from graphc.ir.node import Node
from graphc.kernels_templates import render
from graphc.ops.convolution import (
    Convolution,
    ConvolutionInputGrad,
    ConvolutionWeightGrad,
    Window,
)
from graphc.ops.indexing import (
    CheckRange,
    Gather,
    GatherNd,
    IndexPut,
    IndexSum,
    Scatter,
    ScatterAdd,
    ScatterReduce,
)
from graphc.ops.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad, Pool
from graphc.ops.random import (
    Advance,
    RandomInteger,
    RandomNormal,
    RandomPermutation,
    RandomUniform,
)
from graphc.ops.scan import CumProd, CumSum, Scan
from graphc.ops.sort import Sort, TopK
from graphc.ops.strided import Strided

Heavy = Callable[[str, Node], Rendered]


def _origin(node: Node) -> dict[str, Any]:
    """What made the node, for the first line of its function; nothing where that is unknown."""
    return {"origin": str(node.origin)} if node.origin.function else {}


def _moving(op: Window) -> dict[str, Any]:
    return {
        "stride": op.stride,
        "padding": op.padding,
        "dilation": op.dilation,
        "groups": op.groups,
    }


def _convolution(name: str, node: Node) -> Rendered:
    assert isinstance(node.op, Window)
    x, w = node.inputs
    return special.convolution(
        name, x.shape, w.shape, node.dtype.name, **_moving(node.op), **_origin(node)
    )


def _convolution_input_grad(name: str, node: Node) -> Rendered:
    assert isinstance(node.op, Window)
    dy, w = node.inputs
    return special.convolution_input_grad(
        name, dy.shape, w.shape, node.shape, node.dtype.name, **_moving(node.op), **_origin(node)
    )


def _convolution_weight_grad(name: str, node: Node) -> Rendered:
    assert isinstance(node.op, Window)
    x, dy = node.inputs
    return special.convolution_weight_grad(
        name, x.shape, dy.shape, node.shape, node.dtype.name, **_moving(node.op), **_origin(node)
    )


def _windows(op: Pool) -> dict[str, Any]:
    return {"kernel": op.kernel, "stride": op.stride, "padding": op.padding}


def _max_pool(name: str, node: Node) -> Rendered:
    op, (x,) = node.op, node.inputs
    assert isinstance(op, MaxPool)
    return special.max_pool(
        name, x.shape, x.dtype.name, dilation=op.dilation, ceil_mode=op.ceil_mode,
        **_windows(op), **_origin(node),
    )  # fmt: skip


def _max_pool_grad(name: str, node: Node) -> Rendered:
    op, dy = node.op, node.inputs[0]
    assert isinstance(op, MaxPoolGrad)
    return special.max_pool_grad(
        name, node.shape, dy.shape[2:], node.dtype.name, dilation=op.dilation,
        **_windows(op), **_origin(node),
    )  # fmt: skip


def _avg_pool(name: str, node: Node) -> Rendered:
    op, (x,) = node.op, node.inputs
    assert isinstance(op, AvgPool)
    return special.average_pool(
        name, x.shape, x.dtype.name, ceil_mode=op.ceil_mode, divisor_override=op.divisor,
        count_include_pad=op.count_include_pad, **_windows(op), **_origin(node),
    )  # fmt: skip


def _avg_pool_grad(name: str, node: Node) -> Rendered:
    op, (dy,) = node.op, node.inputs
    assert isinstance(op, AvgPoolGrad)
    return special.average_pool_grad(
        name, node.shape, dy.shape[2:], node.dtype.name, divisor_override=op.divisor,
        count_include_pad=op.count_include_pad, **_windows(op), **_origin(node),
    )  # fmt: skip


def _gather(name: str, node: Node) -> Rendered:
    op, (x, index) = node.op, node.inputs
    assert isinstance(op, Gather)
    return special.gather(name, x.shape, index.shape, x.dtype.name, axis=op.dim, **_origin(node))


def _scatter(name: str, node: Node) -> Rendered:
    op, (_, _, index) = node.op, node.inputs
    assert isinstance(op, Scatter)
    return special.scatter(
        name, node.shape, index.shape, node.dtype.name, axis=op.dim, accumulate=False, base=True,
        **_origin(node),
    )  # fmt: skip


def _scatter_reduce(name: str, node: Node) -> Rendered:
    op, (_, _, index) = node.op, node.inputs
    assert isinstance(op, ScatterReduce)
    function = {"mul": "np.multiply", "maximum": "np.maximum", "minimum": "np.minimum"}[op.combine]
    return special.scatter(
        name, node.shape, index.shape, node.dtype.name, axis=op.dim, accumulate=True, base=True,
        function=function, **_origin(node),
    )  # fmt: skip


def _scatter_add(name: str, node: Node) -> Rendered:
    op, (_, index) = node.op, node.inputs
    assert isinstance(op, ScatterAdd)
    return special.scatter(
        name, node.shape, index.shape, node.dtype.name, axis=op.dim, accumulate=True, base=False,
        **_origin(node),
    )  # fmt: skip


def _gather_nd(name: str, node: Node) -> Rendered:
    op, (x, *indices) = node.op, node.inputs
    assert isinstance(op, GatherNd)
    if len(indices) == 1 and not op.wrap:
        return special.take(name, x.shape, indices[0].shape, x.dtype.name, **_origin(node))
    shapes = [index.shape for index in indices]
    return special.index(name, x.shape, shapes, x.dtype.name, **_origin(node))


def _index_sum(name: str, node: Node) -> Rendered:
    op, (values, *indices) = node.op, node.inputs
    assert isinstance(op, IndexSum)
    if len(indices) == 1 and not op.wrap:
        return special.embedding_grad(
            name, indices[0].shape, node.shape, node.dtype.name, padding_idx=op.skip,
            **_origin(node),
        )  # fmt: skip
    return special.index_put(
        name, node.shape, [index.shape for index in indices], values.shape, node.dtype.name,
        accumulate=True, base=False, **_origin(node),
    )  # fmt: skip


def _index_put(name: str, node: Node) -> Rendered:
    op, (x, values, *indices) = node.op, node.inputs
    assert isinstance(op, IndexPut)
    return special.index_put(
        name, x.shape, [index.shape for index in indices], values.shape, x.dtype.name,
        accumulate=op.accumulate, **_origin(node),
    )  # fmt: skip


def _scan(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, Scan)
    return special.cumulative(
        name, node.shape, node.dtype.name, axis=op.dim, product=isinstance(op, CumProd),
        **_origin(node),
    )  # fmt: skip


def _sort(name: str, node: Node) -> Rendered:
    op, (x,) = node.op, node.inputs
    assert isinstance(op, Sort)
    return special.sort(
        name, x.shape, x.dtype.name, axis=op.dim, descending=op.descending, **_origin(node)
    )


def _top_k(name: str, node: Node) -> Rendered:
    op, (x,) = node.op, node.inputs
    assert isinstance(op, TopK)
    return special.top_k(
        name, x.shape, x.dtype.name, axis=op.dim, count=op.k, largest=op.largest, **_origin(node)
    )


def _uniform(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, RandomUniform)
    return special.uniform(name, node.type.size, op.dtype.name, offset=op.offset, **_origin(node))


def _normal(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, RandomNormal)
    return special.normal(name, node.type.size, op.dtype.name, offset=op.offset, **_origin(node))


def _integer(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, RandomInteger)
    return special.integers(
        name, node.type.size, op.low, op.high, offset=op.offset, **_origin(node)
    )


def _permutation(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, RandomPermutation)
    return special.permutation(name, node.type.size, offset=op.offset, **_origin(node))


def _advance(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, Advance)
    origin = _origin(node).get("origin", "The random numbers' state.")
    return Rendered(render("advance.numpy.j2", name=name, origin=origin, count=op.count))


def _check_range(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, CheckRange)
    text = render(
        "check_range.numpy.j2",
        name=name,
        origin=_origin(node).get("origin", "A check."),
        low=op.low,
        high=op.high,
        error=op.error,
        message=repr(op.message),
    )
    return Rendered(text)


def _strided(name: str, node: Node) -> Rendered:
    op = node.op
    assert isinstance(op, Strided)
    text = render(
        "strided.numpy.j2",
        name=name,
        origin=_origin(node).get("origin", "Elements at distances."),
        offset=op.offset,
        size=op.size,
        strides=op.strides,
    )
    return Rendered(text)


HEAVY: dict[str, Heavy] = {
    Advance.name: _advance,
    AvgPool.name: _avg_pool,
    AvgPoolGrad.name: _avg_pool_grad,
    CheckRange.name: _check_range,
    Convolution.name: _convolution,
    ConvolutionInputGrad.name: _convolution_input_grad,
    ConvolutionWeightGrad.name: _convolution_weight_grad,
    CumProd.name: _scan,
    CumSum.name: _scan,
    Gather.name: _gather,
    GatherNd.name: _gather_nd,
    IndexPut.name: _index_put,
    IndexSum.name: _index_sum,
    **LINEAR_ALGEBRA,
    MaxPool.name: _max_pool,
    MaxPoolGrad.name: _max_pool_grad,
    RandomInteger.name: _integer,
    RandomNormal.name: _normal,
    RandomPermutation.name: _permutation,
    RandomUniform.name: _uniform,
    Scatter.name: _scatter,
    ScatterAdd.name: _scatter_add,
    ScatterReduce.name: _scatter_reduce,
    Sort.name: _sort,
    Strided.name: _strided,
    TopK.name: _top_k,
}
"""By the op's name: from a name and the node to ``def name(*operands, *outs, *scratch)``."""
