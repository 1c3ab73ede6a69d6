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
from graphc.backends.native.mathematics import ULP
from graphc.backends.native.spelling import scalar
from graphc.backends.native.targets import TARGETS, Target, host
from graphc.errors import GraphcNotImplementedError
from graphc.ir.dtype import DType, float32, float64
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
        scalar(node_of(Strange(), float32), ["x"])


KINDS = {"float": float32, "double": float64}
MEASURED = [(name, kind) for name, kinds in ULP.items() for kind in kinds]
NODES = [
    node_of(Op.registry[name](), *[KINDS[kind]] * (2 if name == "pow" else 1))
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
        given = pairs(dtype, 40_000) if name == "pow" else (numbers(dtype, 80_000),)
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
        assert any(begin <= line < begin + 4 for line in found), f"{node.op.name} {node.dtype.name}"
