"""A captured function ready to be called: as a program, or recorded into its caller's trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

from graphc.backend import Backend
from graphc.captured import Captured, Given, Hyperparameter, Slot
from graphc.changes import CHANGES, bump_epoch
from graphc.ir.graph import reuse
from graphc.ir.node import Node
from graphc.marks import CALLS
from graphc.nest import mapped
from graphc.places import is_setting
from graphc.recording import Trace, session
from graphc.short_calls import short_call
from graphc.shortcut import MISSED, Shortcut
from graphc.split_program import AnyProgram, program_of
from graphc.storage import Runs, Storage
from graphc.tensor import Tensor, from_storage, wrap


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
        self.runs = Runs()
        for storage in {id(s.root): s for s in captured.written}.values():
            storage.is_written_by(self.runs)
        self.cleared = [(t, g) for t, g in captured.gradients if not isinstance(g, Slot | Given)]
        """Tensors whose ``grad`` is the same after every call, with what it is."""
        self.clears_arguments = any(isinstance(target, int) for target, _ in self.cleared)
        self.cleared_at = -1
        """The count of changes of gradients since which those of ``cleared`` are what they are."""
        self.gradients = [(t, g) for t, g in captured.gradients if isinstance(g, Slot | Given)]
        """Tensors whose ``grad`` each call computes, with where it stands."""
        self.outside = bool(captured.kept or self.gradients or captured.effects)
        self.shortcut: Shortcut | None = None
        """The backend's short way into the program, once a call has shown what calls are like."""
        self._has_looked = False

    @cached_property
    def program(self) -> AnyProgram:
        """The compiled program; of a result that its caller differentiates, only for show."""
        backend = self.backend
        if not self.gradients and hasattr(backend, "preparing"):
            # Where there are gradients, somebody will change the parameters after each call.
            backend = backend.preparing()
        return program_of(self.captured.graph, backend)

    @cached_property
    def step(self) -> Any:
        """The program over the memory of its state."""
        executable, state = self.program.executable, self.captured.state
        arrays = [s.array for s in state]
        numbers = getattr(executable, "settled", ())
        if not numbers:
            return executable.bind(arrays)
        bind: Any = executable.bind
        return bind(arrays, partial(_changes, [state[i] for i in numbers]))

    @property
    def arena_bytes(self) -> int:
        """What the program holds while it is kept."""
        return self.program.sources.arena_bytes if "step" in self.__dict__ else 0

    def call(
        self, tensors: list[Tensor], args: tuple[Any, ...] | None, seen: tuple[int, int]
    ) -> Any:
        """One call of the program on ``tensors``; those that are like it may be shorter then.

        ``args`` is all that the caller gave, if it was by position, and ``seen`` the numbers of
        the changes before anything was looked at.
        """
        told = tuple([number.refresh() for number in self.captured.hyperparameters])
        result = self.run(tensors)
        if args is not None:
            if not self._has_looked:
                self._has_looked = True
                self.shortcut = self._shortcut(args)
            if self.shortcut is not None and all(map(_stays, told)):
                self.shortcut.open(seen, told, args)
        return result

    def _shortcut(self, args: tuple[Any, ...]) -> Shortcut | None:
        offer = getattr(self.program.executable, "shortcut", None)
        call = None if offer is None else short_call(self, args)
        return None if offer is None or call is None else offer(self.step, call)

    @property
    def shortly(self) -> Callable[..., Any]:
        """The short way: it returns ``MISSED`` where a call is to be looked at closely."""
        return missed if self.shortcut is None else self.shortcut.call

    def run(self, tensors: list[Tensor]) -> Any:
        """One run of the program on ``tensors``, with the numbers as they were read last."""
        captured = self.captured
        if captured.carried:
            tensors = [*tensors, *(x.get(tensors) for x in captured.carried)]
        try:
            arrays = self.step(*[t._storage.array for t in tensors])  # type: ignore[union-attr]
        except Exception as error:
            raise self.program.failure(error) from None
        self.runs.count[0] += 1
        for place in captured.written_arguments:
            tensors[place]._storage.root.writes += 1  # type: ignore[union-attr]
        if self.cleared and CHANGES[1] != self.cleared_at:
            for target, gradient in self.cleared:
                tensor = tensors[target] if isinstance(target, int) else target
                tensor._set_grad(gradient)
            if not self.clears_arguments:
                self.cleared_at = CHANGES[1]
        return self.finish(tensors, arrays)

    def finish(self, tensors: Sequence[Tensor], arrays: list[Any]) -> Any:
        """What a call returns, once it has done outside what the function does there."""
        captured = self.captured
        if self.outside:
            self._leave(tensors, arrays)
        if self.single:
            index = captured.results.index
            return from_storage(Storage(arrays[index], type=self.types[index]))
        return self._filled(captured.results, tensors, arrays)

    def _leave(self, tensors: Sequence[Tensor], arrays: list[Any]) -> None:
        """Do outside what the function does there."""
        captured = self.captured
        kept = zip(captured.kept, arrays[self.count :], self.types[self.count :], strict=True)
        for t, array, type_ in kept:
            t._storage = Storage(array, type=type_)
        for target, value in self.gradients:
            gradient = self._filled(value, tensors, arrays)
            (tensors[target] if isinstance(target, int) else target)._set_grad(gradient)
        for place, value in captured.effects:
            place.set(self._filled(value, tensors, arrays))
        if captured.effects:
            bump_epoch()

    def _filled(self, nest: Any, tensors: Sequence[Tensor], arrays: list[Any]) -> Any:
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
        written = [tensors[x] if isinstance(x, int) else x for x in captured.updated]
        with trace.kept_open():
            for target, node in zip(written, updates, strict=True):
                target._assign(node)
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
        answer = mapped(change, captured.results)
        if not trace.differentiating:
            for target in written:
                target._settle()
        return answer


def _changes(state: Sequence[Storage]) -> tuple[tuple[int, int] | None, ...] | None:
    """Other numbers than before if the state may have changed since; None if nobody knows."""
    found = tuple([x.changes for x in state])
    return None if None in found else found


def missed(*args: Any) -> Any:
    """The short way where there is none."""
    return MISSED


def _stays(x: Any) -> bool:
    """Whether a number that is the same object is the same number."""
    return isinstance(x, float) or is_setting(x)


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
