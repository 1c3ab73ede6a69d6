"""The native backend's scalar functions, against the references of the op table."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from graphc.backends.native.flags import FLAGS
from graphc.backends.native.library import spelled
from graphc.backends.native.mathematics import ULP
from graphc.backends.native.targets import TARGETS, Target, host
from graphc.errors import GraphcNotImplementedError
from graphc.ir.dtype import (
    DType,
    bfloat16,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from graphc.ir.node import Op
from graphc.ops.elementwise import Cast, Elementwise, Where
from graphc.testing.programs import check, expected
from graphc.testing.table import Row, Sample, samples_of, table
from tests.backends.native_alone import compiled
from tests.backends.native_loops import (
    TESTED,
    Array,
    Loops,
    errors,
    node_of,
    numbers,
    pairs,
    references,
    source,
)

ROWS = {
    name: row
    for name, row in table().items()
    if issubclass(Op.registry.get(name, Op), Elementwise | Where | Cast)
}
CASES = [(row, dtype) for row in ROWS.values() for dtype in row.dtypes]


def _uses(row: Row, dtype: DType) -> dict[tuple[Op, tuple[DType, ...]], list[Sample]]:
    """The samples by what they compute, and of which types."""
    found: dict[tuple[Op, tuple[DType, ...]], list[Sample]] = {}
    for sample in samples_of(row.name, dtype.name):
        types = tuple(x.dtype for x in sample.operands)
        found.setdefault((sample.op, types), []).append(sample)
    return found


KEYS = {key: i for i, key in enumerate(key for case in CASES for key in _uses(*case))}


@pytest.fixture(scope="module", params=TESTED, ids=lambda x: x.name)
def loops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loops:
    """All elementwise primitives in all their types, compiled for one target."""
    target: Target = request.param
    nodes = [node_of(op, *types) for op, types in KEYS]
    return Loops(nodes, tmp_path_factory.mktemp("table"), target)


@pytest.mark.parametrize(("row", "dtype"), CASES, ids=lambda x: getattr(x, "name", None))
def test_each_elementwise_primitive(loops: Loops, row: Row, dtype: DType) -> None:
    for key, samples in _uses(row, dtype).items():
        result = loops.nodes[KEYS[key]].dtype
        for sample in samples:
            arrays = np.broadcast_arrays(*(x.value for x in sample.operands))
            found = loops(KEYS[key], *arrays)
            (wanted,) = expected(row, sample, [result])
            tolerance = row.tolerance_in(dtype)
            check(sample, found, wanted, tolerance, signed_zeros=row.signed_zeros)


def test_every_elementwise_primitive_is_in_the_table() -> None:
    known = {x.name for x in Op.registry.values() if issubclass(x, Elementwise) and x.name}
    assert known <= set(ROWS), known - set(ROWS)


def test_an_unknown_primitive_is_refused() -> None:
    class Strange(Elementwise):
        name = "strange"

    with pytest.raises(GraphcNotImplementedError, match="strange: the backend 'native'"):
        spelled(node_of(Strange(), float32), ["x"])


PAIRED = ("pow", "hypot")
KINDS = {"float": float32, "double": float64}
MEASURED = [(name, kind) for name, kinds in ULP.items() for kind in kinds]
NODES = [
    node_of(Op.registry[name](), *[KINDS[kind]] * (2 if name in PAIRED else 1))
    for name, kind in MEASURED
]
SCALAR = {("sin", "double"), ("cos", "double")}
"""Functions of C's library."""
BOUNDS = {"exp": 2.0, "log": 2.0, "tanh": 2.0}
"""How far the results may be off at most, in units of the last place; 4 where nothing is said."""


@pytest.fixture(scope="module", params=TESTED, ids=lambda x: x.name)
def functions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loops:
    """The functions whose errors are stated, compiled for one target."""
    return Loops(NODES, tmp_path_factory.mktemp("functions"), request.param)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> object:
    """What C's library computes of numbers in ``long double``: doubles and the rest."""
    names = list(ULP)
    run = compiled(references(names), tmp_path_factory.mktemp("references"), TARGETS["portable"])

    @cache
    def of(name: str, kind: str) -> tuple[tuple[Array, ...], Array, Array]:
        dtype = KINDS[kind].numpy.type
        given = pairs(dtype, 40_000) if name in PAIRED else (numbers(dtype, 80_000),)
        wide = [x.astype(np.float64) for x in (given[0], given[-1])]
        high, low = np.empty_like(wide[0]), np.empty_like(wide[0])
        pointers = [ctypes.c_void_p(x.ctypes.data) for x in (*wide, high, low)]
        run(ctypes.c_long(names.index(name)), ctypes.c_long(high.size), *pointers)
        return given, high, low

    return of


@pytest.mark.parametrize(("name", "kind"), MEASURED)
def test_error_is_at_most_what_the_comment_says(
    functions: Loops,
    exact: Callable[[str, str], tuple[tuple[Array, ...], Array, Array]],
    name: str,
    kind: str,
) -> None:
    given, high, low = exact(name, kind)
    found = functions(MEASURED.index((name, kind)), *given)
    apart = errors(found, high, low)
    worst = int(np.argmax(apart))
    where = [x[worst] for x in given]
    assert apart.max() <= ULP[name][kind], f"{where}: {found[worst]!r}, not {high[worst]!r}"
    assert apart.max() > 0.4
    assert ULP[name][kind] <= BOUNDS.get(name, 4.0)


