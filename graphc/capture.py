"""Capture: a Python function is run once on stand-ins, and what it records becomes a graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError
from graphc.ir.graph import Graph
from graphc.ir.node import Node, make_input
from graphc.recording import Trace, pending_tensors, session, setting
from graphc.storage import Storage
from graphc.tensor import Tensor, bare


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


class _Called(list[Any]):
    """The stack of modules being called, which notes all that ever were."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, Any] = {}

    def append(self, module: Any) -> None:
        if id(module) not in self.seen:
            self.seen.update((id(inner), inner) for inner in module.modules())
        super().append(module)


class CapturingTrace(Trace):
    """A trace that turns realised tensors into state and numbers into inputs."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__({}, capturing=True)
        self.names = names
        self.inputs: dict[Node, Tensor] = {}
        """The stand-ins of the function's arguments."""
        self.adopted: dict[int, tuple[Tensor, Storage]] = {}
        self.hyperparameters: dict[tuple[int, Any], tuple[Node, Hyperparameter]] = {}
        self.read_gradients: dict[int, tuple[Tensor, bool]] = {}
        """Tensors whose ``grad`` mattered on entry, with whether there was one."""
        self.called = _Called()
        self.owners: dict[int, tuple[Any, int]] = {}
        """What was depended on, with the count of its changes at that time."""

    def depends_on(self, owner: Any) -> None:
        self.owners.setdefault(id(owner), (owner, owner._structure))

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
        if id(tensor) not in self.gradients:
            self.read_gradients.setdefault(id(tensor), (tensor, tensor._grad is not None))

    def home_of(self, tensor: Tensor) -> Node:
        for node, stand_in in self.inputs.items():
            if stand_in is tensor:
                return node
        return super().home_of(tensor)

    def _adopt(self, tensor: Tensor) -> Node:
        if tensor._storage is not None:
            self.adopted[id(tensor)] = (tensor, tensor._storage)
        return super()._adopt(tensor)

    def label(self, tensor: Tensor) -> str:
        """What the graph calls the memory of ``tensor``."""
        return self.names.get(id(tensor), tensor._name)


Gradient = Tensor | None


@dataclass
class Captured:
    """What one run of a function on stand-ins recorded."""

    graph: Graph
    state: tuple[Storage, ...]
    """The memory of the graph's state, in order."""
    results: Any
    """What the function returned, its tensors replaced by ``Slot`` where they are computed."""
    written: tuple[Storage, ...]
    """Memory that the program writes in place."""
    written_arguments: tuple[int, ...]
    """Arguments, by their place among the graph's inputs, that it writes in place."""
    kept: tuple[Tensor, ...]
    """Tensors held outside that take the last outputs as their numbers, such as gradients."""
    gradients: tuple[tuple[Tensor | int, Gradient], ...]
    """What ``grad`` is afterwards, of tensors held outside and of arguments by their place."""
    hyperparameters: tuple[Hyperparameter, ...]
    flags: tuple[tuple[Any, bool], ...]
    """The modules that were called, with their training flag."""
    tensors: tuple[tuple[Tensor, Storage, bool], ...]
    """State tensors with their memory and whether they required a gradient."""
    entry_gradients: tuple[tuple[Tensor, bool], ...]
    """Tensors whose ``grad`` mattered on entry, with whether there was one."""
    differentiable: bool
    """Whether a result still needs a gradient: the caller is going to differentiate it."""
    owners: tuple[tuple[Any, int], ...]
    """Modules and optimizers that took part, with the count of changes of their structure."""

    def holds(self) -> bool:
        """Whether what was assumed of the world outside is still so."""
        return (
            all(owner._structure == count for owner, count in self.owners)
            and all(module.training == flag for module, flag in self.flags)
            and all(t._storage is s and t._requires_grad == r for t, s, r in self.tensors)
            and all((t._grad is not None) == present for t, present in self.entry_gradients)
        )


@dataclass(frozen=True)
class Slot:
    """The place of an output within a function's results."""

    index: int


def capture(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    names: Mapping[int, str],
    *,
    keep_grads: bool = False,
) -> Captured:
    """The graph of ``function`` on tensors like those in ``args`` and ``kwargs``.

    ``names`` gives the parameters' and buffers' names by the identity of the tensor. Whatever the
    function changes outside is put back; running the program does it for real.
    """
    trace = CapturingTrace(names)
    labels = argument_names(function, len(args))
    inner = [_stand_in(trace, x, label) for x, label in zip(args, labels, strict=True)]
    named = {key: _stand_in(trace, x, key) for key, x in kwargs.items()}
    with session.recording_into(trace):
        session.modules = trace.called
        try:
            return _close(trace, function(*inner, **named), keep_grads)
        finally:
            _put_back(trace)


def _stand_in(trace: CapturingTrace, x: Any, path: str) -> Any:
    if isinstance(x, Tensor):
        assert x._storage is not None
        contiguous = x._storage.array.flags.c_contiguous
        node = make_input(
            path, x._storage.type, requires_grad=x.requires_grad, contiguous=contiguous
        )
        tensor = bare()
        tensor._node, tensor._serial = node, trace.serial
        tensor._requires_grad = x.requires_grad
        tensor._storage = x._storage
        trace.inputs[node] = tensor
        if x.requires_grad:
            trace.variables[node] = weakref.ref(tensor)
        return tensor
    if isinstance(x, dict):
        return {key: _stand_in(trace, value, f"{path}_{key}") for key, value in x.items()}
    if isinstance(x, list | tuple):
        made = [_stand_in(trace, value, f"{path}_{i}") for i, value in enumerate(x)]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return x


