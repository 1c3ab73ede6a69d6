"""How long each launch of a step takes, by the device's clock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from graphc.backend import Statements, TimedStep
from graphc.backends.cuda.emit import Call, described
from graphc.backends.cuda.executable import CudaExecutable
from graphc.backends.cuda.step import BoundStep


class Timed:
    """A program whose launches are given one by one, with an event after each."""

    def __init__(self, executable: CudaExecutable) -> None:
        self.executable = executable
        self.statements: Statements = [
            ((x.launch.function,), x.origin) if isinstance(x, Call) else (("copy",), described(x))
            for x in executable.interface.steps
        ]

    def bind(self, state: Sequence[Any]) -> TimedStep:
        """The step over these arrays."""
        device = self.executable.device
        events = [device.event(timed=True) for _ in range(len(self.statements) + 1)]
        step = BoundStep(self.executable, state, marks=events)

        def run(*inputs: Any) -> tuple[list[Any], list[int]]:
            results = step(*inputs)
            device.wait_until(events[-1])
            return results, [round(1e6 * device.between(*pair)) for pair in pairwise(events)]

        return run