@pytest.mark.parametrize("target", [TARGETS[x] for x in ("avx512", "avx2", "portable")])
def test_loops_over_the_functions_are_vectorised(target: Target, tmp_path: Path) -> None:
    if not host().name.startswith("avx"):
        target = host()
    nodes = [
        x for x, (name, kind) in zip(NODES, MEASURED, strict=True) if (name, kind) not in SCALAR
    ]
    path = tmp_path / "loops.c"
    path.write_text(source(nodes), encoding="utf-8")
    command = ["gcc", *FLAGS, *target.flags, "-w", "-fopt-info-vec", "-c", str(path)]
    told = subprocess.run(
        [*command, "-o", str(tmp_path / "loops.o")], check=True, capture_output=True, text=True
    ).stderr
    lines = path.read_text(encoding="utf-8").splitlines()
    begins = [i for i, line in enumerate(lines, 1) if line.startswith("static void loop_")]
    found = [int(line.split(":")[1]) for line in told.splitlines() if "loop vectorized" in line]
    for begin, node in zip(begins, nodes, strict=True):
        assert any(begin <= line < begin + 8 for line in found), f"{node.op.name} {node.dtype.name}"


Edges = Callable[..., Array]
DIVISIONS = ("floor_divide", "remainder", "fmod")
SHIFTS = ("shift_left", "shift_right")
INTEGERS = (uint8, int8, int16, int32, int64)
LOW = (float16, bfloat16)
EDGES = [
    *(node_of(Op.registry[name](), x, x) for name in DIVISIONS for x in INTEGERS),
    *(node_of(Op.registry[name](), x, x) for name in SHIFTS for x in INTEGERS),
    *(node_of(Cast(x), y) for x in INTEGERS for y in (float32, float64)),
    *(node_of(Cast(x), float32) for x in LOW),
    *(node_of(Cast(float32), x) for x in LOW),
]


@pytest.fixture(scope="module", params=TESTED, ids=lambda x: x.name)
def edges(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Edges:
    """What lies outside the op table, compiled for one target."""
    run = Loops(EDGES, tmp_path_factory.mktemp("edges"), request.param)

    def of(op: Op, *operands: Array) -> Array:
        types = [x.dtype for x in operands]
        place = [
            i
            for i, x in enumerate(EDGES)
            if x.op == op and [y.dtype.numpy for y in x.inputs] == types
        ]
        return run(place[0], *operands)

    return of


def _grid(dtype: DType, *others: int) -> tuple[Array, Array]:
    ends = np.iinfo(dtype.numpy)
    first = [0, 1, 5, 7, ends.min, ends.max, ends.min + 1, *([-1, -5] if dtype.is_signed else [])]
    x, y = np.meshgrid(np.array(first, dtype.numpy), np.array(others, np.int64).astype(dtype.numpy))
    return x.reshape(-1), y.reshape(-1)


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda x: x.name)
@pytest.mark.parametrize("name", DIVISIONS)
def test_integers_divided_by_zero_and_minus_one_do_not_trap(
    edges: Edges, name: str, dtype: DType
) -> None:
    x, y = _grid(dtype, 0, -1, 3)
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x, y)
    np.testing.assert_array_equal(edges(Op.registry[name](), x, y), wanted)


@pytest.mark.parametrize("dtype", INTEGERS, ids=lambda x: x.name)
@pytest.mark.parametrize("name", SHIFTS)
def test_shifts_by_more_bits_than_there_are(edges: Edges, name: str, dtype: DType) -> None:
    x, n = _grid(dtype, 0, 1, 7, 8, 31, 32, 63, 64, -1)
    bits = 8 * dtype.itemsize
    valid = (n >= 0) & (n.astype(np.int64) < bits)
    if name == "shift_left":
        wanted = np.where(valid, np.left_shift(x, np.where(valid, n, 0)), 0)
    else:
        wanted = np.where(valid, np.right_shift(x, np.where(valid, n, 0)), np.where(x < 0, -1, 0))
    np.testing.assert_array_equal(edges(Op.registry[name](), x, n), wanted.astype(dtype.numpy))


@pytest.mark.parametrize("source_type", [float32, float64], ids=lambda x: x.name)
@pytest.mark.parametrize("target", INTEGERS, ids=lambda x: x.name)
def test_floats_out_of_range_become_the_least_integer(
    edges: Edges, source_type: DType, target: DType
) -> None:
    wide = int64 if target is int64 else int32
    least = np.iinfo(wide.numpy).min
    outside = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, -2.0 * least], source_type.numpy)
    found = edges(Cast(target), outside)
    np.testing.assert_array_equal(found, np.full(6, least, wide.numpy).astype(target.numpy))
    inside = np.array([least, -2.99, -0.5, 0.5, 2.99, 100.5], source_type.numpy)
    wanted = inside.astype(wide.numpy).astype(target.numpy)
    np.testing.assert_array_equal(edges(Cast(target), inside), wanted)


@pytest.mark.parametrize("low", LOW, ids=lambda x: x.name)
def test_every_low_precision_number_is_widened_and_rounded_to(edges: Edges, low: DType) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(low.numpy)
    with np.errstate(all="ignore"):
        wide = every.astype(np.float32)
    found = edges(Cast(float32), every)
    np.testing.assert_array_equal(found, wide)
    np.testing.assert_array_equal(np.signbit(found), every.view(np.uint16) >> 15 == 1)
    # The numbers, what lies half-way to the next one, and what lies just beside that.
    bits = wide[np.isfinite(wide)].view(np.uint32)[:, None]
    half = 1 << 12 if low is float16 else 1 << 15
    given = (bits + np.array([0, 1, half - 1, half, half + 1], np.uint32)).reshape(-1)
    subnormal = np.arange(-4096, 4096, dtype=np.float32) * np.float32(2**-25)
    values = np.concatenate([given.view(np.float32), subnormal])
    with np.errstate(all="ignore"):
        wanted = values.astype(low.numpy)
    rounded = edges(Cast(low), values)
    np.testing.assert_array_equal(rounded.astype(np.float32), wanted.astype(np.float32))
