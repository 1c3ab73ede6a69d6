"""Attention and its gradient by CUDA kernels, around the borders of their tiles."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from graphc.autodiff import gradients
from graphc.backends.cuda import BACKEND
from graphc.backends.cuda import attention as kernels
from graphc.backends.cuda.emit import emit
from graphc.compiler import Program, pipeline
from graphc.functions.attention import attention
from graphc.ir.dtype import DType, bfloat16, bool_, float16, float32, float64, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, grad_mode, make_input
from graphc.ir.types import Shape, TensorType
from graphc.ops.movement import Permute
from graphc.ops.random import RandomUniform
from graphc.passes import run
from graphc.testing.operands import draw
from graphc.testing.rows_random import uniform
from tests.cuda import bounds
from tests.cuda.compilers import needs_compiler
from tests.cuda.emulated import EmulatedBackend

STATE = np.array([2**40 + 3, 2**33 - 2])
OFFSET = 5
ERROR = {"float16": 2e-3, "bfloat16": 1.5e-2, "float32": 4e-6, "float64": 1e-14}
"""Of the largest element: weights and their changes are rounded once in a type of two bytes."""


def attended(
    dtype: DType, lead: Shape, sizes: Shape, *, causal: bool = False, mask: DType | None = None,
    mask_shape: Shape | None = None, turned: bool = False, tf32: bool = False,
    dropout: float = 0.0, scale: float | None = None,
) -> Graph:  # fmt: skip
    """The results and gradients for queries, keys, columns of both, and columns of values.

    With ``turned`` operands lie with their heads innermost but one, as projections give them.
    Weights are dropped by what is drawn from ``STATE``.
    """
    queries, keys, columns, wide = sizes

    def given(name: str, *shape: int) -> tuple[Node, Node]:
        if not turned:
            x = make_input(name, TensorType(shape, dtype), requires_grad=True)
            return x, x
        a, b, c, d = shape
        x = make_input(name, TensorType((a, c, b, d), dtype), requires_grad=True)
        with grad_mode(True):
            return x, Permute((0, 2, 1, 3))(x)

    q, k, v = (
        given("q", *lead, queries, columns),
        given("k", *lead, keys, columns),
        given("v", *lead, keys, wide),
    )
    dy = make_input("dy", TensorType((*lead, queries, wide), dtype))
    masks = (
        [] if mask is None else [make_input("m", TensorType(mask_shape or (queries, keys), mask))]
    )
    with grad_mode(True):
        scale = 1 / sqrt(columns) if scale is None else scale
        m = masks[0] if masks else None
        options = {"causal": causal, "scale": scale, "dropout": dropout, "tf32": tf32}
        state = make_input("state", TensorType(STATE.shape, int64)) if dropout else None
        found = attention(q[1], k[1], v[1], m, state, offset=OFFSET, **options)
    assert isinstance(found, tuple)
    flows = [x for x in gradients((found[0],), (dy,), (q[0], k[0], v[0])) if x is not None]
    drawing = [] if state is None else [state]
    return Graph((q[0], k[0], v[0], *masks, dy, *drawing), (*found, *flows))


def reference(
    arrays: list[Any],
    *,
    causal: bool,
    turned: bool,
    dropout: float = 0.0,
    scale: float | None = None,
) -> list[Any]:
    """The same in float64, by whole matrices."""
    wide = [x if x.dtype == bool else np.asarray(x, np.float64) for x in arrays]
    q, k, v, *mask, dy = wide
    if turned:
        q, k, v = (x.swapaxes(1, 2) for x in (q, k, v))
    scale = 1 / sqrt(q.shape[-1]) if scale is None else scale
    scores = q @ k.swapaxes(-1, -2) * scale
    if causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    for m in mask:
        scores = np.where(m, scores, -np.inf) if m.dtype == bool else scores + m
    largest = scores.max(-1, keepdims=True)
    largest[np.isinf(largest)] = 0
    weights = np.exp(scores - largest)
    total = weights.sum(-1, keepdims=True)
    total[total == 0] = 1
    weights /= total
    kept: Any = 1.0
    if dropout:
        noise = uniform(RandomUniform(weights.shape, float32, OFFSET), STATE)
        kept = np.where(noise < np.float32(dropout), 0, 1 / (1 - dropout))
    changes = dy @ v.swapaxes(-1, -2) * kept
    slopes = weights * (changes - (changes * weights).sum(-1, keepdims=True)) * scale
    flows = [slopes @ k, slopes.swapaxes(-1, -2) @ q, (weights * kept).swapaxes(-1, -2) @ dy]
    if turned:
        flows = [x.swapaxes(1, 2) for x in flows]
    return [weights * kept @ v, (largest + np.log(total))[..., 0], *flows]


def compare(
    graph: Graph,
    *,
    causal: bool = False,
    turned: bool = False,
    tf32: bool = False,
    dropout: float = 0.0,
    scale: float | None = None,
    **how: Any,
) -> list[Any]:
    """The results, which must be near the reference's."""
    inputs = graph.inputs[:-1] if dropout else graph.inputs
    arrays = [draw(x.dtype, *x.shape, seed=i) for i, x in enumerate(inputs)]
    program = Program(graph, EmulatedBackend(**how))
    assert "Attention of queries" in program.sources.text
    assert "Gradients of keys and values" in program.sources.text
    found = program.executable.bind([])(*arrays, *([STATE] if dropout else []))
    assert ("tensor cores in tf32" in program.sources.text) is tf32
    error = ERROR["float16" if tf32 else graph.inputs[0].dtype.name]  # of as many bits
    wanted = reference(arrays, causal=causal, turned=turned, dropout=dropout, scale=scale)
    for got, right in zip(found, wanted, strict=True):
        difference = np.abs(np.asarray(got, np.float64) - right)
        assert difference.max() <= error * max(1.0, np.abs(right).max())
    return found


