"""The generated text: the same every time, and whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graphc.backend import Backend
from graphc.compiler import pipeline
from graphc.ir.graph import Graph
from graphc.passes import run as run_passes
from graphc.testing.programs import Use, use
from graphc.testing.table import Row, samples_of, table


def graphs(row: Row) -> Iterator[Graph]:
    """The samples of a row in its first and last type, each type as one graph."""
    for dtype in dict.fromkeys((row.dtypes[0], row.dtypes[-1])):
        uses: list[Use] = [use(x, i) for i, x in enumerate(samples_of(row.name, dtype.name))]
        inputs = tuple(node for each in uses for node in each.inputs if node is not None)
        yield Graph(inputs, tuple(x for each in uses for x in each.results))


@pytest.mark.parametrize("row", table().values(), ids=lambda row: row.name)
def test_text_is_the_same_every_time(row: Row, backend: Backend) -> None:
    """Built twice from samples made anew, so that no identity of an object can show."""
    texts = [
        [backend.emit(run_passes(graph, pipeline(backend))) for graph in graphs(row)]
        for _ in range(2)
    ]
    for first, second in zip(*texts, strict=True):
        assert first.text == second.text
        assert first.kernels == second.kernels
        assert first.arena_bytes == second.arena_bytes
        assert first.text.strip(), "a program has a text"


def test_every_kernel_has_a_name_of_its_own(backend: Backend) -> None:
    (graph, *_) = graphs(table()["sum"])
    kernels = backend.emit(run_passes(graph, pipeline(backend))).kernels
    names = [kernel.name for kernel in kernels]
    assert len(names) == len(set(names))
