"""Attention and its gradient in C: the table's samples, and whole arrays against float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.backends import find
from graphc.backends.c_language.attention import is_attended
from graphc.backends.native.attention import ATTENTION, preferred
from graphc.backends.native.targets import TARGETS, host
from graphc.compiler import Program
from graphc.functions.attention import attention, attention_grad
from graphc.ir.dtype import DType, dtype_named, dtype_of_numpy, float32, int64
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_input
from graphc.ir.types import TensorType
from graphc.nn import functional as F
from graphc.ops.random import RandomUniform
from graphc.testing.programs import check, expected, use
from graphc.testing.table import samples_of, table
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, run_all, use_of, viewed

HERE = sorted({"portable", host().name})
ROUNDINGS = {"float32": 2e-5, "float64": 1e-13, "float16": 2e-2, "bfloat16": 2e-1}
"""How far results may be from the reference, relative to the largest of its numbers."""


@pytest.mark.parametrize("target", HERE)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ATTENTION)
def test_samples(name: str, dtype: str, target: str, tmp_path: Path) -> None:
    """Those that are claimed: all but empty ones."""
    row, uses = table()[name], []
    for i, sample in enumerate(samples_of(name, dtype)):
        node = use(sample, i).results[0].inputs[0]
        if is_attended(node):
            uses.append((sample, use_of(ATTENTION[name], node, *map(viewed, sample.operands))))
    assert len(uses) > 10
    assert run_all([each for _, each in uses], tmp_path, TARGETS[target]) == [""] * len(uses)
    for sample, each in uses:
        dtypes = [t.dtype for t in each.node.types]
        for got, wanted in zip(each.results, expected(row, sample, dtypes), strict=True):
            check(sample, got, wanted, row.tolerance_in(sample.operands[0].dtype))


@dataclass(frozen=True)
class Case:
    """Heads of queries, keys and values, as they may lie in memory."""

    queries: int
    keys: int
    size: int
    depth: int
    lead: tuple[int, ...] = (2, 3)
    causal: bool = False
    mask: str = ""
    """"bool" or "float", and over which dimensions it is given: "all", "keys", "queries"."""
    layout: str = "heads"
    """"heads": cut from one matrix, rows outermost; "dense"; "flipped"; "columns": transposed."""
    dtype: str = "float32"
    threads: int = 2
    scale: float = 0.3
    dropout: float = 0.0

    def __str__(self) -> str:
        sizes = f"{self.lead}{self.queries}x{self.keys}x{self.size}x{self.depth}"
        how = f"{'causal' if self.causal else self.mask}-{self.layout}-{self.dtype}"
        how += f"-{self.dropout}" if self.dropout else ""
        return f"{sizes}-{how}".replace(" ", "")


CASES = (
    Case(64, 64, 32, 32, (3, 4)),
    Case(64, 64, 32, 32, (3, 4), causal=True),
    Case(64, 64, 32, 32, (3, 4), causal=True, threads=1),
    Case(130, 130, 64, 64, (1, 2), causal=True),
    Case(130, 203, 64, 64, (1, 2), mask="bool all"),
    Case(1, 77, 16, 16),
    Case(1, 1, 1, 1),
    Case(7, 5, 3, 2, causal=True),
    Case(5, 7, 3, 2, causal=True),
    Case(33, 100, 24, 40, causal=True, threads=3),
    Case(100, 33, 24, 40, causal=True, threads=3),
    Case(70, 97, 17, 9, mask="float all"),
    Case(70, 97, 17, 9, mask="float queries"),
    Case(20, 31, 8, 8, mask="bool keys"),
    Case(20, 31, 8, 8, (), mask="bool keys"),
    Case(65, 96, 8, 24, (4,), layout="flipped"),
    Case(70, 66, 16, 16, layout="columns", causal=True),
    Case(70, 66, 16, 16, layout="dense", scale=-0.5),
    Case(40, 50, 12, 20, layout="columns", dtype="float64", mask="float all"),
    Case(70, 130, 16, 16, dtype="float64", causal=True),
    Case(70, 130, 16, 16, dtype="float16", causal=True),
    Case(40, 33, 16, 20, dtype="bfloat16", mask="bool all"),
    Case(40, 33, 16, 16, dtype="float16", mask="float all", layout="dense"),
    Case(18, 4200, 8, 8, (2,)),
    Case(18, 4200, 8, 8, (2,), mask="bool all"),
    Case(2100, 2100, 4, 4, (1,), causal=True),
    Case(130, 204, 16, 16, dropout=0.2),
    Case(130, 203, 16, 16, dropout=0.2),
    Case(130, 130, 64, 64, (1, 2), causal=True, dropout=0.5),
    Case(7, 5, 3, 2, causal=True, dropout=0.5),
    Case(33, 101, 24, 40, mask="bool all", threads=3, dropout=0.1),
    Case(70, 66, 16, 16, layout="columns", dtype="float64", dropout=0.1),
    Case(70, 132, 16, 16, dtype="float16", causal=True, dropout=0.1),
    Case(40, 33, 16, 20, dtype="bfloat16", mask="float all", dropout=0.9),
    Case(18, 4200, 8, 8, (2,), dropout=0.3),
    Case(2102, 2102, 4, 4, (1,), causal=True, dropout=0.3),
)
STATE = np.array([2**40 + 3, 2**33 - 2])
OFFSET = 5


def lying(shape: tuple[int, ...], layout: str, dtype: DType, rng: np.random.Generator) -> Array:
    """Random numbers that lie in memory in some way."""
    x = rng.standard_normal(shape).astype(dtype.numpy)
    if layout == "heads" and len(shape) == 4:
        wide = rng.standard_normal((shape[0], shape[2], 3, shape[1], shape[3])).astype(dtype.numpy)
        wide[:, :, 1] = x.transpose(0, 2, 1, 3)
        return np.asarray(wide[:, :, 1].transpose(0, 2, 1, 3))
    if layout == "flipped":
        return np.asarray(x[..., ::-1, :])
    if layout == "columns":
        return np.asarray(np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2))
    return np.asarray(x)


def mask_of(case: Case, rng: np.random.Generator) -> Array | None:
    """The mask: of rows that have all keys, some, and none."""
    if not case.mask:
        return None
    kind, over = case.mask.split()
    shape = {
        "all": (*case.lead[:1], *(1 for _ in case.lead[1:]), case.queries, case.keys),
        "keys": (1, case.keys),
        "queries": (case.queries, 1),
    }[over]
    seen = np.asarray(rng.random(shape) < 0.7)
    if over == "all":
        seen[..., 0, :], seen[..., -1, :] = False, True
    if kind == "bool":
        return seen
    numbers = rng.standard_normal(shape).astype(dtype_named(case.dtype).numpy)
    return np.asarray(np.where(seen, numbers, np.asarray(-np.inf, numbers.dtype)))


def reference(
    case: Case, query: Array, key: Array, value: Array, mask: Array | None, dy: Array
) -> tuple[Array, ...]:
    """Output, logarithms of the sums, and the gradients, in float64."""
    q, k, v, flow = (x.astype(np.float64) for x in (query, key, value, dy))
    scores = q @ k.swapaxes(-1, -2) * case.scale
    if case.causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    if mask is not None and mask.dtype == bool:
        scores = np.where(mask, scores, -np.inf)
    elif mask is not None:
        scores = scores + mask.astype(np.float64)
    largest = scores.max(-1, keepdims=True)
    largest[np.isneginf(largest)] = 0
    powers = np.exp(scores - largest)
    total = powers.sum(-1, keepdims=True)
    total[total == 0] = 1
    weights = powers / total
    kept = kept_of(case, scores.shape)
    slopes = flow @ v.swapaxes(-1, -2) * kept
    slopes = weights * (slopes - (weights * slopes).sum(-1, keepdims=True)) * case.scale
    return (
        weights * kept @ v,
        (largest + np.log(total))[..., 0],
        slopes @ k,
        slopes.swapaxes(-1, -2) @ q,
        (weights * kept).swapaxes(-1, -2) @ flow,
    )


def kept_of(case: Case, shape: tuple[int, ...]) -> Any:
    """By what dropping multiplies the weights: by what numpy's backend draws."""
    if not case.dropout:
        return 1.0
    op = RandomUniform(shape, float32, OFFSET)
    state = make_input("state", TensorType(STATE.shape, int64))
    (noise,) = Program(Graph((state,), (op(state),)), find("numpy")).executable.bind([])(STATE)
    return np.where(noise < np.float32(case.dropout), 0, 1 / (1 - case.dropout))