SIZES = [
    (1, 1, 1, 1),
    (63, 64, 32, 32),
    (65, 33, 64, 64),
    (64, 130, 40, 24),
    (130, 64, 128, 128),
    (33, 40, 17, 100),
]
TYPES = [bfloat16, float16, float32, float64]


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_attention(dtype: DType, sizes: Shape, causal: bool) -> None:
    compare(attended(dtype, (2,), sizes, causal=causal), causal=causal)


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("sizes", [*SIZES, (150, 200, 64, 64)], ids=str)
def test_warps_of_many_rows(sizes: Shape, causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Warps have 32 rows where there are enough of them, and shared memory for two blocks."""
    monkeypatch.setattr(kernels, "PROCESSORS", 0)
    graph = attended(bfloat16, (2,), sizes, causal=causal)
    plain = run(graph, pipeline(BACKEND))
    assert "128 rows a block" in emit(plain, "sm_90").text
    assert "128 rows a block" not in emit(plain, "sm_80").text
    first = compare(graph, causal=causal, check=True, arch="sm_90")
    for a, b in zip(first, compare(graph, causal=causal, order=7, arch="sm_90"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("scale", [-0.5, 0.0, 1.5])
def test_scales(scale: float) -> None:
    """Of one that is not positive the largest score is not that of the largest product."""
    compare(attended(float32, (2,), (45, 70, 32, 32), scale=scale), scale=scale)


@pytest.mark.parametrize("sizes", [(40, 36, 200, 256), (20, 70, 256, 30)], ids=str)
@pytest.mark.parametrize("dtype", [bfloat16, float32], ids=str)
def test_large_heads(dtype: DType, sizes: Shape) -> None:
    compare(attended(dtype, (1, 2), sizes, causal=True), causal=True)


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("sizes", [*SIZES, (20, 70, 256, 30)], ids=str)
def test_tf32_where_it_is_allowed(sizes: Shape, causal: bool) -> None:
    graph = attended(float32, (2,), sizes, causal=causal, tf32=True)
    first = compare(graph, causal=causal, tf32=True, check=True)
    for a, b in zip(first, compare(graph, causal=causal, tf32=True, order=7), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(45, 70), (1, 70), (2, 1, 45, 1)], ids=str)
@pytest.mark.parametrize("kind", [bool_, None], ids=["truth values", "numbers"])
@pytest.mark.parametrize("dtype", [bfloat16, float32], ids=str)
def test_masks(dtype: DType, kind: DType | None, shape: Shape) -> None:
    """Among truth values are rows of which nothing is seen."""
    compare(attended(dtype, (2, 3), (45, 70, 32, 32), mask=kind or dtype, mask_shape=shape))


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("sizes", [(65, 36, 64, 64), (64, 131, 40, 24), (20, 70, 128, 30)], ids=str)
@pytest.mark.parametrize("dtype", [*TYPES, "tf32"], ids=str)
def test_dropped_weights(dtype: DType | str, sizes: Shape, causal: bool) -> None:
    """By what the table's generator draws, where rows begin with any word of a counter or not."""
    tf32 = dtype == "tf32"
    of = float32 if isinstance(dtype, str) else dtype
    how: dict[str, Any] = {"causal": causal, "tf32": tf32, "dropout": 0.25}
    graph = attended(of, (2, 2), sizes, **how)
    first = compare(graph, check=True, **how)
    for a, b in zip(first, compare(graph, order=7, **how), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [bfloat16, float32], ids=str)
def test_dropped_weights_under_a_mask(dtype: DType) -> None:
    compare(attended(dtype, (2, 3), (45, 70, 32, 32), mask=bool_, dropout=0.5), dropout=0.5)


@pytest.mark.parametrize("dtype", [bfloat16, float32], ids=str)
def test_heads_side_by_side(dtype: DType) -> None:
    compare(attended(dtype, (2, 3), (37, 50, 32, 32), turned=True), turned=True)


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.parametrize("dtype", [bfloat16, float32, float64], ids=str)
def test_order_of_threads_does_not_matter(dtype: DType, causal: bool) -> None:
    """Nor does a check of every access find anything."""
    graph = attended(dtype, (2,), (70, 90, 24, 40), causal=causal)
    first = compare(graph, causal=causal, check=True)
    for order in (0, 1, 7):
        for a, b in zip(first, compare(graph, causal=causal, order=order), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_scores_are_not_in_memory(dropout: float) -> None:
    sizes = (2048, 2048, 64, 64)
    graph = attended(bfloat16, (4, 8), sizes, causal=True, dropout=dropout)
    graph = run(graph, pipeline(BACKEND))
    scores = 4 * 8 * 2048 * 2048 * 2
    assert BACKEND.emit(graph).arena_bytes < scores / 16


def test_what_has_no_kernel_is_opened() -> None:
    graph = run(attended(float64, (1,), (8, 8, 200, 8)), pipeline(BACKEND))
    assert "attention" not in str(graph)
    graph = run(attended(float64, (1,), (8, 8, 100, 8)), pipeline(BACKEND))
    assert "attention_grad" in str(graph)


@needs_compiler
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [bfloat16, float32], ids=str)
def test_large_heads_stay_in_registers(
    dtype: DType, causal: bool, dropout: float, arch: str
) -> None:
    """As many queries as there are in practice, for which warps have more rows."""
    graph = attended(dtype, (8, 16), (4096, 4096, 128, 128), causal=causal, dropout=dropout)
    kernels = bounds.held(graph, arch)
    assert len(kernels) == 3
    assert {x.kernel.name: x.found.stack for x in kernels if x.found.stack} == {}


@needs_compiler
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
def test_attention_in_tf32_compiles(arch: str) -> None:
    graph = attended(float32, (2, 2), (256, 256, 128, 128), causal=True, tf32=True, dropout=0.1)
    assert len(bounds.held(graph, arch)) == 3
