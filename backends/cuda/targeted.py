"""A program for a processor that need not be here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.backend import Sources, Step
from graphc.errors import GraphcRuntimeError


class Targeted:
    """A program for a named processor: it is compiled and loaded when a step runs first."""

    def __init__(self, sources: Sources, arch: str, index: int | None) -> None:
        self.sources, self.arch, self.index = sources, arch, index

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays of the host."""
        bound: list[Step] = []

        def step(*inputs: Any) -> list[Any]:
            if not bound:
                bound.append(self._bound(state))
            return bound[0](*inputs)

        return step

    def _bound(self, state: Sequence[Any]) -> Step:
        from graphc.backends.cuda.driver import device
        from graphc.backends.cuda.executable import CudaExecutable

        found = device(self.index or 0)
        if self.arch.rstrip("af") != found.arch:
            raise GraphcRuntimeError(
                f"the program is for {self.arch}: {found.name} is {found.arch}"
            )
        return CudaExecutable(self.sources, self.index).bind(state)