def several(found: Node | tuple[Node, ...]) -> tuple[Node, ...]:
    """The results of a composite."""
    assert isinstance(found, tuple)
    return found


def given(array: Array | None, label: str) -> Node | None:
    if array is None:
        return None
    dtype = dtype_of_numpy(array.dtype)
    assert dtype is not None
    return make_input(label, TensorType(array.shape, dtype))


def made(case: Case) -> tuple[list[Use], list[Array]]:
    """Attention and its gradient, with what they should be."""
    rng, dtype = np.random.default_rng(len(str(case))), dtype_named(case.dtype)
    shapes = ((case.queries, case.size), (case.keys, case.size), (case.keys, case.depth))
    matrices = [lying((*case.lead, *s), case.layout, dtype, rng) for s in shapes]
    dy = lying((*case.lead, case.queries, case.depth), case.layout, dtype, rng)
    mask = mask_of(case, rng)
    wanted = reference(case, matrices[0], matrices[1], matrices[2], mask, dy)
    options: dict[str, Any] = {"causal": case.causal, "scale": case.scale}
    options |= {"dropout": case.dropout, "offset": OFFSET}
    operands = [*matrices, mask, STATE if case.dropout else None]
    nodes = [given(x, f"x{i}") for i, x in enumerate(operands)]
    results = several(attention(*nodes, **options))
    forward = results[0].inputs[0]
    types = forward.types
    found = [wanted[0].astype(types[0].dtype.numpy), wanted[1].astype(types[1].dtype.numpy)]
    flows = several(attention_grad(*nodes, *results, given(dy, "dy"), **options))
    present = [x for x in operands if x is not None]
    return [
        laid(case, "attention", forward, present),
        laid(case, "attention_grad", flows[0].inputs[0], [*present, *found, dy]),
    ], list(wanted)


