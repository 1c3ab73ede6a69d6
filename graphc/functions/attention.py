"""Attention and its gradient: two composites, so that a backend may have kernels for them.

Weights are dropped by numbers that the composites draw themselves, so that a kernel needs no matrix
of them: ``state`` is the generator's, ``offset`` says how many of its counters to skip.
"""

from __future__ import annotations

from math import inf, prod, sqrt

from graphc.autodiff import gradients as differentiate
from graphc.errors import GraphcRuntimeError
from graphc.functions.operands import c_type
from graphc.functions.precision import LOW
from graphc.ir.dtype import bool_, float32, int64
from graphc.ir.node import Item, Node, cast, elementwise, grad_mode, is_const
from graphc.ops.composite import GRADIENTS, Composite, Flows, bordered, composite, through_body
from graphc.ops.creation import Arange
from graphc.ops.elementwise import equal, number, where
from graphc.ops.function import function
from graphc.ops.matmul import MatMul, transposed
from graphc.ops.movement import Expand, expand, reshape
from graphc.ops.precision import precision
from graphc.ops.random import RandomUniform, kept_scale
from graphc.ops.reduce import Max, Sum


@composite
def attention(
    query: Node,
    key: Node,
    value: Node,
    mask: Node | None,
    state: Node | None,
    *,
    causal: bool,
    scale: float,
    dropout: float,
    offset: int = 0,
    tf32: bool = False,
) -> tuple[Node, Node]:
    """softmax(query · keyᵀ · scale + mask) · value, with weights dropped where there is a state.

    The second result is the logarithm of the sum of the exponentials in each row of the softmax,
    from which a kernel of the gradient computes the weights again.
    """
    return _attended(query, key, value, mask, state, causal, scale, dropout, offset, tf32)


@composite
def attention_grad(
    query: Node,
    key: Node,
    value: Node,
    mask: Node | None,
    state: Node | None,
    output: Node,
    statistics: Node,
    dy: Node,
    *,
    causal: bool,
    scale: float,
    dropout: float,
    offset: int = 0,
    tf32: bool = False,
) -> tuple[Node, ...]:
    """What flows from ``dy``, the gradient of attention's ``output``, to query, key and value.

    The body finds it through attention's own, with which it is merged; only kernels read the
    results of attention.
    """
    with grad_mode(True):
        q, k, v = (bordered(x) for x in (query, key, value))
        result, _ = _attended(q, k, v, mask, state, causal, scale, dropout, offset, tf32)
    found = differentiate((result,), (dy,), (q, k, v), stop=True)
    return tuple(x for x in found if x is not None)


def _gradient(op: Composite, node: Node, gradients: Flows) -> Flows:
    """By ``attention_grad``, except where more than its three gradients of one result is asked."""
    dy, slope = gradients
    others = node.inputs[3:]
    if slope is not None and isinstance(slope.op, Expand) and is_const(slope.inputs[0], 0):
        slope = None  # nothing has read the second result
    if dy is None or slope is not None or any(x.requires_grad for x in others):
        return through_body(op, node, (dy, slope))
    given = iter(node.inputs)
    operands = [next(given) if there else None for there in op.present]
    results = Item(0)(node), Item(1)(node)
    found = attention_grad(*operands, *results, dy, **dict(op.options))
    assert isinstance(found, tuple)
    return (*found, *(None for _ in others))


GRADIENTS[attention.__name__] = _gradient


def _attended(
    query: Node,
    key: Node,
    value: Node,
    mask: Node | None,
    state: Node | None,
    causal: bool,
    scale: float,
    dropout: float,
    offset: int,
    tf32: bool,
) -> tuple[Node, Node]:
    dtype, product = query.dtype, MatMul(tf32=tf32)
    scores = product(query, transposed(key)) * scale
    if dtype in LOW:
        scores = cast(scores, float32)
    if causal:
        rows = Arange(0, 1, scores.shape[-2], int64)()
        columns = Arange(0, 1, scores.shape[-1], int64)()
        scores = where(columns <= reshape(rows, (rows.shape[0], 1)), scores, -inf)
    if mask is not None and mask.dtype is bool_:
        scores = where(mask, scores, -inf)
    elif mask is not None:
        scores = scores + cast(mask, scores.dtype)
    weights, statistics = _softmax(scores, maskable=mask is not None)
    if state is not None:
        noise = RandomUniform(scores.shape, float32, offset)(state)
        weights = weights * where(noise < dropout, 0.0, number(kept_scale(dropout), weights))
    return product(cast(weights, dtype), value), statistics


