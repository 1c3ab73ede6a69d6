"""Products by warpgroups, as sm_90 has them: values, what is refused, and bugs that are planted."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphc.backends.cuda import BACKEND, compilation, products, tiles
from graphc.backends.cuda.cubin import resources
from graphc.backends.cuda.emit import emit
from graphc.backends.cuda.tensor_maps import TensorMap
from graphc.backends.cuda.tiles import WARPGROUPS, Cut, Variant
from graphc.compiler import Program, pipeline
from graphc.ir.dtype import DType, bfloat16, float16, float32
from graphc.ir.graph import Graph
from graphc.ops.matmul import MatMul, transposed
from graphc.passes import run
from graphc.testing.operands import draw
from tests.cuda.bounds import REGISTERS
from tests.cuda.compilers import needs_compiler
from tests.cuda.emulated import EmulatedBackend, encode
from tests.cuda.emulation import KernelError
from tests.cuda.test_cuda_products import (
    TYPES,
    cut,
    finished,
    four_ways,
    near,
    of,
    results_of,
    three_convolutions,
    two_convolutions,
)
from tests.cuda.test_cuda_products import test_convolutions as check_convolutions

CASES = [(kind, x) for kind, variants in WARPGROUPS.items() for x in variants]
NAMES = [f"{kind}-{x.rows}x{x.columns}" for kind, x in CASES]
ARCH = "sm_90"


@pytest.fixture
def small_ones(monkeypatch: pytest.MonkeyPatch) -> list[Cut]:
    """The cuts of products by warpgroups, which work wherever they can, worth it or not."""
    ranked, made = tiles.ranked, list[Cut]()

    def forced(kind: str, size: int, extents: Any, *, grouped: bool) -> list[Cut]:
        if grouped:
            made.append(Cut(WARPGROUPS[kind][-1], 1))
            return made[-1:]
        return ranked(kind, size, extents, grouped=False)

    monkeypatch.setattr(products, "ranked", forced)
    return made


def ways(dtype: DType, m: int, n: int, k: int) -> tuple[Graph, list[Any]]:
    """A product of operands that lie in each way in which warpgroups can read them."""
    graph, arrays = four_ways(dtype, m, n, k, tf32=dtype is float32)
    if dtype is not float32:
        return graph, arrays
    x, w = graph.inputs[0], graph.inputs[3]
    return Graph((x, w), (MatMul(tf32=True)(x, transposed(w)),)), [arrays[0], arrays[3]]


def right_operands(dtype: DType, arrays: list[Any]) -> tuple[Any, Any]:
    """Both as a product takes them."""
    return (arrays[0], arrays[1].T) if dtype is float32 else (arrays[0], arrays[2])


def text_of(graph: Graph, arch: str = ARCH) -> str:
    return emit(run(graph, pipeline(BACKEND)), arch).text


def count_of(text: str) -> int:
    """Kernels by warpgroups."""
    return len(re.findall(r"^/\* .* a warpgroup on tensor cores", text, re.MULTILINE))


@pytest.mark.parametrize(("kind", "variant"), CASES, ids=NAMES)
@pytest.mark.parametrize("beyond", [-8, 0, 16])
def test_variants(kind: str, variant: Variant, beyond: int) -> None:
    """From one stage to more than there are at once."""
    dtype = TYPES[kind]
    depth = (variant.stages + 2 if beyond > 0 else 1) * variant.depth
    graph, arrays = ways(dtype, variant.rows + beyond, variant.columns + beyond, depth + beyond)
    with cut(variant):
        assert count_of(text_of(graph)) == len(graph.outputs)
        found = results_of(graph, arrays, arch=ARCH, check=beyond > 0)
    a, b = right_operands(dtype, arrays)
    for got in found:
        near(got, a, b, dtype, tf32=kind == "tf32")


@pytest.mark.parametrize("dtype", [float16, bfloat16, float32], ids=str)
@pytest.mark.parametrize("splits", [1, 3])
def test_order_of_threads_does_not_matter(dtype: DType, splits: int) -> None:
    """Nor does a check of every access find anything, with or without parts, with odd borders."""
    kind = "tf32" if dtype is float32 else "half"
    variant = WARPGROUPS[kind][4]
    x, w = of(dtype, 131, 9 * variant.depth - 8), of(dtype, 67, 9 * variant.depth - 8)
    graph = Graph((x, w), (MatMul(tf32=kind == "tf32")(x, transposed(w)),))
    arrays = [draw(dtype, *x.shape), draw(dtype, *w.shape, seed=1)]
    with cut(variant, splits):
        assert count_of(text_of(graph)) == 1
        (first,) = results_of(graph, arrays, arch=ARCH, check=True)
        for order in (0, 1, 7):
            (other,) = results_of(graph, arrays, arch=ARCH, order=order)
            np.testing.assert_array_equal(first, other)
    near(first, arrays[0], arrays[1].T, dtype, tf32=kind == "tf32")


@pytest.mark.parametrize(
    ("x", "w", "maps"),
    [
        ((3, 70, 72), (3, 72, 40), 2),
        ((3, 70, 72), (72, 40), 2),
        ((2, 3, 70, 72), (2, 3, 72, 40), 2),
        ((2, 1, 70, 72), (3, 72, 40), 0),
        ((2, 3, 70, 72), (3, 72, 40), 1),
    ],
    ids=str,
)
@pytest.mark.usefixtures("small_ones")
def test_batches(x: tuple[int, ...], w: tuple[int, ...], maps: int) -> None:
    """What broadcasts along one axis of several is no plain batch: threads copy that."""
    a, b = of(bfloat16, *x), of(bfloat16, *w)
    graph = Graph((a, b), (MatMul()(a, b),))
    text = text_of(graph)
    assert count_of(text) == 1
    assert text.count("const __grid_constant__ tensor_map") == maps
    arrays = [draw(bfloat16, *x), draw(bfloat16, *w, seed=1)]
    (got,) = results_of(graph, arrays, arch=ARCH, check=True)
    near(got, arrays[0], arrays[1], bfloat16)


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize("width", [64, 200])
def test_results_are_finished(width: int, splits: int) -> None:
    x, w = of(float16, 40, 304), of(float16, 304, width)
    bias, other = of(float16, width), of(float16, 40, width)
    arrays = [draw(float16, *t.shape, seed=i) for i, t in enumerate((x, w, bias, other))]
    arrays[1] = (np.asarray(arrays[1], np.float64) / 16).astype(np.float16)
    graph = Graph((x, w, bias, other), (finished(x, w, bias, other),))
    with cut(WARPGROUPS["half"][-2], splits):
        assert count_of(text_of(graph)) == 1
        (got,) = results_of(graph, arrays, arch=ARCH, check=True)
    wide = [np.asarray(a, np.float64) for a in arrays]
    right = np.tanh(wide[0] @ wide[1] + wide[2]) * wide[3]
    np.testing.assert_allclose(np.asarray(got, np.float64), right, rtol=4e-3, atol=4e-3)


@pytest.mark.parametrize(
    ("geometry", "several", "count"),
    [
        ("plain", two_convolutions, 2),
        ("dilated", two_convolutions, 1),
        ("pointwise", three_convolutions, 3),
        ("pointwise", two_convolutions, 4),
    ],
)
def test_convolved(
    geometry: str,
    several: Any,
    count: int,
    small_ones: list[Cut],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is found by index is copied by threads, eight channels at a time.

    Pointwise ones are found by strides, all three.
    """
    init = EmulatedBackend.__init__

    def on_it(backend: EmulatedBackend, **how: Any) -> None:
        init(backend, **how, arch=ARCH)

    monkeypatch.setattr(EmulatedBackend, "__init__", on_it)
    check_convolutions("half", geometry, several)
    assert len(small_ones) == count


