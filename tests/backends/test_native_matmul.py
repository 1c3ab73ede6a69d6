"""Matrix products of generated C, against the table's references and numpy in higher precision."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.backends.native.epilogue import Epilogue
from graphc.backends.native.made import Made, Setting
from graphc.backends.native.matmul import MATMUL, matmul
from graphc.backends.native.products import product_of
from graphc.backends.native.targets import TARGETS, Target, host
from graphc.backends.native.tile_text import transposition
from graphc.backends.native.tiles import candidates, chosen
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.node import Node, make_input
from graphc.ir.types import TensorType
from graphc.ops.matmul import MatMul
from tests.backends.native_alone import Array, compiled, operand_of, source
from tests.backends.native_samples import Use, check_samples, run_all
from tests.backends.native_sanitized import sanitized

HERE = list(dict.fromkeys([host().name, "portable"]))
ROUNDING = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
SIZES = [
    *((1, 1, 1), (1, 7, 1), (1, 3, 40), (2, 40, 1), (5, 1, 3), (16, 10, 5), (16, 5, 1)),
    *((3, 33, 17), (7, 64, 16), (12, 19, 33), (13, 9, 50), (31, 70, 29), (65, 130, 47)),
    *((1, 300, 200), (200, 300, 1), (4, 257, 100), (130, 1100, 24), (100, 40, 260)),
]  # fmt: skip
LAYOUTS = ("row", "column", "stepped", "flipped")


def laid(x: Array, layout: str) -> Array:
    """The array with its matrices by rows, by columns, with gaps, or backwards."""
    if layout == "row":
        return np.ascontiguousarray(x)
    if layout == "column":
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "stepped":
        wide = np.zeros((*x.shape[:-2], 3 * x.shape[-2], 2 * x.shape[-1]), x.dtype)
        wide[..., ::3, ::2] = x
        return wide[..., ::3, ::2]
    return np.ascontiguousarray(x[..., ::-1, ::-1])[..., ::-1, ::-1]


def random(dtype: str, *shape: int, seed: int = 0) -> Array:
    """Numbers near one, or small whole ones."""
    generator = np.random.default_rng(seed)
    if dtype.startswith(("int", "uint")):
        return generator.integers(0, 100, shape).astype(dtype)
    if dtype == "bool":
        return generator.random(shape) < 0.2
    found: Array = generator.standard_normal(shape).astype(_numpy(dtype))
    return found


def _numpy(dtype: str) -> Any:
    import ml_dtypes

    return ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)


def node_of(*arrays: Array) -> Node:
    """A product of inputs like the arrays."""
    inputs = []
    for i, x in enumerate(arrays):
        dtype = dtype_of_numpy(x.dtype)
        assert dtype is not None
        inputs.append(make_input(f"x{i}", TensorType(x.shape, dtype)))
    node: Node = MatMul()(*inputs)
    return node


def use(x: Array, y: Array, result: str = "row", threads: int = 2, **options: Any) -> Use:
    """A product of two arrays into a new one that is laid so."""
    node = node_of(x, y)
    z = laid(np.full(node.shape, 113, x.dtype), result)
    return Use(partial(matmul, **options), node, (x, y), (z,), threads)


def check(each: Use) -> None:
    """The product against numpy's, within the error of sums in any order."""
    (x, y), (z,) = each.operands, each.results
    if x.dtype.kind in "biu":
        np.testing.assert_array_equal(z, np.matmul(x, y))
        return
    name = str(x.dtype)
    exact = np.matmul(x.astype(np.longdouble), y.astype(np.longdouble))
    bound = np.matmul(abs(x).astype(np.float64), abs(y).astype(np.float64))
    inner = ROUNDING["float32"] if name in ("float16", "bfloat16") else ROUNDING[name]
    limit = bound * inner * (x.shape[-1] + 1) + abs(exact) * ROUNDING[name] + 2.0**-24
    assert (abs(z.astype(np.longdouble) - exact) <= limit).all(), (x.shape, y.shape, x.strides)


def run(uses: Sequence[Use], folder: Path, target: str) -> None:
    """Every product, computed and checked."""
    run_all(uses, folder, TARGETS[target])
    for each in uses:
        check(each)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"],
)
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, tmp_path: Path) -> None:
    assert check_samples(MATMUL, dtype, tmp_path, TARGETS[target]) > 20


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_layouts(target: str, dtype: str, threads: int, tmp_path: Path) -> None:
    uses = []
    for seed, (m, k, n) in enumerate(SIZES):
        for first, second in product(("row", "column"), repeat=2):
            x, y = random(dtype, m, k, seed=seed), random(dtype, k, n, seed=seed + 100)
            uses.append(use(laid(x, first), laid(y, second), threads=threads))
    run(uses, tmp_path, target)


