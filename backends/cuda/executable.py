"""A compiled program on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.backend import Sources, Step
from graphc.backends.cuda.driver import device
from graphc.backends.cuda.emit import Call, Interface
from graphc.backends.cuda.made import Launch
from graphc.backends.cuda.shortcut import ShortWay
from graphc.backends.cuda.step import BoundStep
from graphc.shortcut import Call as ShortCall
from graphc.shortcut import Shortcut


class CudaExecutable:
    """A program, compiled and loaded; each step that is bound has device memory of its own."""

    def __init__(self, sources: Sources, index: int | None) -> None:
        interface = sources.facts["cuda"]
        assert isinstance(interface, Interface)
        self.sources, self.interface = sources, interface
        self.stays = index is not None
        """Whether what a step returns stays on the device."""
        self.device = device(index or 0)
        launches = [x.launch for x in interface.steps if isinstance(x, Call)]
        names = {x.function for x in launches if isinstance(x, Launch)}
        self.functions = self.device.functions(self, sources.text, names) if names else {}

    def wait(self) -> None:
        """Wait until all that was begun is done."""
        self.device.synchronize()

    def shortcut(self, step: Step, call: ShortCall) -> Shortcut | None:
        """The short way into a step that takes arrays of the device, where results stay there.

        It is one that ``bind`` gave, or of a program of which this one is a piece.
        """
        if not self.stays:
            return None
        way = ShortWay(step, self.device, call)
        return Shortcut(way, way.open)

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays, of the CPU or of the device."""
        return BoundStep(self, state)
