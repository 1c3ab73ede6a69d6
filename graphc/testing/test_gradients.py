"""The gradient of every op that has one, against differences of its reference in float64."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from graphc.backend import Backend
from graphc.compiler import Program
from graphc.ir.dtype import float64
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.testing.differences import (
    BY_DIFFERENCES,
    Differentiated,
    differentiate,
    differentiate_again,
    slopes,
    weighted,
    weights,
)
from graphc.testing.operands import Array
from graphc.testing.programs import Use, check, run, use
from graphc.testing.table import Row, Sample, samples_of, table

DIFFERENTIABLE = [row for row in table().values() if row.gradient or row.derivative]
SEVERAL = 3
"""Samples of a row whose second derivatives are taken."""


def smooth(row: Row) -> list[Sample]:
    """The samples of a row to which differences apply."""
    return [x for x in samples_of(row.name, float64.name) if x.kind == "smooth"]


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_gradient(row: Row, backend: Backend) -> None:
    """Those of all samples are computed by one program."""
    uses = [use(x, i, requires_grad=True) for i, x in enumerate(smooth(row))]
    made = [differentiate(each) for each in uses if any(x.requires_grad for x in each.results)]
    assert made, f"no sample of {row.name} needs a gradient"
    graphs = [each.graph for each in made]
    merged = Graph(_joined(x.inputs for x in graphs), _joined(x.outputs for x in graphs))
    found = run(backend, merged, [array for each in made for array in each.given()])
    for each, graph in zip(made, graphs, strict=True):
        mine, found = found[: len(graph.outputs)], found[len(graph.outputs) :]
        arrays = [x.value for x in each.use.sample.operands]
        for number, got in each.complete(mine):
            wanted = _wanted(row, each, arrays, number)
            check(f"gradient of {each.use.sample}, operand {number}", got, wanted, BY_DIFFERENCES)


def _joined(parts: Iterable[tuple[Node, ...]]) -> tuple[Node, ...]:
    return tuple(x for part in parts for x in part)


def _wanted(row: Row, made: Differentiated, arrays: Sequence[Array], number: int) -> Array:
    if row.derivative is None:
        return slopes(weighted(row, made.use), arrays, number)
    seeds = [array for _, array in made.seeds]
    found = row.derivative(made.use.sample.op, *arrays, *seeds)[number]
    return np.zeros(arrays[number].shape) if found is None else np.asarray(found)


TWICE_DIFFERENTIABLE = [row for row in DIFFERENTIABLE if row.gradient]


@pytest.mark.parametrize("row", TWICE_DIFFERENTIABLE, ids=lambda row: row.name)
def test_second_gradient(row: Row, backend: Backend) -> None:
    """Of Σ weight · gradient, against differences of the gradient that the backend computes."""
    few = [x for x in smooth(row) if _is_plain(x)]
    for number, sample in enumerate(few[-SEVERAL:]):
        _check_twice(use(sample, number, requires_grad=True), backend)


def _is_plain(sample: Sample) -> bool:
    """Whether the program's inputs are the operands, few numbers that are not none."""
    sizes = [x.array.size for x in sample.operands]
    return all(x.layout == "whole" for x in sample.operands) and 0 < max(sizes) <= 24


def _check_twice(once: Use, backend: Backend) -> None:
    if not any(x.requires_grad for x in once.results):
        return
    first = differentiate(once, again=True)
    step = Program(first.graph, backend).executable.bind([])
    given = first.given()
    counts = [i for i, x in enumerate(first.use.inputs) if x is not None]

    def total(arrays: Sequence[Array]) -> float:
        found = [np.asarray(x) for x in step(*arrays, *given[len(arrays) :])]
        return float(sum(np.sum(weights(x.shape, i) * x) for i, x in enumerate(found)))

    second = differentiate_again(first)
    got = run(backend, second.graph, second.given())
    for number, found in second.complete(got):
        wanted = slopes(total, given[: len(counts)], counts.index(number))
        check(f"second gradient of {once.sample}, operand {number}", found, wanted, BY_DIFFERENCES)
