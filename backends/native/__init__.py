"""The native backend: a program as one readable C file, compiled and called in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from graphc.backend import Backend, Executable, Sources, Timed
from graphc.backends.native.targets import TARGETS, Target, host
from graphc.errors import GraphcValueError
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.threads import Threads

COMPOSITES = frozenset({"attention", "attention_grad"})
"""The composites that there are kernels for."""


class NativeBackend:
    """Programs for one instruction set; by default the best that this machine has."""

    def __init__(
        self, name: str, target: Target, *, is_tuned: bool = False, prepares: bool = False
    ) -> None:
        self.name = name
        self.target = target
        self.composites = COMPOSITES
        self.is_tuned = is_tuned
        """Whether kernels are chosen by measuring them."""
        self.prepares = prepares
        """Whether programs may compute once what follows from state that no step changes."""

    def tuned(self) -> NativeBackend:
        """The same with kernels chosen by measuring candidates, which is done once per machine."""
        return NativeBackend(self.name, self.target, is_tuned=True, prepares=self.prepares)

    def preparing(self) -> NativeBackend:
        """The same with programs that compute once what follows from state that no step changes.

        Who binds such a program tells it of changes (see ``NativeExecutable.bind``).
        """
        return NativeBackend(self.name, self.target, is_tuned=self.is_tuned, prepares=True)

    def claims(self, node: Node) -> bool:
        """Whether there is a kernel for a use of a composite."""
        from graphc.backends.c_language.attention import is_attended

        return is_attended(node)

    def recalled(self, graph: Graph, write: Callable[[], Sources]) -> Sources:
        """What ``write`` gives for a recorded graph, or what an earlier process had for it."""
        from graphc.backends.recalled import recalled

        # What was measured may be measured anew; a class made from this one may write otherwise.
        if self.is_tuned or type(self) is not NativeBackend:
            return write()
        settings = f"{self.target} {Threads.count} {self.prepares}"
        return recalled(graph, settings, partial(_written, write))

    def timed(self, graph: Graph, executable: Executable) -> Timed:
        """The program with the time noted after each statement of the step."""
        from graphc.backends.native.timing import Timed

        return Timed(self._emitted(graph, is_timed=True))

    def emit(self, graph: Graph) -> Sources:
        """The program's text."""
        return self._emitted(graph)

    def _emitted(self, graph: Graph, *, is_timed: bool = False) -> Sources:
        from graphc.backends.native.emit import emit

        tuner = None
        if self.is_tuned:
            from graphc.backends.native.tuning import Tuner

            tuner = Tuner(self.target, Threads.count)
        settings = {"prepares": self.prepares, "is_timed": is_timed}
        return emit(graph, Threads.count, self.target, tuner, **settings)

    def build(self, sources: Sources) -> Executable:
        """The program, compiled and loaded."""
        from graphc.backends.native.executable import NativeExecutable

        return NativeExecutable(sources)


def _written(write: Callable[[], Sources]) -> Sources:
    """What ``write`` gives; what all programs need is compiled meanwhile."""
    from graphc.backends.native.runtime import begin_beside

    begin_beside()
    return write()


def for_target(name: str) -> Backend:
    """The backend ``native:NAME``, which writes programs for one instruction set."""
    target = TARGETS.get(name)
    if target is None:
        raise GraphcValueError(f"unknown target '{name}': there are {', '.join(TARGETS)}")
    return NativeBackend(f"native:{name}", target)


BACKEND: Backend = NativeBackend("native", host())
