"""The composites: each as a plain formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from graphc.functions.attention import attention, attention_grad
from graphc.ir.dtype import DType, bool_, float32
from graphc.ops.composite import COMPOSITES, Composite
from graphc.ops.random import RandomUniform, kept_scale
from graphc.testing.operands import VIEWS, Array, Operand, draw
from graphc.testing.rows_random import STATE_LAYOUTS, STATES, uniform
from graphc.testing.table import FLOATS, HALVES, Row, Sample, Tolerance, sample

WEIGHED = Tolerance("exponentials, a quotient and two products of some tens of numbers", 32, 64)
ROUNDED = Tolerance("scores and weights are rounded to the type between the products", 4, 8)
FLOWS = Tolerance("products of differences of weighed numbers", 64, 256)
ROUNDED_FLOWS = Tolerance("every value in between is rounded to the type", 8, 32)


def _call(name: str, present: tuple[bool, ...], **options: object) -> Composite:
    return Composite(name, COMPOSITES[name], tuple(sorted(options.items())), present)


def _heads(dtype: DType, *lead: int, queries: int = 4, keys: int = 5) -> list[Array]:
    shapes = ((*lead, queries, 3), (*lead, keys, 3), (*lead, keys, 2))
    return [draw(dtype, *shape, seed=i) for i, shape in enumerate(shapes)]


PLAIN: dict[str, object] = {"causal": False, "scale": 0.5, "dropout": 0.0}
CAUSAL = {**PLAIN, "causal": True}
DROPPING = {**PLAIN, "dropout": 0.25, "offset": 3}
ALONE = (True, True, True, False, False)
MASKED = (True, True, True, True, False)
DRAWING = (True, True, True, False, True)
OWN = {"unlike": "PyTorch draws its own"}

Case = tuple[tuple[bool, ...], dict[str, object], list[Array], dict[str, Any]]
"""Which operands there are, the options, the operands, and what else is said of the sample."""


def _cases(dtype: DType) -> Iterator[Case]:
    yield ALONE, PLAIN, _heads(dtype, 2, 3), {}
    yield ALONE, PLAIN, _heads(dtype, queries=1), {}
    yield ALONE, CAUSAL, _heads(dtype, 2, queries=5), {}
    yield ALONE, CAUSAL, _heads(dtype, 2, queries=3), {}
    mask = draw(bool_, 4, 5, seed=3)
    mask[:, 0] = True
    yield MASKED, PLAIN, [*_heads(dtype, 2), mask.copy()], {}
    mask[1] = False
    yield MASKED, PLAIN, [*_heads(dtype, 2), mask], {"kind": "kink"}
    yield MASKED, PLAIN, [*_heads(dtype, 2), draw(dtype, 2, 4, 5, seed=4)], {}
    yield from _dropping_cases(dtype)
    yield ALONE, PLAIN, _heads(dtype, 0, 2), {}
    yield ALONE, PLAIN, _heads(dtype, 2, queries=0), {}
    query, key, value = _heads(dtype, 2)
    query[0, 1, 2], value[1, 3, 0] = np.inf, np.nan
    yield ALONE, PLAIN, [query, key, value], {"kind": "extreme"}
    for layout in VIEWS:
        yield ALONE, PLAIN, _heads(dtype, 2), {"layout": layout}


def _dropping_cases(dtype: DType) -> Iterator[Case]:
    """Rows of weights that begin at any word of a counter, and such that begin at the first."""
    states = [np.array(x) for x in STATES]
    for state, keys in zip(states, (5, 6, 8, 7), strict=True):
        yield DRAWING, DROPPING, [*_heads(dtype, 2, keys=keys), state], OWN
    for length in (5, 8):
        causal = {**DROPPING, "causal": True}
        heads = _heads(dtype, 2, 2, queries=length, keys=length)
        yield DRAWING, causal, [*heads, states[1]], OWN
    seen = draw(bool_, 4, 5, seed=3)
    seen[:, 0] = True
    for mask in (seen, draw(dtype, 2, 4, 5, seed=4)):
        yield (True,) * 5, DROPPING, [*_heads(dtype, 2), mask, states[2]], OWN
    yield DRAWING, {**DROPPING, "dropout": 1.0}, [*_heads(dtype), states[3]], OWN
    for layout in STATE_LAYOUTS:
        yield DRAWING, DROPPING, [*_heads(dtype, 2), states[1]], {**OWN, "layout": layout}


def _attention(dtype: DType) -> Iterator[Sample]:
    for present, options, arrays, said in _cases(dtype):
        yield sample(_call(attention.__name__, present, **options), *arrays, **said)


def _attention_grad(dtype: DType) -> Iterator[Sample]:
    """The results of attention are those that it has of the other operands."""
    for present, options, arrays, said in _cases(dtype):
        op = _call(attention.__name__, present, **options)
        seen = [Operand(x, said.get("layout", "whole")).value for x in arrays]
        seen = [x.astype(np.float64) if x.dtype == dtype.numpy else x for x in seen]
        with np.errstate(all="ignore"):
            output, statistics = _attended(op, *seen)
        dy = draw(dtype, *output.shape, seed=6)
        wide = float32 if dtype in HALVES else dtype
        found = output.astype(dtype.numpy), statistics.astype(wide.numpy)
        grad = _call(attention_grad.__name__, (*present, True, True, True), **options)
        yield sample(grad, *arrays, *found, dy, **said)


def _arguments(op: Composite, given: tuple[Any, ...]) -> list[Any]:
    rest = iter(given)
    return [next(rest) if there else None for there in op.present]


def _weights(op: Composite, *given: Array) -> tuple[Array, Array]:
    """The weights before any is dropped, and the logarithms of what they were divided by."""
    query, key, _, mask, _ = _arguments(op, given)
    options = dict(op.options)
    scores = np.einsum("...qd,...kd->...qk", query, key) * options["scale"]
    if options["causal"]:
        rows, columns = np.indices(scores.shape[-2:])
        scores = np.where(columns <= rows, scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype.kind == "b" else scores + mask
    largest = scores.max(-1, keepdims=True)
    if mask is not None:
        largest = np.where(np.isneginf(largest), 0, largest)
    powers = np.exp(scores - largest)
    total = powers.sum(-1, keepdims=True)
    if mask is not None:
        total = np.where(total == 0, 1, total)
    return powers / total, (largest + np.log(total))[..., 0]


def _kept(op: Composite, state: Array | None, weights: Array) -> Array | float:
    """By what dropping multiplies the weights."""
    if state is None:
        return 1.0
    options: dict[str, Any] = dict(op.options)
    noise = uniform(RandomUniform(weights.shape, float32, options["offset"]), state)
    dropout = options["dropout"]
    return np.where(noise < np.float32(dropout), 0, kept_scale(dropout))


def _attended(op: Composite, *given: Array) -> tuple[Array, Array]:
    _, _, value, _, state = _arguments(op, given)
    weights, statistics = _weights(op, *given)
    dropped = weights * _kept(op, state, weights)
    return np.asarray(np.einsum("...qk,...kv->...qv", dropped, value)), statistics


def _attended_grad(op: Composite, *given: Array) -> tuple[Array, Array, Array]:
    query, key, value, mask, state, _, _, dy = _arguments(op, given)
    operands = [x for x in (query, key, value, mask, state) if x is not None]
    weights, _ = _weights(replace(op, present=op.present[:5]), *operands)
    kept, scale = _kept(op, state, weights), dict(op.options)["scale"]
    slopes = np.einsum("...qv,...kv->...qk", dy, value) * kept
    scores = weights * (slopes - (weights * slopes).sum(-1, keepdims=True))
    return (
        np.einsum("...qk,...kd->...qd", scores, key) * scale,
        np.einsum("...qk,...qd->...kd", scores, query) * scale,
        np.einsum("...qk,...qv->...kv", weights * kept, dy),
    )


def _torch_attended(torch: Any, op: Composite, *given: Any) -> Any:
    query, key, value, mask, _ = _arguments(op, given)
    options = dict(op.options)
    function = torch.nn.functional.scaled_dot_product_attention
    output = function(query, key, value, mask, is_causal=options["causal"], scale=options["scale"])
    scores = query @ key.mT * options["scale"]
    if options["causal"]:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
    if mask is not None:
        hidden = mask.dtype is torch.bool
        scores = scores.masked_fill(~mask, float("-inf")) if hidden else scores + mask
    wide = scores if scores.dtype is torch.float64 else scores.float()
    if mask is None:
        largest = wide.amax(-1, keepdim=True).detach()  # torch.logsumexp takes infinity apart
        return output, (largest + (wide - largest).exp().sum(-1, keepdim=True).log())[..., 0]
    statistics = torch.logsumexp(wide, -1)
    return output, torch.where(torch.isneginf(statistics), 0.0, statistics)


ROWS = (
    Row("attention", FLOATS, _attention, _attended, _torch_attended, WEIGHED, True,
        halves=ROUNDED),
    Row("attention_grad", FLOATS, _attention_grad, _attended_grad, None, FLOWS, True,
        halves=ROUNDED_FLOWS, own="PyTorch's is compared as the gradient of attention"),
)  # fmt: skip
