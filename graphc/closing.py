"""The end of a capture: what the function recorded and left behind becomes a graph."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graphc.captured import (
    Assumptions,
    Captured,
    Carried,
    Given,
    Hyperparameter,
    Slot,
    signature_of,
)
from graphc.errors import GraphcRuntimeError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_input
from graphc.nest import leaves, mapped
from graphc.places import MISSING, Place, is_setting, of_module
from graphc.recording import Trace, setting
from graphc.running import pending_tensors
from graphc.storage import Storage
from graphc.tensor import Tensor, bare

Change = tuple[Place, Any, Any]
"""A place, what stood there on entry, and what stands there now."""
Values = tuple[tuple[Place, Any], ...]


class _Called(list[Any]):
    """The stack of modules being called, which notes all that ever were."""

    def __init__(self, trace: CapturingTrace) -> None:
        super().__init__()
        self.trace = trace
        self.seen: dict[int, Any] = {}

    def append(self, module: Any) -> None:
        if id(module) not in self.seen:
            self.trace.watch_modules([module])
            self.seen.update((id(inner), inner) for inner in module.modules())
        super().append(module)


class CapturingTrace(Trace):
    """A trace that turns realised tensors into state and numbers into inputs."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__({}, capturing=True)
        self.names = dict(names)
        self.inputs: dict[Node, Tensor] = {}
        """The stand-ins of the function's arguments."""
        self.places: dict[int, int] = {}
        """Each stand-in's position among them."""
        self.before: dict[int, tuple[Tensor, dict[str, Any]]] = {}
        """Tensors held outside that took part, as they were."""
        self.handles: dict[Node, Tensor] = {}
        """The tensors that the leaves stand for."""
        self.hyperparameters: dict[tuple[int, Any], tuple[Node, Hyperparameter]] = {}
        self.read_gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        """Tensors whose ``grad`` mattered on entry, with what it was."""
        self.called = _Called(self)
        self.owners: dict[int, tuple[Any, int]] = {}
        """What was depended on, with the count of its changes at that time."""
        self.states: list[tuple[Any, dict[Any, Any]]] = []
        """Optimizers, with what they remembered of each parameter."""
        self.watched: dict[tuple[int, str], tuple[Place, Any]] = {}
        """Places with what stood there on entry."""
        self.modules: dict[int, Any] = {}
        """The modules whose places are watched."""

    def depends_on(self, owner: Any) -> None:
        if id(owner) not in self.owners:
            self.owners[id(owner)] = (owner, owner._structure)
            if hasattr(owner, "param_groups"):
                held = {p: dict(state) for p, state in owner.state.items()}
                self.states.append((owner, held))

    def watch(self, places: Iterable[Place]) -> None:
        """Note what stands in ``places``."""
        for place in places:
            value = place.get()
            self.watched.setdefault((id(place.holder), place.name), (place, value))
            if isinstance(value, Tensor) and not value._name:
                self.names.setdefault(id(value), place.name)

    def watch_modules(self, modules: Iterable[Any]) -> None:
        """Note the attributes and buffers of modules and of all below them."""
        for module in modules:
            for inner in module.modules():
                if id(inner) not in self.modules:
                    self.modules[id(inner)] = inner
                    self.watch(of_module(inner))

    def hyperparameter(self, container: Any, key: Any) -> Node:
        """The number ``container[key]`` as an input that is read again at each call."""
        found = self.hyperparameters.get((id(container), key))
        if found is None:
            storage = Storage(np.array(setting(container, key), np.float64))
            node = self.leaf(
                storage, None, key if isinstance(key, str) else "_".join(map(str, key))
            )
            found = node, Hyperparameter(container, key, storage)
            self.hyperparameters[id(container), key] = found
        return found[0]

    def read_grad(self, tensor: Tensor) -> None:
        """Note that the gradient a tensor had on entry decides what is recorded."""
        if self._made_here(tensor):
            return
        if id(tensor) not in self.gradients and id(tensor) not in self.read_gradients:
            gradient = tensor._grad
            self.read_gradients[id(tensor)] = (tensor, gradient)
            if gradient is not None and self.label(tensor):
                self.names.setdefault(id(gradient), f"{self.label(tensor)}.grad")

    def home_of(self, tensor: Tensor) -> Node:
        place = self.places.get(id(tensor))
        return super().home_of(tensor) if place is None else list(self.inputs)[place]

    def touch_grad(self, tensor: Tensor) -> None:
        if not self._made_here(tensor):
            super().touch_grad(tensor)

    def touch(self, tensor: Tensor) -> None:
        self.remember(tensor)
        if not self._made_here(tensor):
            super().touch(tensor)

    def _made_here(self, tensor: Tensor) -> bool:
        """Whether the function made the tensor, so that it is nothing to anybody outside."""
        key = id(tensor)
        return tensor._serial == self.serial and key not in self.before and key not in self.places

    def _adopt(self, tensor: Tensor) -> Node:
        self.remember(tensor)
        node = super()._adopt(tensor)
        if node in self.leaves:
            self.handles.setdefault(node, tensor)
        return node

    def remember(self, tensor: Tensor) -> None:
        if tensor._serial != self.serial and id(tensor) not in self.before:
            # Nothing is pending outside, so that a home was set by the write at hand.
            self.before[id(tensor)] = (tensor, {**vars(tensor), "_home": None})

    def label(self, tensor: Tensor) -> str:
        """What the graph calls the memory of ``tensor``."""
        return self.names.get(id(tensor), tensor._name)


