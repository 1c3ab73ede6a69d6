"""Products and convolutions by CUDA kernels: every variant, around the borders of its tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest

from graphc.autodiff import gradients
from graphc.backend import Backend
from graphc.backends.cuda import CudaBackend, compilation, products
from graphc.backends.cuda.tiles import VARIANTS, Cut, Variant
from graphc.compiler import Program, load_backend, pipeline
from graphc.ir.dtype import DType, bfloat16, bool_, float16, float32, float64, int8, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, cast, elementwise, grad_mode, make_input
from graphc.ir.types import Shape, TensorType
from graphc.ops.convolution import Convolution, ConvolutionInputGrad, ConvolutionWeightGrad
from graphc.ops.creation import Arange
from graphc.ops.matmul import MatMul, transposed
from graphc.ops.movement import expand, reshape
from graphc.passes import run
from graphc.testing.operands import draw
from tests.cuda.bounds import held
from tests.cuda.compilers import needs_compiler
from tests.cuda.emulated import EmulatedBackend

BACKEND = CudaBackend(arch="sm_80")
TYPES = {"half": bfloat16, "tf32": float32, "single": float32, "double": float64}
ROUNDED = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
CASES = [(kind, x) for kind, variants in VARIANTS.items() for x in variants]
NAMES = [f"{kind}-{x.rows}x{x.columns}" for kind, x in CASES]


@contextmanager
def cut(variant: Variant, splits: int = 1) -> Iterator[None]:
    """Let products be cut so."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(products, "ranked", lambda *_, **__: [Cut(variant, splits)])
        yield


def of(dtype: DType, *shape: int, name: str = "x") -> Node:
    return make_input(name, TensorType(shape, dtype))


def four_ways(
    dtype: DType, m: int, n: int, k: int, *, tf32: bool = False
) -> tuple[Graph, list[Any]]:
    """A product of operands that lie in each of four ways."""
    x, turned_x = of(dtype, m, k), of(dtype, k, m)
    w, turned_w = of(dtype, k, n), of(dtype, n, k)
    product = MatMul(tf32=tf32)
    results = [product(a, b) for a in (x, transposed(turned_x)) for b in (w, transposed(turned_w))]
    a, b = draw(dtype, m, k), draw(dtype, k, n, seed=1)
    arrays = [a, np.ascontiguousarray(a.T), b, np.ascontiguousarray(b.T)]
    return Graph((x, turned_x, w, turned_w), tuple(results)), arrays


def results_of(graph: Graph, arrays: list[Any], **how: Any) -> list[Any]:
    return Program(graph, EmulatedBackend(**how)).executable.bind([])(*arrays)


def near(got: Any, a: Any, b: Any, dtype: DType, *, tf32: bool = False) -> None:
    """That a product is as exact as sums of float32 (of float64), rounded once, can be."""
    wide_a, wide_b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    right, size = wide_a @ wide_b, np.abs(wide_a) @ np.abs(wide_b)
    unit = ROUNDED["float64" if dtype is float64 else "float32"]
    error = a.shape[-1] * unit * size + ROUNDED[dtype.name] * np.abs(right)
    if tf32:
        error += 2.0**-10 * size  # each factor is off by 2⁻¹¹ at most
    assert (np.abs(np.asarray(got, np.float64) - right) <= 1.01 * error).all()


@pytest.mark.parametrize(("kind", "variant"), CASES, ids=NAMES)
@pytest.mark.parametrize("beyond", [-3, 0, 5])
def test_variants(kind: str, variant: Variant, beyond: int) -> None:
    """Sides that are even allow copies of several elements, others do not."""
    dtype, tf32 = TYPES[kind], kind == "tf32"
    m, n, k = (max(1, x + beyond) for x in (variant.rows, variant.columns, 2 * variant.depth))
    graph, arrays = four_ways(dtype, m, n, k, tf32=tf32)
    with cut(variant):
        found = results_of(graph, arrays)
    for got in found:
        near(got, arrays[0], arrays[2], dtype, tf32=tf32)


