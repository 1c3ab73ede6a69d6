"""A program over complex numbers: a program over pairs of real ones, and views of its arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.backend import Step, Timed, TimedStep
from graphc.device_memory import device_of
from graphc.ir.graph import Graph
from graphc.ir.node import Node


def as_pairs(array: Any) -> Any:
    """The memory of complex numbers as real ones with a last axis of two."""
    real = np.dtype(f"f{array.dtype.itemsize // 2}")
    if device_of(array) != "cpu":
        return array.seen(0, (*array.shape, 2), (*array.strides, real.itemsize), real)
    return array[..., None].view(real)


def as_complex(array: Any) -> Any:
    """The memory of pairs, without gaps, as complex numbers."""
    kind = np.dtype(f"c{array.dtype.itemsize * 2}")
    if device_of(array) != "cpu":
        return array.seen(0, array.shape[:-1], array.strides[:-1], kind)
    return array.view(kind)[..., 0]


class ComplexProgram:
    """What `Program` offers, for a graph with complex numbers; ``inner`` is that of pairs."""

    def __init__(self, recorded: Graph, inner: Any) -> None:
        self.recorded = recorded
        self.inner = inner
        self.backend = inner.backend
        self.sources = inner.sources
        self.executable = self
        self.settled = getattr(inner.executable, "settled", ())
        self.failure, self.wait = inner.failure, inner.wait

    @property
    def graph(self) -> Graph:
        """The graph of pairs after all passes."""
        found: Graph = self.inner.graph
        return found

    @property
    def label(self) -> str:
        """The backend."""
        return str(self.inner.label)

    def stages(self) -> Iterator[tuple[str, Graph]]:
        """The name of each pass with the graph after it."""
        yield "open_complex", self.inner.recorded
        yield from self.inner.stages()

    def bind(self, state: Sequence[Any], *changes: Any) -> Step:
        """The step over these arrays of the graph's state, which it updates in place."""
        return self._between(self.inner.executable.bind(self._state(state), *changes))

    def timed(self) -> Timed:
        """The program, telling how long its kernels take."""
        return TimedPairs(self)

    def _state(self, state: Sequence[Any]) -> list[Any]:
        return list(map(_given, self.recorded.state, state))

    def _between(self, step: Step) -> Step:
        inputs, outputs = self.recorded.inputs, self.recorded.outputs

        def run(*arrays: Any) -> list[Any]:
            results = step(*map(_given, inputs, arrays))
            return list(map(_taken, outputs, results))

        return run


class TimedPairs:
    """A program over complex numbers that tells how long its kernels take."""

    def __init__(self, program: ComplexProgram) -> None:
        self.program = program
        self.inner: Timed = program.inner.timed()
        self.statements = self.inner.statements

    def bind(self, state: Sequence[Any]) -> TimedStep:
        """The step over these arrays."""
        recorded = self.program.recorded
        step: Callable[..., Any] = self.inner.bind(self.program._state(state))

        def run(*arrays: Any) -> tuple[list[Any], Sequence[int]]:
            results, times = step(*map(_given, recorded.inputs, arrays))
            return list(map(_taken, recorded.outputs, results)), times

        return run


def _given(node: Node, array: Any) -> Any:
    return as_pairs(array) if node.dtype.is_complex else array


def _taken(node: Node, array: Any) -> Any:
    return as_complex(array) if node.dtype.is_complex else array
