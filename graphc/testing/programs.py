"""Samples as programs: built, run on a backend, compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from graphc.backend import Backend
from graphc.compiler import Program
from graphc.ir.dtype import DType, dtype_of_numpy
from graphc.ir.graph import Graph
from graphc.ir.node import Item, Node
from graphc.testing.operands import Array
from graphc.testing.table import Row, Sample, Tolerance, results


@dataclass(frozen=True, eq=False)
class Use:
    """A sample as nodes."""

    sample: Sample
    inputs: tuple[Node | None, ...]
    """The program's input for each operand; None for a number."""
    operands: tuple[Node, ...]
    results: tuple[Node, ...]

    def given(self) -> list[tuple[Node, Array]]:
        """The arrays for the program's inputs."""
        pairs = zip(self.inputs, self.sample.operands, strict=True)
        return [(node, operand.given()) for node, operand in pairs if node is not None]


def use(sample: Sample, number: int, *, requires_grad: bool = False) -> Use:
    """The sample as the ``number``-th of a program."""
    made = [
        operand.nodes(f"x{number}_{slot}", requires_grad=requires_grad)
        for slot, operand in enumerate(sample.operands)
    ]
    operands = tuple(node for _, node in made)
    node = sample.op(*operands)
    several = isinstance(node.type, tuple)
    found = tuple(Item(i)(node) for i in range(len(node.types))) if several else (node,)
    return Use(sample, tuple(source for source, _ in made), operands, found)


def run(backend: Backend, graph: Graph, arrays: Sequence[Array]) -> list[Array]:
    """The outputs of a graph without state, on ``arrays`` for its inputs."""
    return [np.asarray(x) for x in Program(graph, backend).executable.bind([])(*arrays)]


def run_uses(backend: Backend, uses: Sequence[Use]) -> list[tuple[Array, ...]]:
    """The results of each use, all computed by one program."""
    given = [pair for each in uses for pair in each.given()]
    outputs = tuple(x for each in uses for x in each.results)
    graph = Graph(tuple(node for node, _ in given), outputs)
    found = iter(run(backend, graph, [array for _, array in given]))
    return [tuple(next(found) for _ in each.results) for each in uses]


def expected(row: Row, sample: Sample, types: Iterable[DType]) -> tuple[Array, ...]:
    """What the reference says, in the types of the results."""
    found = results(row, sample.op, [x.value for x in sample.operands])
    with np.errstate(all="ignore"):
        return tuple(x.astype(t.numpy) for x, t in zip(found, types, strict=True))


def check(
    what: object, got: Array, wanted: Array, tolerance: Tolerance, *, signed_zeros: bool = False
) -> None:
    """Raise an AssertionError that says where and how far the two differ."""
    __tracebackhide__ = True
    assert got.dtype == wanted.dtype, f"{what}: the type is {got.dtype}, not {wanted.dtype}"
    assert got.shape == wanted.shape, f"{what}: the shape is {got.shape}, not {wanted.shape}"
    bad = _differing(got, wanted, tolerance)
    if signed_zeros and wanted.dtype.kind not in "biu":
        bad |= (wanted == 0) & (np.signbit(got) != np.signbit(wanted))
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{what}: {int(bad.sum())} of {bad.size} elements differ; at {list(place)} "
            f"{got[place]!r}, expected {wanted[place]!r} (tolerance: {tolerance.reason})"
        )


def _differing(got: Array, wanted: Array, tolerance: Tolerance) -> Array:
    if wanted.dtype.kind in "biu":
        return np.asarray(got != wanted)
    dtype = tolerance.of or dtype_of_numpy(wanted.dtype)
    assert dtype is not None
    info = ml_dtypes.finfo(dtype.numpy)
    eps, tiny = float(info.eps), float(info.tiny)
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):
        # Below the smallest normal number roundings are absolute.
        scale = np.maximum(np.abs(b), tiny)
        allowed = (tolerance.roundings * scale + tolerance.absolute) * eps
        close = (a == b) | (np.abs(a - b) <= allowed) & np.isfinite(b)
    return np.asarray(~(close | np.isnan(a) & np.isnan(b)))