def test_only_what_is_worth_it() -> None:
    """Large products of aligned operands, in the types and the orders that there are."""
    large, _ = four_ways(bfloat16, 2048, 2048, 2048)
    for arch, count in (("", 0), ("sm_80", 0), ("sm_90", 4), ("sm_90a", 4), ("sm_100", 0)):
        assert count_of(text_of(large, arch)) == count
    assert text_of(large, "sm_80") == text_of(large, "")
    odd, _ = four_ways(bfloat16, 2047, 2047, 2047)
    thin, _ = four_ways(bfloat16, 8, 2048, 2048)
    exact, _ = four_ways(float32, 2048, 2048, 2048)
    assert [count_of(text_of(x)) for x in (odd, thin, exact)] == [0, 0, 0]
    tf32, _ = four_ways(float32, 2048, 2048, 2048, tf32=True)
    assert count_of(text_of(tf32)) == 1


def test_maps_that_the_driver_refuses() -> None:
    good = TensorMap("bfloat16", (64, 64, 1), (128, 128), (64, 64, 1))
    assert len(good.encoded(1 << 20, encode)) == 128
    wrong = (replace(good, strides=(120, 128)), replace(good, box=(64, 300, 1)))
    for x, address in ((good, 8), (wrong[0], 0), (wrong[1], 0)):
        with pytest.raises(KernelError, match="refused"):
            x.encoded(address, encode)


