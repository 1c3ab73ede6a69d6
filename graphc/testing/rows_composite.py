"""The composites: each as a plain formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.functions.attention import attention
from graphc.ir.dtype import DType, bool_
from graphc.ops.composite import COMPOSITES, Composite
from graphc.testing.operands import VIEWS, Array, draw
from graphc.testing.table import FLOATS, Row, Sample, Tolerance, sample

WEIGHED = Tolerance("exponentials, a quotient and two products of some tens of numbers", 32, 64)
HALVES = Tolerance("scores and weights are rounded to the type between the products", 4, 8)


def _call(name: str, present: tuple[bool, ...], **options: object) -> Composite:
    return Composite(name, COMPOSITES[name], tuple(sorted(options.items())), present)


def _heads(dtype: DType, *lead: int, queries: int = 4, keys: int = 5) -> list[Array]:
    shapes = ((*lead, queries, 3), (*lead, keys, 3), (*lead, keys, 2))
    return [draw(dtype, *shape, seed=i) for i, shape in enumerate(shapes)]


def _attention(dtype: DType) -> Iterator[Sample]:
    name = attention.__name__
    plain: dict[str, object] = {"causal": False, "scale": 0.5, "dropout": 0.0}
    alone, masked = (True, True, True, False, False), (True, True, True, True, False)
    yield sample(_call(name, alone, **plain), *_heads(dtype, 2, 3))
    yield sample(_call(name, alone, **plain), *_heads(dtype, queries=1))
    causal = _call(name, alone, **{**plain, "causal": True})
    yield sample(causal, *_heads(dtype, 2, queries=5))
    yield sample(causal, *_heads(dtype, 2, queries=3))
    mask = draw(bool_, 4, 5, seed=3)
    mask[:, 0] = True
    yield sample(_call(name, masked, **plain), *_heads(dtype, 2), mask)
    mask[1] = False
    yield sample(_call(name, masked, **plain), *_heads(dtype, 2), mask, kind="kink")
    yield sample(_call(name, masked, **plain), *_heads(dtype, 2), draw(dtype, 2, 4, 5, seed=4))
    noise = np.random.default_rng(5).random((2, 4, 5)).astype(np.float32)
    dropping = _call(name, (True, True, True, False, True), **{**plain, "dropout": 0.25})
    yield sample(dropping, *_heads(dtype, 2), noise, kind="kink", unlike="PyTorch draws its own")
    yield sample(_call(name, alone, **plain), *_heads(dtype, 0, 2))
    yield sample(_call(name, alone, **plain), *_heads(dtype, 2, queries=0))
    query, key, value = _heads(dtype, 2)
    query[0, 1, 2], value[1, 3, 0] = np.inf, np.nan
    yield sample(_call(name, alone, **plain), query, key, value, kind="extreme")
    for layout in VIEWS:
        yield sample(_call(name, alone, **plain), *_heads(dtype, 2), layout=layout)


def _arguments(op: Composite, given: tuple[Any, ...]) -> list[Any]:
    rest = iter(given)
    return [next(rest) if there else None for there in op.present]


def _attended(op: Composite, *given: Array) -> Array:
    query, key, value, mask, noise = _arguments(op, given)
    options = dict(op.options)
    scores = np.einsum("...qd,...kd->...qk", query, key) * options["scale"]
    if options["causal"]:
        rows, columns = np.indices(scores.shape[-2:])
        scores = np.where(columns <= rows, scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype.kind == "b" else scores + mask
    largest = scores.max(-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(largest), 0, largest))
    total = powers.sum(-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    if noise is not None:
        dropout = float(str(options["dropout"]))
        weights = np.where(noise < np.float32(dropout), 0, weights / (1 - dropout))
    return np.asarray(np.einsum("...qk,...kv->...qv", weights, value))


def _torch_attended(torch: Any, op: Composite, *given: Any) -> Any:
    query, key, value, mask, _ = _arguments(op, given)
    options = dict(op.options)
    function = torch.nn.functional.scaled_dot_product_attention
    return function(query, key, value, mask, is_causal=options["causal"], scale=options["scale"])


ROWS = (
    Row("attention", FLOATS, _attention, _attended, _torch_attended, WEIGHED, True,
        halves=HALVES),
)  # fmt: skip
