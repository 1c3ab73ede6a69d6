"""What a capture gives: the graph, what it was made under, and what a call does outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphc.ir.graph import Graph
from graphc.places import MISSING, Place
from graphc.storage import Storage
from graphc.tensor import Tensor


@dataclass
class Hyperparameter:
    """A number of the caller's, such as a learning rate, read again at each call."""

    container: Any
    key: Any
    storage: Storage
    value: Any = None
    """What the storage holds, once it has been refreshed."""

    @cached_property
    def path(self) -> tuple[Any, ...]:
        """The keys that lead to the number, one after the other."""
        return self.key if isinstance(self.key, tuple) else (self.key,)

    def refresh(self) -> Any:
        """Read the number again; what stands in the container, which it may be a part of."""
        found = value = self.container[self.path[0]]
        for part in self.path[1:]:
            value = value[part]
        if value != self.value:
            self.storage.array[...] = self.value = value
            self.storage.root.writes += 1
        return found


@dataclass(frozen=True)
class Slot:
    """The place of an output within a function's results."""

    index: int


@dataclass(frozen=True)
class Given:
    """A tensor that is given to the program, by its number among them, returned as it is."""

    index: int


@dataclass(frozen=True)
class Carried:
    """A tensor that others may stand in the place of at the next call, such as a gradient."""

    source: Place | int
    """Where it stands; a number is that of the argument whose gradient it is."""
    signature: tuple[Any, ...]

    def get(self, tensors: list[Tensor]) -> Any:
        """What stands there now, given the arguments."""
        return tensors[self.source]._grad if isinstance(self.source, int) else self.source.get()

    def fits(self, tensors: list[Tensor]) -> bool:
        found = self.get(tensors)
        return isinstance(found, Tensor) and signature_of(found) == self.signature


@dataclass
class Captured:
    """What one run of a function on stand-ins recorded."""

    graph: Graph
    state: tuple[Storage, ...]
    """The memory of the graph's state, in order."""
    sources: tuple[Tensor | Hyperparameter | Storage, ...]
    """Where each piece of state is found, in order."""
    results: Any
    """What the function returned; tensors as ``Slot`` where computed, ``Given`` where given."""
    updated: tuple[Tensor | int, ...]
    """For each update of the graph the tensor written to, one that is given by its number."""
    kept: tuple[Tensor, ...]
    """Tensors held outside that take the last outputs as their numbers."""
    gradients: tuple[tuple[Tensor | int, Any], ...]
    """What ``grad`` is afterwards, in the form of ``results``, of tensors and of arguments."""
    effects: tuple[tuple[Place, Any], ...]
    """Places that hold something else afterwards, in the form of ``results``."""
    carried: tuple[Carried, ...]
    """What the last inputs of the graph are read from."""
    hyperparameters: tuple[Hyperparameter, ...]
    differentiable: bool
    """Whether a result still needs a gradient: the caller is going to differentiate it."""
    repeatable: bool
    """Whether the graph can be recorded into the caller's trace in the place of the function."""
    assumed: Assumptions

    @property
    def written(self) -> tuple[Storage, ...]:
        """Memory of state that the program writes in place."""
        found = (t for t in self.updated if isinstance(t, Tensor))
        return tuple(t._storage for t in found if t._storage is not None)

    @cached_property
    def written_arguments(self) -> tuple[int, ...]:
        """Tensors given that the program writes in place."""
        return tuple(t for t in self.updated if isinstance(t, int))


@dataclass(frozen=True)
class Assumptions:
    """What must be so outside for a captured graph to be what the function means."""

    owners: tuple[tuple[Any, int], ...]
    """Modules and optimizers that took part, with the count of changes of their structure."""
    flags: tuple[tuple[Any, bool], ...]
    """The modules that were called, with their training flag on entry."""
    names: dict[int, str]
    """What the tensors are called, by their identity."""
    tensors: tuple[tuple[Tensor, Storage, bool], ...]
    """State tensors with their memory and whether they required a gradient."""
    gradients: tuple[tuple[Tensor, bool], ...]
    """Tensors whose ``grad`` mattered on entry, with whether there was one."""
    settings: tuple[tuple[Place, Any], ...]
    """Plain values, a change of which is announced."""
    places: tuple[tuple[Place, Any], ...]
    """Tensors by identity, and plain values a change of which is not announced."""
    carried: tuple[Carried, ...]
    given: tuple[tuple[int, bool], ...]
    """Arguments whose ``grad`` mattered, with whether there was one."""

    @cached_property
    def silent(self) -> bool:
        """Whether there is something that nobody announces a change of."""
        return bool(self.places or self.carried or self.given)

    def near(self, tensors: list[Tensor]) -> bool:
        """Whether what nobody announces a change of is still so, given the arguments."""
        return (
            all(_same(place.get(), value) for place, value in self.places)
            and all((tensors[i]._grad is not None) == present for i, present in self.given)
            and all(carried.fits(tensors) for carried in self.carried)
        )

    def hold(self) -> bool:
        """Whether what changes are announced of is still so."""
        return (
            all(owner._structure == count for owner, count in self.owners)
            and all(module.training == flag for module, flag in self.flags)
            and all(t._storage is s and t._requires_grad == r for t, s, r in self.tensors)
            and all((t._grad is not None) == present for t, present in self.gradients)
            and all(_same(place.get(), value) for place, value in self.settings)
        )

    def are_past(self) -> bool:
        """Whether they can never hold again."""
        return any(owner._structure != count for owner, count in self.owners)

    def broken(self, tensors: list[Tensor]) -> str:
        """What is not so any more, in words."""
        for owner, count in self.owners:
            if owner._structure != count:
                return f"{type(owner).__name__} has changed"
        for module, flag in self.flags:
            if module.training != flag:
                now = "training" if module.training else "evaluation"
                return f"{type(module).__name__} was switched to {now}"
        for t, storage, needed in self.tensors:
            name = self._called(t)
            if t._storage is not storage:
                return f"{name} has other memory"
            if t._requires_grad != needed:
                return f"requires_grad of {name} is {t._requires_grad}"
        for t, present in self.gradients:
            if (t._grad is not None) != present:
                return f"there is {'no' if present else 'a'} gradient of {self._called(t)}"
        for place, value in (*self.settings, *self.places):
            now = place.get()
            if not _same(now, value):
                return f"{place} is {_shown(now)}, no longer {_shown(value)}"
        for i, present in self.given:
            if (tensors[i]._grad is not None) != present:
                return f"there is {'no' if present else 'a'} gradient of argument {i + 1}"
        changed = (x.source for x in self.carried if not x.fits(tensors))
        return next((f"{x} is of another kind" for x in changed), "")

    def _called(self, tensor: Tensor) -> str:
        return self.names.get(id(tensor)) or f"a tensor {tensor._type}"


def _same(now: Any, value: Any) -> bool:
    if now is value or isinstance(now, Tensor) or isinstance(value, Tensor):
        return now is value
    return type(now) is type(value) and bool(now == value)


def _shown(x: Any) -> str:
    if isinstance(x, Tensor):
        return f"a tensor {x._type}"
    return "there" if x is MISSING else repr(x)


def signature_of(tensor: Tensor) -> tuple[Any, ...]:
    """What tells tensors apart for a program: type, need of a gradient, layout, device."""
    storage = tensor._storage
    if storage is None or tensor._pending:
        return tensor._type, tensor.requires_grad, True, str(tensor.device)
    contiguous = storage.array.flags.c_contiguous
    return storage.type, tensor.requires_grad, contiguous, storage.device
