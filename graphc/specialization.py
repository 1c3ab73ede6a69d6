"""A captured function ready to be called: as a program, or recorded into its caller's trace."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from graphc.backend import Backend
from graphc.captured import Captured, Given, Hyperparameter, Slot
from graphc.compiler import Program
from graphc.ir.graph import reuse
from graphc.ir.node import Node
from graphc.marks import CALLS
from graphc.nest import mapped
from graphc.recording import Trace, session
from graphc.storage import Storage
from graphc.tensor import Tensor, bump_epoch, from_storage, wrap


class Specialization:
    """A function captured for one signature of its arguments."""

    def __init__(self, captured: Captured, backend: Backend, reason: str) -> None:
        self.captured = captured
        self.backend = backend
        self.reason = reason
        """Why it was captured."""
        self.epoch = -1
        """The count of changes at which its assumptions were last known to hold."""
        self.count = len(captured.graph.outputs) - len(captured.kept)
        self.types = tuple(x.type for x in captured.graph.outputs)
        self.single = isinstance(captured.results, Slot)
        self.roots = tuple(s.root for s in captured.written)
        self.cleared = [(t, g) for t, g in captured.gradients if not isinstance(g, Slot | Given)]
        """Tensors whose ``grad`` is the same after every call, with what it is."""
        self.gradients = [(t, g) for t, g in captured.gradients if isinstance(g, Slot | Given)]
        """Tensors whose ``grad`` each call computes, with where it stands."""
        self.outside = bool(captured.kept or self.gradients or captured.effects)

    @cached_property
    def program(self) -> Program:
        """The compiled program; of a result that its caller differentiates, only for show."""
        return Program(self.captured.graph, self.backend)

    @cached_property
    def step(self) -> Any:
        """The program over the memory of its state."""
        return self.program.executable.bind([s.array for s in self.captured.state])

    @property
    def arena_bytes(self) -> int:
        """What the program holds while it is kept."""
        return self.program.sources.arena_bytes if "step" in self.__dict__ else 0

    def run(self, tensors: list[Tensor]) -> Any:
        """One call of the program on ``tensors``."""
        captured = self.captured
        for hyperparameter in captured.hyperparameters:
            hyperparameter.refresh()
        if captured.carried:
            tensors = [*tensors, *(x.get(tensors) for x in captured.carried)]
        try:
            arrays = self.step(*[t._storage.array for t in tensors])  # type: ignore[union-attr]
        except Exception as error:
            raise self.program.failure(error) from None
        for root in self.roots:
            root.writes += 1
        for place in captured.written_arguments:
            tensors[place]._storage.root.writes += 1  # type: ignore[union-attr]
        for target, gradient in self.cleared:
            tensor = tensors[target] if isinstance(target, int) else target
            if tensor._grad is not gradient:
                _set_grad(tensor, gradient)
        if self.outside:
            self._leave(tensors, arrays)
        if self.single:
            index = captured.results.index
            return from_storage(Storage(arrays[index], type=self.types[index]))
        return self._filled(captured.results, tensors, arrays)

    def _leave(self, tensors: list[Tensor], arrays: list[Any]) -> None:
        """Do outside what the function does there."""
        captured = self.captured
        kept = zip(captured.kept, arrays[self.count :], self.types[self.count :], strict=True)
        for t, array, type_ in kept:
            t._storage = Storage(array, type=type_)
        for target, value in self.gradients:
            gradient = self._filled(value, tensors, arrays)
            _set_grad(tensors[target] if isinstance(target, int) else target, gradient)
        for place, value in captured.effects:
            place.set(self._filled(value, tensors, arrays))
        if captured.effects:
            bump_epoch()

    def _filled(self, nest: Any, tensors: list[Tensor], arrays: list[Any]) -> Any:
        made: dict[int, Tensor] = {}

        def change(x: Any, _: str) -> Any:
            if isinstance(x, Given):
                return tensors[x.index]
            if not isinstance(x, Slot):
                return x
            if x.index not in made:
                made[x.index] = from_storage(Storage(arrays[x.index], type=self.types[x.index]))
            return made[x.index]

        return mapped(change, nest)

    def record(self, tensors: list[Tensor]) -> Any:
        """One call, recorded into the trace of the caller, who differentiates the result."""
        trace, captured = session.trace, self.captured
        tensors = [*tensors, *(x.get(tensors) for x in captured.carried)]
        given = tuple(
            [
                *map(trace.node_of, tensors),
                *(_input(trace, source) for source in captured.sources),
            ]
        )
        found = trace.memo.get((self, given))
        if found is None:
            found = trace.memo[self, given] = _told(captured, given)
        outputs, updates = found
        for target, node in zip(captured.updated, updates, strict=True):
            (tensors[target] if isinstance(target, int) else target)._assign(node)
        results: dict[int, Tensor] = {}

        def change(x: Any, _: str) -> Any:
            if isinstance(x, Given):
                return tensors[x.index]
            if not isinstance(x, Slot):
                return x
            if x.index not in results:
                results[x.index] = wrap(outputs[x.index], trace, "CompiledFunctionBackward")
            return results[x.index]

        for place, value in captured.effects:
            place.set(mapped(change, value))
        if captured.effects:
            bump_epoch()
        return mapped(change, captured.results)


def _set_grad(tensor: Tensor, gradient: Tensor | None) -> None:
    if (tensor._grad is None) != (gradient is None):
        bump_epoch()
    tensor._grad = gradient


def _input(trace: Trace, source: Tensor | Hyperparameter | Storage) -> Node:
    if isinstance(source, Tensor):
        return trace.node_of(source)
    if isinstance(source, Hyperparameter):
        return trace.hyperparameter(source.container, source.key)
    return trace.leaf(source, None, "")


def _told(captured: Captured, given: tuple[Node, ...]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """The outputs and the updates of a captured graph over the nodes that are given to it."""
    graph = captured.graph
    new = dict(zip((*graph.inputs, *graph.state), given, strict=True))
    for node in graph.nodes:
        if node in new:
            continue
        again = new[node] = reuse(node, tuple(new[x] for x in node.inputs))
        call = CALLS.get(node)
        if call is not None and again is not node:
            CALLS[again] = call.over(new)
    outputs = tuple(new[x] for x in graph.outputs)
    return outputs, tuple(new[value] for _, value in graph.updates)