@pytest.mark.parametrize("dtype", ["int32", "bool", "float16", "bfloat16", "float32"])
@pytest.mark.parametrize("target", HERE)
def test_any_strides(target: str, dtype: str, tmp_path: Path) -> None:
    uses = []
    for seed, (first, second, result) in enumerate(product(LAYOUTS, LAYOUTS, ("row", "column"))):
        m, k, n = SIZES[seed % 11 + 3]
        x, y = random(dtype, m, k, seed=seed), random(dtype, k, n, seed=seed + 100)
        uses.append(use(laid(x, first), laid(y, second), result))
    run(uses, tmp_path, target)


BATCHES = [
    ((6,), (6,)), ((6,), ()), ((), (6,)), ((2, 3), (3,)), ((4, 1), (1, 3)), ((2, 1, 3), (2, 4, 1)),
    ((1,), (1,)), ((48,), (48,)),
]  # fmt: skip


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("target", HERE)
def test_batches(target: str, threads: int, tmp_path: Path) -> None:
    uses = []
    for seed, ((a, b), (m, k, n)) in enumerate(
        product(BATCHES, [(5, 8, 9), (40, 32, 70), (1, 20, 30)])
    ):
        x, y = random("float32", *a, m, k, seed=seed), random("float32", *b, k, n, seed=seed + 99)
        for first, second in (("row", "row"), ("column", "column"), ("row", "column")):
            uses.append(use(laid(x, first), laid(y, second), threads=threads))
    run(uses, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_heads_side_by_side(target: str, tmp_path: Path) -> None:
    """Matrices that are interleaved, as the heads of attention are, operands and result alike."""
    x, y = (random("float32", 3, 33, 4, 16, seed=i).transpose(0, 2, 1, 3) for i in range(2))
    scores = use(x, y.swapaxes(-1, -2))
    weights = random("float32", 3, 4, 33, 33)
    taken = use(weights, y)
    together = np.full((3, 33, 4, 16), 113, np.float32).transpose(0, 2, 1, 3)
    apart = np.full((4, 33, 16, 3), 113, np.float32).transpose(3, 0, 1, 2)
    more = [Use(matmul, taken.node, (weights, y), (z,)) for z in (together, apart)]
    run([scores, taken, *more], tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_nothing_to_add(target: str, tmp_path: Path) -> None:
    """A product over no terms is zero; one with no rows or columns is nothing."""
    uses = []
    for dtype in ("float16", "float32", "float64", "int64", "bool"):
        x, y = np.zeros((2, 5, 0), dtype), np.zeros((0, 7), dtype)
        uses += [use(x, y), use(x, y, "column"), use(x[:, :1], y), use(x, y[:, :1])]
    run(uses, tmp_path, target)
    assert all((each.results[0] == 0).all() for each in uses)
    for m, n in ((0, 3), (3, 0), (0, 0)):
        each = use(np.zeros((m, 4), np.float32), np.zeros((4, n), np.float32))
        assert each.made("kernel", host()).stages == ()


@pytest.mark.parametrize("target", HERE)
def test_memory_is_respected(target: str, tmp_path: Path) -> None:
    """Vectors reach no further than the arrays, which are as large as they must be."""
    uses = []
    for seed, (m, k, n) in enumerate(SIZES[::2]):
        for first, second in product(("row", "column"), repeat=2):
            x, y = random("float32", m, k, seed=seed), random("float32", k, n, seed=seed + 100)
            uses.append(use(laid(x, first), laid(y, second)))
    for each, runs in zip(uses, sanitized(uses, tmp_path, TARGETS[target]), strict=True):
        for (found,) in runs:
            each.results[0][...] = found
            check(each)


# -- every way to cut ------------------------------------------------------------------------------


@pytest.mark.parametrize("second", ["row", "column"])
@pytest.mark.parametrize("first", ["row", "column"])
@pytest.mark.parametrize("target", HERE)
def test_every_cut(target: str, first: str, second: str, tmp_path: Path) -> None:
    """Whatever the cost model may choose, now or later, is right."""
    seen: set[tuple[object, ...]] = set()
    uses = []
    for seed, (m, k, n) in enumerate([(75, 140, 90), (20, 1100, 37), (3, 200, 300), (200, 50, 3)]):
        x, y = random("float32", 2, m, k, seed=seed), random("float32", 2, k, n, seed=seed + 9)
        x, y = laid(x, first), laid(y, second)
        each = use(x, y, threads=2)
        setting = setting_of(each, TARGETS[target])
        for tile in candidates(product_of(setting, is_finished=False), TARGETS[target], 2):
            is_first = (seed, tile.pack_a, tile.pack_b, tile.is_dots, tile.depth < k)
            is_cut = (seed, tile.vectors, min(tile.row_tiles, 2), min(tile.panels, 2))
            if not {is_first, is_cut} <= seen:
                seen |= {is_first, is_cut}
                uses.append(use(x, y, threads=2, tile=tile))
    assert len(uses) > 20
    run(uses, tmp_path, target)


@pytest.mark.parametrize("target", HERE)
def test_panels_that_are_asked_for_ahead(target: str, tmp_path: Path) -> None:
    """A B too large for the second cache, in every way in which tiles ask for its next panel."""
    x, y = random("float32", 70, 900), random("float32", 900, 333, seed=1)
    setting = setting_of(use(x, y, threads=2), TARGETS[target])
    tiles = [
        tile
        for tile in candidates(product_of(setting, is_finished=False), TARGETS[target], 2)
        if tile.is_ahead
    ]
    assert bool(tiles) == (TARGETS[target].ahead > 0)
    kinds = {(t.pack_a, t.depth < 900, t.vectors, min(t.row_tiles, 2)): t for t in tiles}
    if kinds:
        run([use(x, y, threads=2, tile=tile) for tile in kinds.values()], tmp_path, target)


def setting_of(each: Use, target: Target) -> Setting:
    """What the kernel of a use is made for."""
    operands = tuple(operand_of(x) for x in each.operands)
    results = tuple(operand_of(x) for x in each.results)
    return Setting(each.node, operands, results, each.threads, target)


@pytest.mark.parametrize("target", TARGETS)
def test_cuts_fit(target: str) -> None:
    """Tiles fit the registers, buffers the stack, and every thread gets a few tasks."""
    for m, k, n in ((512, 512, 512), (128, 784, 512), (2048, 2048, 2048), (768, 128, 384)):
        each = use(np.zeros((m, k), np.float32), np.zeros((k, n), np.float32), threads=2)
        x = product_of(setting_of(each, TARGETS[target]), is_finished=False)
        tile = chosen(x, TARGETS[target], 2)
        assert tile.rows * tile.vectors < TARGETS[target].registers
        assert tile.pack_b != "within" or tile.width * tile.depth * 4 <= 64 * 1024
        made = each.made("kernel", TARGETS[target])
        assert made.stages[-1].tasks >= 8


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("m", "n"), [(100_000, 3), (5000, 700), (3, 100_000), (1_000_000, 1)])
def test_buffers_fit_the_stack(m: int, n: int, target: str) -> None:
    """However long a side is, the buffer of a block that is finished stays small."""
    x, y = np.broadcast_to(np.float32(1), (m, 9)), np.broadcast_to(np.float32(1), (9, n))
    z = operand_of(np.broadcast_to(np.float32(0), (m, n)))
    setting = Setting(node_of(x, y), (operand_of(x), operand_of(y)), (z,), 2, TARGETS[target])
    found = product_of(setting, is_finished=True)
    tiles = list(candidates(found, TARGETS[target], 2))
    assert tiles
    for tile in tiles:
        rows = min(found.rows, tile.rows * tile.row_tiles)
        assert rows * tile.width * tile.panels * 4 <= 64 * 1024


@pytest.mark.parametrize(
    ("side", "unit"), [(2, 2), (4, 4), (8, 4), (16, 4), (4, 2), (8, 2), (2, 4)]
)
def test_transposition(side: int, unit: int) -> None:
    moves, stores = transposition(side, unit)
    values = {f"r{i}": [(i, k) for k in range(side)] for i in range(side)}
    for name, first, second, elements in moves:
        both = values[first] + values[second]
        values[name] = [both[int(i)] for i in elements.split(", ")]
    assert [values[x] for x in stores] == [[(i, k) for i in range(side)] for k in range(side)]


# -- epilogues -------------------------------------------------------------------------------------

BIAS_RELU = """
static inline void kernel_finish(long b, long i0, long i1, long j0, long j1,
                                 const float *block, long ld, const float *bias, float *out) {
    for (long i = i0; i < i1; i++)
        for (long j = j0; j < j1; j++) {
            const float x = block[(i - i0) * ld + j - j0] + bias[j];
            out[(b * M + i) * N + j] = x > 0 ? x : 0;
        }
}
"""
UPDATE = """
static inline void kernel_finish(long b, long i0, long i1, long j0, long j1,
                                 const float *block, long ld, float *moment, float *weight) {
    for (long i = i0; i < i1; i++)
        for (long j = j0; j < j1; j++) {
            const long at = (b * M + i) * N + j;
            const float g = block[(i - i0) * ld + j - j0];
            moment[at] = 0.5f * moment[at] + g;
            weight[at] -= 0.25f * moment[at];
        }
}
"""


def finished(
    x: Array, y: Array, text: str, given: dict[str, Array], folder: Path, target: str, threads: int
) -> Made:
    """The product computed with an epilogue that takes the given arrays."""
    each = use(x, y, threads=threads)
    m, n = each.node.shape[-2:]
    parameters = tuple(f"{'const ' if name == 'bias' else ''}float *{name}" for name in given)
    body = text.replace("M +", f"{m} +").replace("* N", f"* {n}")
    epilogue = Epilogue(body, parameters, tuple(given))
    made = matmul("kernel", setting_of(each, TARGETS[target]), epilogue)
    arrays = [x, y, *given.values()]
    run = compiled(source(made, [operand_of(a) for a in arrays]), folder, TARGETS[target])
    work = [np.full(size + 64, 255, np.uint8) for size in made.workspace]
    addresses = [a.ctypes.data for a in arrays] + [-(-w.ctypes.data // 64) * 64 for w in work]
    run((ctypes.c_void_p * len(addresses))(*addresses))
    return made


FINISHED = [
    *(((40, 30), (30, 50)), ((128, 784), (784, 512)), ((5, 1200), (1200, 300))),
    *(((1, 60), (60, 90)), ((90, 60), (60, 1)), ((16, 5), (5, 1)), ((3, 20, 40), (40, 30))),
    *(((6, 1, 40), (40, 30)), ((3, 20, 40), (40, 1)), ((4, 33, 16), (4, 16, 70))),
    *(((4, 3, 7, 9), (4, 1, 9, 1)), ((4, 0), (0, 9))),
]  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("target", HERE)
def test_epilogues(target: str, threads: int, tmp_path: Path) -> None:
    for seed, (a, b) in enumerate(FINISHED):
        x, y = random("float32", *a, seed=seed), random("float32", *b, seed=seed + 9)
        for second in ("row", "column"):
            exact = np.matmul(x.astype(np.float64), y.astype(np.float64))
            limit = 1e-4 * max(1, x.shape[-1]) ** 0.5
            bias = random("float32", y.shape[-1])
            out = np.full(exact.shape, 113, np.float32)
            given = {"bias": bias, "out": out}
            finished(x, laid(y, second), BIAS_RELU, given, tmp_path, target, threads)
            np.testing.assert_allclose(out, np.maximum(exact + bias, 0), rtol=0, atol=limit)


@pytest.mark.parametrize("target", HERE)
def test_update_in_place(target: str, tmp_path: Path) -> None:
    """Each element of the state is seen once, whatever the blocks."""
    for seed, (a, b) in enumerate(FINISHED):
        x, y = random("float32", *a, seed=seed), random("float32", *b, seed=seed + 9)
        exact = np.matmul(x.astype(np.float64), y.astype(np.float64))
        moment, weight = (random("float32", *exact.shape, seed=s) for s in (1, 2))
        wanted = 0.5 * moment.astype(np.float64) + exact
        after = weight - 0.25 * wanted
        state = {"moment": moment, "weight": weight}
        finished(laid(x, "column"), y, UPDATE, state, tmp_path, target, 2)
        limit = 1e-4 * max(1, x.shape[-1]) ** 0.5
        np.testing.assert_allclose(moment, wanted, rtol=0, atol=limit)
        np.testing.assert_allclose(weight, after, rtol=0, atol=limit)


def test_comment_says_what_and_how() -> None:
    each = use(np.zeros((128, 784), np.float32), np.zeros((784, 512), np.float32), threads=1)
    text = each.made("kernel", TARGETS["avx2"]).text
    assert "128 x 784 times 784 x 512" in text
    assert "Tiles of 6 x 16 sums" in text
    assert text == each.made("kernel", TARGETS["avx2"]).text