@pytest.mark.parametrize("kind", VARIANTS)
def test_order_of_threads_does_not_matter(kind: str) -> None:
    """Nor does a check of every access find anything, with or without parts."""
    dtype = TYPES[kind]
    for splits in (1, 3):
        variant = VARIANTS[kind][-1]
        graph, arrays = four_ways(dtype, 19, 70, 6 * variant.depth + 2, tf32=kind == "tf32")
        with cut(variant, splits):
            first = results_of(graph, arrays, check=True)
            for order in (0, 1, 7):
                others = results_of(graph, arrays, order=order)
                for a, b in zip(first, others, strict=True):
                    np.testing.assert_array_equal(a, b)
        near(first[0], arrays[0], arrays[2], dtype, tf32=kind == "tf32")


@pytest.mark.parametrize("splits", [2, 5, 32])
@pytest.mark.parametrize("dtype", [float16, float32, float64], ids=str)
def test_parts_of_the_inner_dimension(dtype: DType, splits: int) -> None:
    kind = "half" if dtype is float16 else "double" if dtype is float64 else "single"
    graph, arrays = four_ways(dtype, 9, 12, 700)
    with cut(VARIANTS[kind][-1], splits):
        program = Program(graph, EmulatedBackend())
    assert "_added<<<" in program.sources.text
    for got in program.executable.bind([])(*arrays):
        near(got, arrays[0], arrays[2], dtype)


def test_tf32_is_used_where_it_is_allowed() -> None:
    graph, arrays = four_ways(float32, 64, 64, 64, tf32=True)
    program = Program(graph, EmulatedBackend())
    assert "on tensor cores in tf32" in program.sources.text
    got = program.executable.bind([])(*arrays)[0]
    right = arrays[0].astype(np.float64) @ arrays[2].astype(np.float64)
    assert np.abs(got - right).max() > 1e-4