def changed_places(trace: CapturingTrace) -> list[Change]:
    """The places that held or hold a tensor, where another value stands now."""
    found = [(place, before, place.get()) for place, before in trace.watched.values()]
    for module in trace.modules.values():
        for place in of_module(module):
            if (id(place.holder), place.name) not in trace.watched:
                found.append((place, MISSING, place.get()))
    return [
        (place, before, now)
        for place, before, now in found
        if now is not before and (isinstance(before, Tensor) or isinstance(now, Tensor))
    ]


def changed_flags(trace: CapturingTrace) -> list[Change]:
    """The training flags that were switched."""
    return [
        (place, before, place.get())
        for place, before in trace.watched.values()
        if place.announced and place.name == "training" and place.get() is not before
    ]


class Closing:
    """The graph of a trace, what it assumes, and what is to be done outside at each call."""

    def __init__(self, trace: CapturingTrace, keep_grads: bool) -> None:
        self.trace = trace
        self.keep_grads = keep_grads
        self.outputs: list[Node] = []
        self.slots: dict[int, Slot] = {}
        """The place of each tensor among the outputs, by its identity."""
        self.changed = changed_places(trace)
        self.carried = self._carried()
        order = (*trace.inputs.values(), *(trace.handles[node] for node in self.carried))
        self.given = {id(t): number for number, t in enumerate(order)}
        """The numbers of the tensors that the program is given."""

    def captured(self, results: Any) -> Captured:
        """What the run of the function came to, given what it returned."""
        trace = self.trace
        for module in trace.modules.values():
            trace.depends_on(module)
        structure = self._slots(results)
        effects = tuple((place, self._slots(now)) for place, _, now in self.changed)
        differentiable = any(map(self._needs_gradient, self.outputs))
        gradients = tuple(self._gradients())
        written, kept = self._live([results, [now for _, _, now in self.changed]])
        updates = tuple((trace.home_of(t), trace.node_of(t)) for t in written)
        self.outputs += [trace.node_of(t) for t in kept]
        state = tuple(x for x in trace.leaves if x not in self.carried)
        inputs = (*trace.inputs, *self.carried)
        graph = Graph(inputs, tuple(self.outputs), state, updates, "step")
        told_again = not (gradients or kept or trace.retained or trace.has_custom)
        return Captured(
            graph=graph,
            state=tuple(trace.leaves[x].storage for x in state),
            sources=self._sources(state),
            results=structure,
            updated=tuple(self.given.get(id(t), t) for t in written),
            kept=tuple(kept),
            gradients=gradients,
            effects=(*effects, *self._flags_after()),
            carried=tuple(self.carried.values()),
            hyperparameters=tuple(h for _, h in trace.hyperparameters.values()),
            differentiable=differentiable,
            repeatable=told_again and all(x.op.repeatable for x in graph.nodes),
            assumed=self._assumptions(),
        )

    def _slots(self, nest: Any) -> Any:
        """The nest with ``Slot`` for each tensor that is computed, ``Given`` for one given."""
        trace = self.trace

        def change(x: Any, _: str) -> Any:
            if not isinstance(x, Tensor):
                return x
            if id(x) in self.given:
                return Given(self.given[id(x)])
            if id(x) in trace.before or (x._serial != trace.serial and not x._pending):
                return x
            if id(x) not in self.slots:
                self.slots[id(x)] = Slot(len(self.outputs))
                self.outputs.append(trace.node_of(x))
            return self.slots[id(x)]

        return mapped(change, nest)

    def _needs_gradient(self, x: Node) -> bool:
        return x.requires_grad and bool(x.inputs) and not self.trace.past.is_spent(x)

    def _live(self, known: Any) -> tuple[list[Tensor], list[Tensor]]:
        """The tensors that were written to, and those made within that are held outside."""
        trace = self.trace
        accounted = {id(x) for x in leaves(known)}
        accounted.update(id(t._grad) for t, _ in trace.gradients.values())
        self._part_views()

        def kept() -> list[Tensor]:
            found = [t for t in pending_tensors(trace) if t._home is None and t._base is None]
            return [t for t in found if id(t) not in accounted]

        if kept():
            gc.collect()  # a cycle of references is no holder
        return [t for t in pending_tensors(trace) if t._home is not None], kept()

    def _part_views(self) -> None:
        """Let views that were made within stand on their own, without what they look into."""
        trace = self.trace
        for t in pending_tensors(trace):
            if t._base is not None and id(t) not in trace.before and id(t) not in trace.places:
                trace.node_of(t)
                t._base, t._chain = None, ()

    def _gradients(self) -> Iterator[tuple[Tensor | int, Any]]:
        """What each ``grad`` that the function set is to be after a call.

        A gradient that was made after the old one had been dropped, and that then changed its own
        tensor, is the step's own affair: it need not be stored, unless it is to be kept.
        """
        trace = self.trace
        for t, before in trace.gradients.values():
            gradient = t._grad
            if gradient is before and gradient is not None:
                continue
            own = id(t) not in trace.read_gradients and id(t) in trace.touched
            if gradient is not None and own and not self.keep_grads:
                gradient = _used_up(trace.label(t), gradient)
            yield trace.places.get(id(t), t), self._slots(gradient)

    def _carried(self) -> dict[Node, Carried]:
        """The inputs for tensors in whose place others may stand at the next call.

        Such are gradients, and what the function finds in a place and replaces there.
        """
        trace = self.trace
        found: dict[Node, Carried] = {}
        nodes = {id(t): node for node, t in trace.handles.items()}

        def carry(source: Place | int, tensor: Any) -> None:
            node = nodes.get(id(tensor))
            if node is not None and not node.requires_grad:
                found.setdefault(node, Carried(source, signature_of(tensor)))

        for place, before, _ in self.changed:
            carry(place, before)
        for t, gradient in trace.read_gradients.values():
            number = trace.places.get(id(t))
            place = Place(vars(t), "_grad", trace.label(t))
            carry(place if number is None else number, gradient)
        return found

    def _sources(self, state: tuple[Node, ...]) -> tuple[Tensor | Hyperparameter | Storage, ...]:
        trace = self.trace
        found: dict[Node, Tensor | Hyperparameter] = {**trace.handles}
        found.update(trace.hyperparameters.values())
        return tuple(found.get(x, trace.leaves[x].storage) for x in state)

    def _flags_after(self) -> Iterator[tuple[Place, bool]]:
        """The flags that are different afterwards: of training, and of the need of a gradient."""
        yield from ((place, now) for place, _, now in changed_flags(self.trace))
        for tensor, fields in self.trace.before.values():
            if tensor._requires_grad != fields.get("_requires_grad", False):
                place = Place(vars(tensor), "_requires_grad", tensor._name, announced=True)
                yield place, tensor._requires_grad

    def _assumptions(self) -> Assumptions:
        trace = self.trace
        flags = {
            id(place.holder): before
            for place, before in trace.watched.values()
            if place.name == "training"
        }
        settings, places = self._values()
        tensors = tuple(
            (t, t._storage, fields.get("_requires_grad", False))
            for t, fields in trace.before.values()
            if t._storage is not None and id(t) not in self.given
        )
        gradients = [(t, g is not None) for t, g in trace.read_gradients.values()]
        known = [t for t, *_ in tensors] + [t for t, _ in gradients]
        return Assumptions(
            owners=tuple(trace.owners.values()),
            flags=tuple((m, flags[id(vars(m))]) for m in trace.called.seen.values()),
            names={id(t): trace.label(t) for t in known},
            tensors=tensors,
            gradients=tuple(pair for pair in gradients if id(pair[0]) not in trace.places),
            settings=settings,
            places=places,
            carried=tuple(self.carried.values()),
            given=tuple(
                (trace.places[id(t)], there) for t, there in gradients if id(t) in trace.places
            ),
        )

    def _values(self) -> tuple[Values, Values]:
        """What must stand in the places: where a change is announced, and where it is not.

        A plain value that the function itself changes is the one that it leaves: such an effect
        happens once, at the capture.
        """
        trace = self.trace
        own = {id(x.source) for x in self.carried.values()}
        changed = {id(place): before for place, before, _ in self.changed}
        added = [(p, b) for p, b, _ in self.changed if b is MISSING]
        found: list[tuple[Place, Any]] = []
        for place, before in (*trace.watched.values(), *added):
            if id(place) in own or (place.announced and place.name == "training"):
                continue
            if isinstance(before, Tensor):
                if id(before) in trace.before:
                    found.append((place, before))
            elif id(place) in changed:
                found.append((place, before))
            elif is_setting(place.get()):
                found.append((place, place.get()))
        announced = tuple(pair for pair in found if pair[0].announced)
        return announced, tuple(pair for pair in found if not pair[0].announced)


def _used_up(name: str, gradient: Tensor) -> Tensor:
    """What stands in ``grad`` after a compiled step that used the gradient up."""
    tensor = bare()
    tensor._node = make_input("grad", gradient._type)
    tensor._error = GraphcRuntimeError(
        f"the gradient{f' of {name}' if name else ''} was used up inside the compiled step: return "
        "it from the step, or compile with keep_grads=True"
    )
    return tensor
