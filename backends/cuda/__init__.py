"""The CUDA backend: a program as one readable CUDA C file, compiled and launched."""

from __future__ import annotations

from graphc.backend import Backend, Executable, Sources
from graphc.device_memory import Accelerator
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.precision import MatmulSettings


class CudaBackend:
    """Programs for an NVIDIA GPU.

    On one that was chosen, what they return stays there; otherwise arrays of the CPU are taken and
    returned.
    """

    name = "cuda"
    composites: frozenset[str] = frozenset(("attention", "attention_grad"))

    def claims(self, node: Node) -> bool:
        """Whether there is a kernel for a use of one of ``composites``."""
        from graphc.backends.cuda.attention import claims

        return claims(node)

    def __init__(self, index: int | None = None) -> None:
        self.index = index

    @property
    def accelerator(self) -> Accelerator:
        """The devices and their memory."""
        from graphc.backends.cuda.accelerator import CudaAccelerator

        return CudaAccelerator()

    def on(self, index: int) -> CudaBackend:
        """The backend for the device of a number."""
        return CudaBackend(index)

    def emit(self, graph: Graph) -> Sources:
        """The program's text; it needs no compiler and no device."""
        from graphc.backends.cuda.emit import emit

        return emit(graph)

    def build(self, sources: Sources) -> Executable:
        """The program, compiled for the device in use and loaded."""
        from graphc.backends.cuda.executable import CudaExecutable

        return CudaExecutable(sources, self.index)


matmul = MatmulSettings()
BACKEND: Backend = CudaBackend()