@pytest.mark.parametrize(
    ("x", "w"),
    [
        ((3, 1, 5, 40), (4, 40, 6)),
        ((2, 1, 1, 9), (2, 3, 9, 1)),
        ((70, 3), (3, 1)),
        ((1, 200), (200, 3)),
        ((5, 0), (0, 4)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [bfloat16, float32], ids=str)
def test_batches_and_thin_matrices(dtype: DType, x: Shape, w: Shape) -> None:
    a, b = of(dtype, *x), of(dtype, *w)
    arrays = [draw(dtype, *x), draw(dtype, *w, seed=1)]
    (got,) = results_of(Graph((a, b), (MatMul()(a, b),)), arrays, check=True)
    near(got, arrays[0], arrays[1], dtype)


@pytest.mark.parametrize("dtype", [bool_, int8, int64], ids=str)
def test_whole_numbers(dtype: DType) -> None:
    graph, arrays = four_ways(dtype, 33, 35, 50)
    right = np.matmul(arrays[0], arrays[2])
    for got in results_of(graph, arrays, check=True):
        np.testing.assert_array_equal(got, right)


def finished(x: Node, w: Node, bias: Node, other: Node) -> Node:
    """A layer with what follows it."""
    return elementwise("tanh", MatMul()(x, w) + bias) * other


@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("width", [64, 70, 71])
@pytest.mark.parametrize("dtype", [float16, float32, float64], ids=str)
def test_results_are_finished(dtype: DType, width: int, splits: int) -> None:
    x, w = of(dtype, 40, 300), of(dtype, 300, width)
    bias, other = of(dtype, width), of(dtype, 40, width)
    arrays = [draw(dtype, *t.shape, seed=i) for i, t in enumerate((x, w, bias, other))]
    arrays[1] = (np.asarray(arrays[1], np.float64) / 16).astype(arrays[1].dtype)
    graph = Graph((x, w, bias, other), (finished(x, w, bias, other),))
    kind = {"float16": "half", "float64": "double"}.get(dtype.name, "single")
    with cut(VARIANTS[kind][-1], splits):
        program = Program(graph, EmulatedBackend(check=True))
    assert program.sources.text.count("__global__") == (2 if splits > 1 else 1)
    (got,) = program.executable.bind([])(*arrays)
    wide = [np.asarray(a, np.float64) for a in arrays]
    right = np.tanh(wide[0] @ wide[1] + wide[2]) * wide[3]
    tolerance = {"float16": 4e-3, "float32": 3e-6, "float64": 1e-14}[dtype.name]
    np.testing.assert_allclose(np.asarray(got, np.float64), right, rtol=tolerance, atol=tolerance)


def test_an_update_is_made_where_its_gradient_is() -> None:
    """The gradient of a weight is never stored: what it changes is written over."""
    x, dy, w = of(float32, 90, 40), of(float32, 90, 24, name="dy"), of(float32, 40, 24, name="w")
    new = w - MatMul()(transposed(x), dy) * 0.5
    program = Program(Graph((x, dy), (), (w,), ((w, new),)), EmulatedBackend(check=True))
    assert program.sources.text.count("__global__") == 1
    assert program.sources.arena_bytes == 0
    a, b, state = (
        draw(float32, 90, 40),
        draw(float32, 90, 24, seed=1),
        draw(float32, 40, 24, seed=2),
    )
    right = state - 0.5 * (a.T.astype(np.float64) @ b)
    program.executable.bind([state])(a, b)
    np.testing.assert_allclose(state, right, rtol=1e-5, atol=1e-5)


GEOMETRIES = {
    "plain": ((2, 8, 9, 10), (16, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "strided": ((2, 6, 11, 9), (10, 6, 3, 2), (2, 3), (1, 0), (1, 1), 1),
    "dilated": ((1, 4, 12, 12), (8, 4, 3, 3), (1, 1), (2, 2), (2, 2), 1),
    "grouped": ((2, 8, 6, 6), (12, 4, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    "by channel": ((2, 8, 7, 7), (8, 1, 3, 3), (1, 1), (1, 1), (1, 1), 8),
    "pointwise": ((3, 16, 4, 6), (24, 16, 1, 1), (1, 1), (0, 0), (1, 1), 1),
}


def three_convolutions(x: Node, w: Node, how: Any, *, tf32: bool) -> tuple[Node, ...]:
    stride, padding, dilation, groups = how
    settings = (stride, padding, dilation, groups)
    y = Convolution(*settings, tf32=tf32)(x, w)
    dx = ConvolutionInputGrad(*settings, x.shape[2:], tf32=tf32)(y * 0.5, w)
    dw = ConvolutionWeightGrad(*settings, w.shape[2:], tf32=tf32)(x, y * 0.5)
    return y, dx, dw


def wave(op: str, shape: Shape, dtype: DType) -> Node:
    """Numbers between 0 and 1 that are as good as drawn."""
    values = elementwise(op, Arange(0, 1, prod(shape), float64)()) * 0.5 + 0.5
    return cast(reshape(values, shape), dtype)


def two_convolutions(x: Node, w: Node, how: Any, *, tf32: bool) -> tuple[Node, ...]:
    """One after the other, between which values lie as the kernels prefer, and their gradients."""
    y = Convolution(*how, tf32=tf32)(x, w) * 0.25 + 0.5
    v = wave("sin", (10, y.shape[1], 3, 3), x.dtype)
    z = Convolution((1, 1), (1, 1), (1, 1), 1, tf32=tf32)(y, v)
    slope = wave("cos", z.shape, x.dtype)
    return z, *(g for g in gradients((z,), (slope,), (x, w)) if g is not None)


@pytest.mark.parametrize("several", [three_convolutions, two_convolutions], ids=["one", "two"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kind", ["half", "tf32", "single"])
def test_convolutions(kind: str, geometry: str, several: Any) -> None:
    """Against numpy in float64. All is positive, so that errors are small for each element."""
    shape, weight, *how = GEOMETRIES[geometry]
    dtype, tf32 = {**TYPES, "half": float16}[kind], kind == "tf32"
    arrays = [np.abs(draw(dtype, *shape)), np.abs(draw(dtype, *weight, seed=1))]

    def computed(dtype: DType, backend: Backend, *, tf32: bool) -> list[Any]:
        x, w = (make_input("x", TensorType(s, dtype), requires_grad=True) for s in (shape, weight))
        with grad_mode(True):
            graph = Graph((x, w), several(x, w, how, tf32=tf32))
        given = [a.astype(dtype.numpy) for a in arrays]
        return Program(graph, backend).executable.bind([])(*given)

    exact = computed(float64, load_backend("numpy"), tf32=False)
    # Two results between and the last are rounded, or four factors.
    error = {"half": 3 * 2.0**-11, "tf32": 4 * 2.0**-11, "single": 1e-5}[kind]
    found = computed(dtype, EmulatedBackend(check=True), tf32=tf32)
    for got, right in zip(found, exact, strict=True):
        np.testing.assert_allclose(np.asarray(got, np.float64), right, rtol=1.02 * error)


def test_a_pointwise_convolution_of_what_is_repeated() -> None:
    """Pixels that are all one number are found by their image alone."""
    x, w = of(float32, 3, 4, 1, 1), of(float32, 5, 4, 1, 1, name="w")
    y = Convolution((1, 1), (0, 0), (1, 1), 1)(expand(x, (3, 4, 6, 7)), w)
    a, b = draw(float32, 3, 4, 1, 1), draw(float32, 5, 4, 1, 1, seed=1)
    (got,) = results_of(Graph((x, w), (y,)), [a, b], check=True)
    right = np.einsum("nc,kc->nk", a[..., 0, 0], b[..., 0, 0])
    np.testing.assert_allclose(got, np.broadcast_to(right[..., None, None], got.shape), rtol=1e-5)


def test_channels_lie_side_by_side_between_convolutions() -> None:
    """Then several are copied at once; a weight is put in their order first."""
    x, w = of(bfloat16, 2, 16, 8, 8), of(bfloat16, 16, 16, 3, 3, name="w")
    settings = ((1, 1), (1, 1), (1, 1), 1)
    y = Convolution(*settings)(Convolution(*settings)(x, w), w)
    text = BACKEND.emit(run(Graph((x, w), (y,)), pipeline(BACKEND))).text
    first, second = text.split("/* A weight of 16 x 16 x 3 x 3, channels last */")
    assert "async_copy<16>(to, a0" not in first
    assert "async_copy<16>(to, a0" in second
    assert "async_copy<16>(to, packed" in second


def test_a_weight_of_one_tap_is_copied_by_its_channels() -> None:
    """Axes of one element do not count: several are copied at once for the input's gradient too."""
    x, w = of(bfloat16, 2, 32, 8, 8), of(bfloat16, 32, 32, 1, 1, name="w")
    settings = ((1, 1), (0, 0), (1, 1), 1)
    dy = Convolution(*settings)(x, w)
    dx = ConvolutionInputGrad(*settings, (8, 8))(dy, w)
    text = BACKEND.emit(run(Graph((x, w), (dx,)), pipeline(BACKEND))).text
    _, second = text.split("/* What flows from")
    assert second.count("async_copy<16>(to, a") == 2


@pytest.mark.parametrize(("side", "kind"), [(2**14, "int"), (2**16, "long")])
def test_indices_have_room(side: int, kind: str) -> None:
    """The result may be larger than both operands."""
    x, w = of(bfloat16, side, 1), of(bfloat16, 1, side, name="w")
    text = BACKEND.emit(run(Graph((x, w), (MatMul()(x, w) + 1.0,)), pipeline(BACKEND))).text
    assert f"const {kind} i = first_i" in text


@needs_compiler
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("kind", VARIANTS)
def test_variants_compile(kind: str, arch: str) -> None:
    graph, _ = four_ways(TYPES[kind], 256, 256, 256, tf32=kind == "tf32")
    texts: list[str] = []
    for number, variant in enumerate((VARIANTS[kind][0], VARIANTS[kind][-1])):
        with cut(variant):
            text = BACKEND.emit(run(graph, pipeline(BACKEND))).text
        begin = text.index("/* 256 x 256")
        texts.append((text[begin:] if number else text).replace("matmul_", f"matmul_{number}_"))
    image = compilation.compile("\n".join(texts), arch)
    assert image.startswith(b"\x7fELF")


@needs_compiler
def test_products_of_any_width_keep_within_bounds() -> None:
    """What is copied in pieces of one or two elements, and a result of one element."""
    graphs = [four_ways(bfloat16, *sides)[0] for sides in product((6, 7), repeat=3)]
    x, w = of(float32, 1, 2, 3, 3), of(float32, 1, 2, 3, 3, name="w")
    graphs.append(Graph((x, w), (Convolution((1, 1), (0, 0), (1, 1), 1)(x, w),)))
    inputs = tuple(node for graph in graphs for node in graph.inputs)
    graph = Graph(inputs, tuple(node for graph in graphs for node in graph.outputs))
    assert not [str(x) for x in held(graph, "sm_80") if x.broken()]