def argument_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the first ``count`` positional parameters."""
    target = getattr(function, "forward", function)
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    names: list[str] = []
    if code is not None:
        names = [name for name in code.co_varnames[: code.co_argcount] if name != "self"]
    return [names[i] if i < len(names) else f"x{i}" for i in range(count)]


def _slots(trace: CapturingTrace, x: Any, outputs: list[Node]) -> Any:
    """The structure of the results, with a slot for each tensor that is computed."""
    if isinstance(x, Tensor):
        if x._serial != trace.serial and not x._pending and x._storage is not None:
            return x
        outputs.append(trace.node_of(x))
        return Slot(len(outputs) - 1)
    if isinstance(x, dict):
        return {key: _slots(trace, value, outputs) for key, value in x.items()}
    if isinstance(x, list | tuple):
        made = [_slots(trace, value, outputs) for value in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return x


def _close(trace: CapturingTrace, results: Any, keep_grads: bool) -> Captured:
    outputs: list[Node] = []
    for module in trace.called.seen.values():
        trace.depends_on(module)
    structure = _slots(trace, results, outputs)
    differentiable = any(
        x.requires_grad and not trace.past.is_spent(x) and bool(x.inputs) for x in outputs
    )
    live = pending_tensors(trace)
    arguments = {id(t): i for i, t in enumerate(trace.inputs.values())}
    written = [t for t in live if t._home is not None]
    updates = tuple((trace.home_of(t), trace.node_of(t)) for t in written)
    gradients = _gradients_after(trace, arguments, keep_grads)
    consumed = {
        id(t._grad) for t, (_, g) in zip(_set(trace), gradients, strict=True) if g is not t._grad
    }
    returned = {id(t) for t in tensors_in(results)}
    kept = tuple(
        t for t in live if t._home is None and t._base is None and id(t) not in returned | consumed
    )
    outputs += [trace.node_of(t) for t in kept]
    return Captured(
        graph=Graph(tuple(trace.inputs), tuple(outputs), tuple(trace.leaves), updates, "step"),
        state=tuple(leaf.storage for leaf in trace.leaves.values()),
        results=structure,
        written=tuple(t._home for t in written if t._home is not None and id(t) not in arguments),
        written_arguments=tuple(arguments[id(t)] for t in written if id(t) in arguments),
        kept=kept,
        gradients=gradients,
        hyperparameters=tuple(h for _, h in trace.hyperparameters.values()),
        flags=tuple((m, m.training) for m in trace.called.seen.values()),
        tensors=tuple((t, s, t._requires_grad) for t, s in trace.adopted.values()),
        entry_gradients=tuple(
            pair for key, pair in trace.read_gradients.items() if key not in arguments
        ),
        differentiable=differentiable,
        owners=tuple(trace.owners.values()),
    )


def _set(trace: CapturingTrace) -> list[Tensor]:
    """The tensors whose ``grad`` the function set."""
    return [t for t, _ in trace.gradients.values()]


def _gradients_after(
    trace: CapturingTrace, arguments: dict[int, int], keep_grads: bool
) -> tuple[tuple[Tensor | int, Gradient], ...]:
    """What each ``grad`` that the function set is to be after a call.

    A gradient that was made after the old one had been dropped, and that then changed its own
    tensor, is the step's own affair: it need not be stored, unless ``keep_grads`` says so.
    """
    found: list[tuple[Tensor | int, Gradient]] = []
    for t in _set(trace):
        gradient = t._grad
        own = id(t) not in trace.read_gradients and id(t) in trace.touched
        if gradient is not None and own and not keep_grads:
            gradient = _used_up(trace.label(t), gradient)
        found.append((arguments.get(id(t), t), gradient))
    return tuple(found)


def tensors_in(x: Any) -> list[Tensor]:
    """All tensors in a nest of tuples, lists and dicts, in order."""
    if isinstance(x, Tensor):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, list | tuple):
        return [t for item in x for t in tensors_in(item)]
    return []


def _put_back(trace: CapturingTrace) -> None:
    """Undo what the function did to tensors held outside."""
    for t in (
        *trace.touched.values(),
        *(t for t, _ in trace.adopted.values()),
        *pending_tensors(trace),
    ):
        t._pending, t._node, t._serial, t._home, t._trace = False, None, 0, None, None
    for t, before in trace.gradients.values():
        t._grad = before


def _used_up(name: str, gradient: Tensor) -> Tensor:
    """What stands in ``grad`` after a compiled step that used the gradient up."""
    tensor = bare()
    tensor._node = make_input("grad", gradient._type)
    tensor._error = GraphcRuntimeError(
        f"the gradient{f' of {name}' if name else ''} was used up inside the compiled step: return "
        "it from the step, or compile with keep_grads=True"
    )
    return tensor
