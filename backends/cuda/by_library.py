"""A launch that a library of NVIDIA's makes: what the text and the launches know of it.

That needs no library: one is loaded where such a launch was measured, or is to run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from graphc.ir.dtype import bfloat16, float16, float32

SUPPORTED = (bfloat16, float16, float32)
"""The element types that libraries are asked for."""
WORKSPACE = 32 << 20
"""Bytes that a launch may need beside its operands, at most."""
ALIGNED = 256
"""Bytes that the address of a workspace is a multiple of."""
COUNT = 4
"""Algorithms that are measured: those that the library would take first."""


@dataclass(frozen=True)
class ByLibrary(ABC):
    """A launch by a library."""

    function: str
    """What the text calls it."""
    workspace: int
    """Bytes that it needs."""
    arguments: tuple[int, ...]
    """Which of the kernel's parameters it takes, and last the workspace, where there is one."""

    @property
    @abstractmethod
    def called(self) -> str:
        """The library's function."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What the arguments are called, without the workspace."""
