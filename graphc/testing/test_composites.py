"""A backend's own kernel of a composite against the composite's body."""

from __future__ import annotations

import pytest

from graphc.backend import Backend
from graphc.ir.dtype import DType
from graphc.ir.graph import Graph
from graphc.ops.composite import COMPOSITES, Composite
from graphc.passes.open_composites import open_composites
from graphc.testing.programs import check, run, run_uses, use
from graphc.testing.table import samples_of, table

CASES = [(name, dtype) for name in COMPOSITES for dtype in table()[name].dtypes]


@pytest.mark.parametrize(
    ("name", "dtype"), CASES, ids=[f"{name}-{dtype.name}" for name, dtype in CASES]
)
def test_kernel_against_body(name: str, dtype: DType, backend: Backend) -> None:
    """Both run on the backend: the one as it takes it, the other opened before."""
    row = table()[name]
    uses = [use(x, i) for i, x in enumerate(samples_of(name, dtype.name))]
    for each, found in zip(uses, run_uses(backend, uses), strict=True):
        given = each.given()
        graph = open_composites(Graph(tuple(node for node, _ in given), each.results))
        assert not any(isinstance(node.op, Composite) for node in graph.nodes)
        wanted = run(backend, graph, [array for _, array in given])
        for got, right in zip(found, wanted, strict=True):
            check(each.sample, got, right, row.tolerance_in(dtype))
