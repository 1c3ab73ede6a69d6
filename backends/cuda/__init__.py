"""The CUDA backend: a program as one readable CUDA C file, compiled and launched."""

from __future__ import annotations

from graphc.backend import Backend, Executable, Sources
from graphc.ir.graph import Graph


class CudaBackend:
    """Programs for an NVIDIA GPU."""

    name = "cuda"
    composites: frozenset[str] = frozenset()

    def emit(self, graph: Graph) -> Sources:
        """The program's text; it needs no compiler and no device."""
        from graphc.backends.cuda.emit import emit

        return emit(graph)

    def build(self, sources: Sources) -> Executable:
        """The program, compiled for the device in use and loaded."""
        from graphc.backends.cuda.executable import CudaExecutable

        return CudaExecutable(sources)


BACKEND: Backend = CudaBackend()