def laid(case: Case, name: str, node: Node, operands: list[Array]) -> Use:
    """A kernel whose results lie as it prefers."""
    assert is_attended(node)
    results = []
    for type_, order in zip(node.types, preferred(node), strict=True):
        axes = order if order is not None else tuple(range(type_.rank))
        memory = np.full([type_.shape[a] for a in axes], 113, type_.dtype.numpy)
        results.append(memory.transpose(np.argsort(axes)))
    return Use(ATTENTION[name], node, operands, results, case.threads)


def distances(use: Use, wanted: list[Array]) -> Iterator[float]:
    """How far each result is from what it should be, relative to the largest number."""
    for got, right in zip(use.results, wanted, strict=True):
        assert got.shape == right.shape
        yield float(np.abs(got.astype(np.float64) - right).max() / max(1.0, np.abs(right).max()))


@pytest.mark.parametrize("target", HERE)
def test_values(target: str, tmp_path: Path) -> None:
    """All cases, compiled as one file; the statistics given to the gradient are the reference's."""
    pairs = [made(case) for case in CASES]
    uses = [each for pair, _ in pairs for each in pair]
    run_all(uses, tmp_path, TARGETS[target])
    wrong = {}
    for case, (pair, wanted) in zip(CASES, pairs, strict=True):
        found = [*distances(pair[0], wanted[:2]), *distances(pair[1], wanted[2:])]
        if not all(x <= ROUNDINGS[case.dtype] for x in found):
            wrong[str(case)] = found
    assert not wrong


def test_tasks_do_not_depend_on_each_other(tmp_path: Path) -> None:
    """The results of one, two and three threads are the same to the bit."""
    found = []
    for threads in (1, 2, 3):
        case = Case(130, 130, 32, 32, (2, 3), causal=True, threads=threads)
        uses, _ = made(case)
        run_all(uses, tmp_path)
        found.append([x.copy() for each in uses for x in each.results])
    for one, two, three in zip(*found, strict=True):
        assert np.array_equal(one, two) and np.array_equal(one, three)


def test_heavy_work_is_cut_into_tasks() -> None:
    uses, _ = made(Case(64, 64, 32, 32, (12, 4), threads=2))
    for each in uses:
        assert [stage.tasks for stage in each.made("kernel", host()).stages] == [8]
    uses, _ = made(Case(5, 7, 3, 2, threads=2))
    for each in uses:
        assert [stage.tasks for stage in each.made("kernel", host()).stages] == [1]


