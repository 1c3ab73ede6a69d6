"""The native backend's scalar functions, against the references of the op table."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.backends.native.spelling import scalar
from graphc.backends.native.targets import Target
from graphc.errors import GraphcNotImplementedError
from graphc.ir.dtype import DType, float32
from graphc.ir.node import Op
from graphc.ops.elementwise import Cast, Elementwise, Where
from graphc.testing.programs import check, expected
from graphc.testing.table import Row, Sample, samples_of, table
from tests.backends.native_loops import TESTED, Loops, node_of

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
