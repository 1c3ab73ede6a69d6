"""Programs that note the time after each statement of their step."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from graphc.backend import Sources, TimedStep, statements
from graphc.backends.native.executable import NativeExecutable


class Timed:
    """A program, compiled with the marks."""

    def __init__(self, sources: Sources) -> None:
        self.statements = statements(sources)
        self.executable = NativeExecutable(sources)
        library = ctypes.CDLL(None, handle=self.executable.loaded.handle)
        count = len(self.statements) + 1
        self.marks = (ctypes.c_int64 * count).in_dll(library, "graphc_marks")

    def bind(self, state: Sequence[Any]) -> TimedStep:
        """The step over these arrays."""
        step = self.executable.bind(state)

        def run(*inputs: Any) -> tuple[list[Any], list[int]]:
            results = step(*inputs)
            return results, [end - begin for begin, end in pairwise(self.marks)]

        return run