def test_what_is_not_a_number_is_everywhere_in_its_row(tmp_path: Path) -> None:
    """And an infinite score too, as in the softmax of it."""
    query, key, value = (np.ones((1, 20, 8), np.float32) for _ in range(3))
    query[0, 3, 2], query[0, 5, 0] = np.nan, np.inf
    nodes = [given(x, label) for x, label in zip((query, key, value), "qkv", strict=True)]
    node = several(attention(*nodes, None, None, **PLAIN))[0].inputs[0]
    each = use_of(ATTENTION["attention"], node, query, key, value)
    run_all([each], tmp_path)
    output, statistics = each.results
    lost = np.asarray(np.isnan(output[0]).all(-1))
    assert np.flatnonzero(lost).tolist() == [3, 5]
    assert np.flatnonzero(np.isnan(statistics[0])).tolist() == [3, 5]
    assert (output[0][~lost] == 1).all()


PLAIN: dict[str, Any] = {"causal": False, "scale": 1.0, "dropout": 0.0}


def test_hidden_rows_have_no_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    query, key, value, dy = (rng.standard_normal((2, 40, 16)).astype(np.float32) for _ in range(4))
    mask = np.zeros((40, 40), bool)
    operands = [query, key, value, mask]
    nodes = [given(x, f"x{i}") for i, x in enumerate(operands)]
    results = several(attention(*nodes, None, **PLAIN))
    forward = use_of(ATTENTION["attention"], results[0].inputs[0], *operands)
    run_all([forward], tmp_path)
    assert not forward.results[0].any() and not forward.results[1].any()
    flows = several(attention_grad(*nodes, None, *results, given(dy, "dy"), **PLAIN))
    backward = use_of(
        ATTENTION["attention_grad"], flows[0].inputs[0], *operands, *forward.results, dy
    )
    run_all([backward], tmp_path)
    assert not any(x.any() for x in backward.results)


def claimed(*shapes: tuple[int, ...], mask: tuple[int, ...] | None = None) -> bool:
    nodes = [given(np.empty(shape, np.float32), f"x{i}") for i, shape in enumerate(shapes)]
    masking = None if mask is None else given(np.empty(mask, np.float32), "mask")
    return is_attended(several(attention(*nodes, masking, None, **PLAIN))[0].inputs[0])


def test_what_is_claimed() -> None:
    heads = (2, 3, 5, 4)
    assert claimed(heads, (2, 3, 6, 4), (2, 3, 6, 7))
    assert claimed(heads, heads, heads, mask=(5, 5))
    assert claimed(heads, heads, heads, mask=(2, 1, 1, 5))
    assert not claimed(heads, heads, heads, mask=(4, 2, 3, 5, 5)), "the mask has more heads"
    assert not claimed(heads, (1, 3, 5, 4), heads), "the keys are those of several heads"
    assert not claimed((2, 0, 4), (2, 6, 4), (2, 6, 4)), "there is no query"


def test_all_targets_have_a_text() -> None:
    """Wider registers take larger tiles."""
    use, _ = made(CASES[0])
    texts = {name: use[0].made("kernel", target).text for name, target in TARGETS.items()}
    assert len(set(texts.values())) == len(texts)
    assert "vector_size(64)" in texts["avx512"] and "vector_size(16)" in texts["neon"]


@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("length", [36, 35])
def test_weights_are_dropped_as_by_the_words_of_the_generator(backend: str, length: int) -> None:
    """The same by every backend, call after call."""

    def weights() -> graphc.Tensor:
        x = graphc.eye(length).expand(3, 2, length, length)
        found: graphc.Tensor = F.scaled_dot_product_attention(x, x, x, dropout_p=0.3)
        return found

    compiled = graphc.compile(weights, backend=backend)
    graphc.manual_seed(5)
    found = [compiled().numpy() != 0 for _ in range(3)]
    graphc.manual_seed(5)
    noise = [graphc.rand(3, 2, length, length).numpy() for _ in range(3)]
    np.testing.assert_array_equal(found, np.array(noise) >= np.float32(0.3))


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_scores_are_not_in_memory(dropout: float) -> None:
    w = graphc.eye(8, requires_grad=True)

    @graphc.compile(backend="native")
    def step(x: graphc.Tensor) -> graphc.Tensor:
        y = x @ w
        z = F.scaled_dot_product_attention(y, y, y, dropout_p=dropout, is_causal=True)
        (found,) = graphc.autograd.grad((z * z).sum(), w)
        assert isinstance(found, graphc.Tensor)
        return found

    step(graphc.ones(2, 2, 1024, 8))
    assert step.last.program.sources.arena_bytes < 2 * 2 * 1024 * 1024
