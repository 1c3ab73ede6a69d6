"""Programs of the plain, lazy loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.backend import Backend, Step
from graphc.compiler import load_backend
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.pieces import devices_of
from graphc.split_program import AnyProgram, program_of

PATIENCE = 10
"""Runs of a plain program before it is compiled for speed: most traces never come again."""


class LazyProgram:
    """A program of the plain, lazy loop: it finds its memory in the leaves of a trace.

    The first runs are the work of numpy, which needs no compiler, and of no program at all where
    nothing is computed. What comes again and again, such as the step of a training loop, is then
    compiled for the backend that ``auto`` takes.
    """

    def __init__(self, graph: Graph) -> None:
        self.recorded = graph
        self.devices = devices_of(graph)
        self.program: AnyProgram | None = None
        self.runs = 0
        self.inputs = graph.inputs
        self.state = graph.state
        self.arena_bytes = 0
        self._bound: list[Any] = []
        self._step: Step | None = None
        if graph.computed or graph.updates or not set(graph.outputs) <= {*self.inputs, *self.state}:
            self._compile(load_backend("numpy"))
        live = dict.fromkeys(graph.nodes if self.program is None else self.program.graph.nodes)
        leaves = (*graph.inputs, *graph.state)
        # A program reads pairs where there are complex numbers: which of them is not told.
        self.reads = tuple(x for x in leaves if x in live or x.dtype.is_complex)

    def __call__(self, leaves: Mapping[Node, Any]) -> list[Any]:
        """Run over the arrays of ``leaves``; state is updated in place."""
        self.runs += 1
        if self.runs == PATIENCE + 1:
            self._hasten()
        if self.program is None:
            return [leaves[x].array.copy() for x in self.recorded.outputs]
        state = [leaves[x].array for x in self.state]
        bound = self._bound
        if self._step is None or any(a is not b for a, b in zip(state, bound, strict=True)):
            self._step = self.program.executable.bind(state)
            self._bound = state
        try:
            return self._step(*[leaves[x].array for x in self.inputs])
        except Exception as error:
            raise self.program.failure(error) from None

    def _hasten(self) -> None:
        """Compile what runs on the CPU for the fastest backend."""
        backend = load_backend()
        if "cpu" in self.devices and (self.program is None or backend is not self.program.backend):
            self._compile(backend)

    def _compile(self, backend: Backend) -> None:
        self.program = program_of(self.recorded, backend)
        self.arena_bytes = self.program.sources.arena_bytes
        self._bound, self._step = [], None