def _softmax(scores: Node, *, maskable: bool) -> tuple[Node, Node]:
    """Softmax over the last axis, and its logarithms; a row that is masked whole has no weights."""
    axes = (scores.rank - 1,)
    with grad_mode(False):
        largest = Max(axes)(scores)
        if maskable:
            largest = where(equal(largest, number(-inf, largest)), 0.0, largest)
    powers = elementwise("exp", scores - largest)
    total = Sum(axes)(powers)
    if maskable:
        total = where(equal(total, number(0, total)), 1.0, total)
    logarithms = reshape(largest + elementwise("log", total), scores.shape[:-1])
    return powers / total, logarithms


def _grad_name(
    query: Node, key: Node, value: Node, mask: Node | None, state: Node | None, *_: object
) -> str:
    """PyTorch has a kernel for the usual case, and otherwise says the steps."""
    plain = state is None and (mask is None or not mask.requires_grad)
    if plain and query.rank == 4 and value.shape[-1] == query.shape[-1]:
        return "ScaledDotProductFlashAttentionForCpuBackward0"
    return "MmBackward0" if query.rank == 2 else "UnsafeViewBackward0"


@function(method=False, namespace=False, grad_name=_grad_name)
def attended(
    query: Node,
    key: Node,
    value: Node,
    mask: Node | None,
    state: Node | None,
    dropout: float,
    causal: bool,
    scale: float | None,
    grouped: bool,
) -> Node:
    """Scaled dot-product attention; ``grouped`` repeats the heads of key and value as needed.

    Where there is a generator's ``state``, int64[2], weights are dropped by numbers drawn from it.
    """
    _check(query, key, value, mask, causal)
    if grouped:
        key, value = (_repeated(x, query.shape[-3]) for x in (key, value))
    factor = 1 / sqrt(query.shape[-1]) if scale is None else float(scale)
    options = {"causal": causal, "scale": factor, "dropout": dropout}
    if state is not None:
        options["offset"] = 0
    if precision.matmul_tf32:
        options["tf32"] = True
    found = attention(query, key, value, mask, state, **options)
    assert isinstance(found, tuple)
    return found[0]


def _check(query: Node, key: Node, value: Node, mask: Node | None, causal: bool) -> None:
    if not query.dtype is key.dtype is value.dtype:
        raise GraphcRuntimeError(
            "Expected query, key, and value to have the same dtype, but got "
            f"query.dtype: {c_type(query.dtype)} key.dtype: {c_type(key.dtype)} and value.dtype: "
            f"{c_type(value.dtype)} "
            "instead."
        )
    if min(query.rank, key.rank, value.rank) < 2:
        raise GraphcRuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            f"query.dim: {query.rank} key.dim: {key.rank} and value.dim: {value.rank} instead."
        )
    if query.shape[-1] != key.shape[-1]:
        (*lead, length, size), (count, given) = query.shape, key.shape[-2:]
        text = (
            f"mat1 and mat2 shapes cannot be multiplied ({length}x{size} and {given}x{count})"
            if query.rank == 2
            else "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{prod(lead)}, {size}] but got: [{prod(key.shape[:-2])}, {given}]."
        )
        raise GraphcRuntimeError(text)
    if mask is not None and causal:
        raise GraphcRuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if mask is not None and mask.dtype not in (bool_, query.dtype):
        raise GraphcRuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {c_type(mask.dtype)} and  query.dtype: {c_type(query.dtype)} "
            "instead."
        )


def _repeated(x: Node, heads: int) -> Node:
    """Each head of x as often as it takes to have ``heads``."""
    own = x.shape[-3]
    if own == heads:
        return x
    if heads % own:
        raise GraphcRuntimeError(
            f"Number of heads in key and value must divide the number of heads in query, got "
            f"{own} and {heads}"
        )
    lead, tail = x.shape[:-3], x.shape[-2:]
    wide = expand(reshape(x, (*lead, own, 1, *tail)), (*lead, own, heads // own, *tail))
    return reshape(wide, (*lead, heads, *tail))
