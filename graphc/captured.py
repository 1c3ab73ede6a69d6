"""What a capture gives: the graph, what it was made under, and what a call does outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphc.ir.graph import Graph
from graphc.places import MISSING, Place
from graphc.recording import setting
from graphc.storage import Storage
from graphc.tensor import Tensor


@dataclass
class Hyperparameter:
    """A number of the caller's, such as a learning rate, read again at each call."""

    container: Any
    key: Any
    storage: Storage

    def refresh(self) -> None:
        value = setting(self.container, self.key)
        if value != self.storage.array[()]:
            self.storage.array[...] = value


@dataclass(frozen=True)
class Slot:
    """The place of an output within a function's results."""

    index: int


@dataclass(frozen=True)
class Given:
    """An argument that is returned as it is, by its place among the tensors given."""

    index: int


@dataclass(frozen=True)
class Carried:
    """A tensor that the function finds in a place and replaces there: read anew at each call."""

    place: Place
    signature: tuple[Any, ...]

    def fits(self) -> bool:
        found = self.place.get()
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
    """What the function returned; tensors as ``Slot`` where computed, ``Given`` where arguments."""
    updated: tuple[Tensor | int, ...]
    """For each update of the graph the tensor written to, an argument by its place."""
    kept: tuple[Tensor, ...]
    """Tensors held outside that take the last outputs as their numbers, such as gradients."""
    gradients: tuple[tuple[Tensor | int, Tensor | None], ...]
    """What ``grad`` is afterwards, of tensors held outside and of arguments by their place."""
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

    @property
    def written_arguments(self) -> tuple[int, ...]:
        """Arguments that the program writes in place."""
        return tuple(t for t in self.updated if isinstance(t, int))


@dataclass(frozen=True)
class Assumptions:
    """What must be so outside for a captured graph to be what the function means."""

    owners: tuple[tuple[Any, int], ...]
    """Modules and optimizers that took part, with the count of changes of their structure."""
    flags: tuple[tuple[Any, bool], ...]
    """The modules that were called, with their training flag on entry."""
    tensors: tuple[tuple[Tensor, Storage, bool], ...]
    """State tensors with their memory and whether they required a gradient."""
    gradients: tuple[tuple[Tensor, bool], ...]
    """Tensors whose ``grad`` mattered on entry, with whether there was one."""
    settings: tuple[tuple[Place, Any], ...]
    """Plain values, a change of which is announced."""
    places: tuple[tuple[Place, Any], ...]
    """Tensors by identity, and plain values a change of which is not announced."""
    carried: tuple[Carried, ...]

    def near(self) -> bool:
        """Whether what nobody announces a change of is still so."""
        return all(_same(place.get(), value) for place, value in self.places) and all(
            carried.fits() for carried in self.carried
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

    def broken(self) -> str:
        """What is not so any more, in words."""
        for owner, count in self.owners:
            if owner._structure != count:
                return f"{type(owner).__name__} has changed"
        for module, flag in self.flags:
            if module.training != flag:
                now = "training" if module.training else "evaluation"
                return f"{type(module).__name__} was switched to {now}"
        for t, storage, needed in self.tensors:
            name = t._name or f"a tensor {t._type}"
            if t._storage is not storage:
                return f"{name} has other memory"
            if t._requires_grad != needed:
                return f"requires_grad of {name} is {t._requires_grad}"
        for t, present in self.gradients:
            if (t._grad is not None) != present:
                was = "is no" if present else "is a"
                return f"there {was} gradient of {t._name or f'a tensor {t._type}'}"
        for place, value in (*self.settings, *self.places):
            now = place.get()
            if not _same(now, value):
                return f"{place} is {_shown(now)}, no longer {_shown(value)}"
        return next((f"{x.place} has changed" for x in self.carried if not x.fits()), "")


def _same(now: Any, value: Any) -> bool:
    if now is value or isinstance(now, Tensor) or isinstance(value, Tensor):
        return now is value
    return type(now) is type(value) and bool(now == value)


def _shown(x: Any) -> str:
    if isinstance(x, Tensor):
        return f"a tensor {x._type}"
    return "there" if x is MISSING else repr(x)


def signature_of(tensor: Tensor) -> tuple[Any, ...]:
    """What tells one tensor from another for a program: type, need of a gradient, layout."""
    storage = tensor._storage
    if storage is None or tensor._pending:
        return tensor._type, tensor.requires_grad, True
    return storage.type, tensor.requires_grad, storage.array.flags.c_contiguous
