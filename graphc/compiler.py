"""From graph to running program: the pipeline, the backend, the binding of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial

from graphc.backend import Backend, Executable, Sources, Timed, claims, explained
from graphc.errors import GraphcRuntimeError
from graphc.ir.graph import Graph
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

    @property
    def label(self) -> str:
        """The backend."""
        return self.backend.name

    def wait(self) -> None:
        """Wait until all that was begun is done."""
        getattr(self.executable, "wait", lambda: None)()

    def timed(self) -> Timed:
        """The program, telling how long its kernels take. Raises where the backend cannot."""
        make: Callable[[Graph, Executable], Timed] | None = getattr(self.backend, "timed", None)
        if make is None:
            raise GraphcRuntimeError(f"profile: backend '{self.backend.name}' cannot time kernels")
        return make(self.graph, self.executable)

    def failure(self, error: Exception) -> Exception:
        """The error of a step, with the line of the user's program that it comes from."""
        return explained(self.sources, error)

    def stages(self) -> Iterator[tuple[str, Graph]]:
        """The name of each pass with the graph after it, told again from the recorded one."""
        graph = self.recorded
        for step in pipeline(self.backend):
            graph = step(graph)
            yield step.__name__, graph