# What is taken out of a kernel, or put in its place, and what is said of it. Operands come by maps
# to the kernels of the first table, and are copied by threads to those of the second one.
WAIT = r"barrier_wait\(&arrived\[step % 4\], step / 4 % 2\);"
MAPPED = {
    "no wait for what comes": (WAIT, "", "wgmma reads shared memory to which a bulk copy"),
    "the other parity": (WAIT, WAIT.replace("\\", "")[:-2] + " ^ 1);", "bulk copy"),
    "too few bytes are expected": (r"expect\(barrier, \d+", "expect(barrier, 64", "."),
    "too many bytes are expected": (r"expect\(barrier, ", "expect(barrier, 16 + ", "deadlock"),
    "barriers are not made": (r"if \(thread == 0\) barrier_init.*", "", "not initialised"),
    "barriers are used at once": (r"(barrier_init.*\n) *__syncthreads\(\);", r"\1", "no barrier"),
    "stages are filled too soon": (r"warpgroup_wait<1>\(\);", "", "wgmma still reads"),
    "sums are read too soon": (r"warpgroup_wait<0>\(\);", "", "nobody waited for"),
    "sums are not ready": (r"warpgroup_arrive\(\);", "", "no wgmma.fence"),
    "a tile lies elsewhere": (r"bulk_copy\(to_left", "bulk_copy(to_left + 8", "multiple of 1024"),
}
COPIED = {
    "no fence": (r"async_fence\(\);", "", "no fence.proxy.async since"),
    "no barrier": (r"__syncthreads\(\); /\*.*", "", "race|uninitialised|fence"),
    "no wait for copies": (r"async_wait<1>\(\);", "", "uninitialised"),
    "stages are filled too soon": (r"warpgroup_wait<1>\(\);", "", "wgmma still reads"),
}


@pytest.mark.parametrize(
    ("mapped", "name"), [*((True, x) for x in MAPPED), *((False, x) for x in COPIED)]
)
def test_planted_bugs(mapped: bool, name: str) -> None:
    found, put, said = (MAPPED if mapped else COPIED)[name]
    if mapped:
        x, w = of(bfloat16, 2, 64, 384), of(bfloat16, 2, 384, 64)
    else:  # along one axis of several each is broadcast
        x, w = of(bfloat16, 2, 1, 2, 64, 384), of(bfloat16, 2, 2, 1, 384, 64)
    graph = Graph((x, w), (MatMul()(x, w),))
    with cut(WARPGROUPS["half"][-1]):
        backend = EmulatedBackend(check=True, arch=ARCH)
        sources = backend.emit(run(graph, pipeline(backend)))
    kernel = sources.text.index('extern "C"')
    text, count = re.subn(found, put, sources.text[kernel:])
    assert count
    arrays = [draw(bfloat16, *x.shape), draw(bfloat16, *w.shape)]
    backend.build(sources).bind([])(*arrays)
    broken = backend.build(replace(sources, text=sources.text[:kernel] + text))
    with pytest.raises(KernelError, match=said):
        broken.bind([])(*arrays)


@needs_compiler
@pytest.mark.parametrize(("kind", "variant"), CASES, ids=NAMES)
def test_variants_compile(kind: str, variant: Variant) -> None:
    """With nothing in local memory, and registers for as many blocks as are to be there at once."""
    dtype = TYPES[kind]
    plain, _ = ways(dtype, 512, 512, 512)
    x, w = of(dtype, 2, 1, 512, 512), of(dtype, 3, 512, 512)
    copied = Graph((x, w), (MatMul()(x, w),))
    for graph in (plain, copied)[: 1 if kind == "tf32" else 2]:
        with cut(variant):
            program = text_of(graph)
        for found in resources(compilation.compile(program, ARCH)).values():
            assert not found.stack
            assert found.registers * variant.threads * variant.resident <= REGISTERS


@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
def test_a_program_runs_where_it_says(arch: str) -> None:
    """Products of both kinds in one program, for either processor."""
    graph, arrays = four_ways(float16, 136, 264, 200)
    found = Program(graph, EmulatedBackend(arch=arch)).executable.bind([])(*arrays)
    for got in found:
        near(got, arrays[0], arrays[2], float16)
