"""The CUDA backend: a program as one readable CUDA C file, compiled and launched."""

from __future__ import annotations

import re
from collections.abc import Callable

from graphc.backend import Backend, Executable, Sources, Timed
from graphc.device_memory import Accelerator
from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.ops.precision import MatmulSettings

ARCH = re.compile(r"sm_\d+[af]?")


class CudaBackend:
    """Programs for an NVIDIA GPU.

    On one that was chosen, what they return stays there; otherwise arrays of the CPU are taken and
    returned. With ``arch``, such as ``sm_90``, they are for that processor: a device is looked for
    only when one runs. Without, they are for the device in use.
    """

    composites: frozenset[str] = frozenset(("attention", "attention_grad"))

    def __init__(
        self, index: int | None = None, arch: str | None = None, *, is_tuned: bool = False
    ) -> None:
        self.name = "cuda" if arch is None else f"cuda:{arch}"
        self.index, self.arch = index, arch
        self.is_tuned = is_tuned
        """Whether kernels are chosen by measuring them, on the device."""

    def tuned(self) -> CudaBackend:
        """The same with kernels chosen by measuring candidates, once for each kind of device."""
        if self.arch is not None:
            raise GraphcValueError(
                "compile(tune=True) measures on the device in use: it takes no arch="
            )
        return CudaBackend(self.index, is_tuned=True)

    def claims(self, node: Node) -> bool:
        """Whether there is a kernel for a use of one of ``composites``."""
        from graphc.backends.cuda.attention import claims

        return claims(node)

    @property
    def accelerator(self) -> Accelerator:
        """The devices and their memory."""
        from graphc.backends.cuda.accelerator import CudaAccelerator

        return CudaAccelerator()

    def on(self, index: int) -> CudaBackend:
        """The backend for the device of a number."""
        return CudaBackend(index, self.arch, is_tuned=self.is_tuned)

    def recalled(self, graph: Graph, write: Callable[[], Sources]) -> Sources:
        """What ``write`` gives for a recorded graph, or what an earlier process had for it."""
        from graphc.backends.recalled import recalled

        # What was measured may be measured anew; a class made from this one may write otherwise.
        if self.is_tuned or type(self) is not CudaBackend:
            return write()
        return recalled(graph, f"cuda {self.arch or self._present()}", write)

    def emit(self, graph: Graph) -> Sources:
        """The program's text; it needs no compiler and no device, unless it is tuned.

        It is for the processor that was named, or that of the device in use if there is one.
        """
        from graphc.backends.cuda.emit import emit

        tuner = None
        if self.is_tuned:
            from graphc.backends.cuda.driver import device
            from graphc.backends.cuda.tuning import Tuner

            tuner = Tuner(device(self.index or 0))
        return emit(graph, self.arch or self._present(), tuner)

    def _present(self) -> str:
        """The processor of the device in use, or "" where there is none."""
        from graphc.backends.cuda.driver import arch

        try:
            return arch(self.index or 0)
        except GraphcRuntimeError:
            return ""

    def build(self, sources: Sources) -> Executable:
        """The program, compiled for the device in use and loaded."""
        if self.arch is not None:
            from graphc.backends.cuda.targeted import Targeted

            return Targeted(sources, self.arch, self.index)
        from graphc.backends.cuda.executable import CudaExecutable

        return CudaExecutable(sources, self.index)

    def timed(self, graph: Graph, executable: Executable) -> Timed:
        """The program with its launches given, and timed, one by one."""
        from graphc.backends.cuda.executable import CudaExecutable
        from graphc.backends.cuda.timing import Timed

        if not isinstance(executable, CudaExecutable):
            raise GraphcRuntimeError(f"{self.name}: kernels are timed on the device in use only")
        return Timed(executable)

    def image(self, sources: Sources) -> bytes:
        """The cubin of a program. Raises where there is no compiler."""
        from graphc.backends.cuda.compilation import compile

        if self.arch is not None:
            return compile(sources.text, self.arch)
        from graphc.backends.cuda.driver import device

        return compile(sources.text, device(self.index or 0).arch)

    def files(self, sources: Sources) -> dict[str, bytes]:
        """The cubin and what each kernel takes, or why that is not known."""
        from graphc.backends.cuda.cubin import report

        try:
            image = self.image(sources)
        except GraphcRuntimeError as error:
            return {"resources.txt": f"{error}\n".encode()}
        try:
            text = report(image)
        except GraphcValueError as error:  # a compiler of the user's may make something else
            text = str(error)
        return {"program.cubin": image, "resources.txt": f"{text}\n".encode()}


def for_target(name: str) -> Backend:
    """The backend ``cuda:NAME``, which writes programs for one processor, such as ``sm_90``."""
    if not ARCH.fullmatch(name):
        raise GraphcValueError(f"unknown target '{name}': CUDA names processors as sm_90")
    return CudaBackend(arch=name)


matmul = MatmulSettings()


def is_built() -> bool:
    """Whether programs for CUDA can be written: that needs nothing else."""
    return True


BACKEND: Backend = CudaBackend()
