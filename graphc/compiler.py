"""From graph to running program: the pipeline, the backend, the binding of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from traceback import extract_tb
from typing import Any

from graphc.backend import Backend, Executable, Sources, Step, claims
from graphc.errors import (
    GraphcError,
    GraphcIndexError,
    GraphcRuntimeError,
    GraphcValueError,
)
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.passes import PASSES, Pass, run
from graphc.passes.open_composites import open_composites


def load_backend(name: str = "auto") -> Backend:
    """The backend ``name``: one of graphc's own, or one registered by an entry point."""
    from graphc.backends import find

    return find(name)


def pipeline(backend: Backend) -> tuple[Pass, ...]:
    """The passes, of which the first leaves closed what the backend has kernels for."""

    def opened(graph: Graph) -> Graph:
        return open_composites(graph, partial(claims, backend))

    opened.__name__ = open_composites.__name__
    return opened, *(step for step in PASSES if step is not open_composites)


FAILURES: dict[type[Exception], type[GraphcError]] = {
    IndexError: GraphcIndexError,
    ValueError: GraphcValueError,
    RuntimeError: GraphcRuntimeError,
}
"""What stands for the errors of kernels that look at numbers, such as an index out of range."""


class Program:
    """A graph compiled for a backend."""

    def __init__(self, graph: Graph, backend: Backend) -> None:
        self.recorded = graph
        self.backend = backend
        recalled = getattr(backend, "recalled", None)
        write = self._write
        self.sources: Sources = write() if recalled is None else recalled(graph, write)
        self.executable: Executable = backend.build(self.sources)

    @cached_property
    def graph(self) -> Graph:
        """The graph after all passes."""
        return run(self.recorded, pipeline(self.backend))

    def _write(self) -> Sources:
        return self.backend.emit(self.graph)

    def failure(self, error: Exception) -> Exception:
        """The error of a step, with the line of the user's program that it comes from."""
        kind = FAILURES.get(type(error))
        if kind is None:
            return error
        names = {frame.name for frame in extract_tb(error.__traceback__)}
        names.add(getattr(error, "kernel", ""))  # of a kernel that has no frame
        found = next((k.origin for k in self.sources.kernels if k.name in names), "")
        return kind(f"{error}\n  in {found}" if found else str(error))

    def stages(self) -> Iterator[tuple[str, Graph]]:
        """The name of each pass with the graph after it, told again from the recorded one."""
        graph = self.recorded
        for step in pipeline(self.backend):
            graph = step(graph)
            yield step.__name__, graph


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
        self.program: Program | None = None
        self.runs = 0
        self.inputs = graph.inputs
        self.state = graph.state
        self.arena_bytes = 0
        self._bound: list[Any] = []
        self._step: Step | None = None
        if graph.computed or graph.updates or not set(graph.outputs) <= {*self.inputs, *self.state}:
            self._compile(load_backend("numpy"))
        live = dict.fromkeys(graph.nodes if self.program is None else self.program.graph.nodes)
        self.reads = tuple(x for x in (*graph.inputs, *graph.state) if x in live)

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
        """Compile the program for the fastest backend."""
        backend = load_backend()
        if self.program is None or backend is not self.program.backend:
            self._compile(backend)

    def _compile(self, backend: Backend) -> None:
        self.program = Program(self.recorded, backend)
        self.arena_bytes = self.program.sources.arena_bytes
        self._bound, self._step = [], None
