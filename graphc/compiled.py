"""``graphc.compile``: a model, a function or a whole training step as one program."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import numpy as np

from graphc.backend import Backend, Kernel
from graphc.capture import Captured, Slot, capture, tensors_in
from graphc.compiler import Program, load_backend
from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.ir.graph import Graph
from graphc.ir.node import recording
from graphc.recording import close, session
from graphc.storage import Storage
from graphc.tensor import Epoch, Tensor, bump_epoch, from_storage
from graphc.threads import Threads

LIMIT = 64
"""Specialisations kept of one compiled function; the one not used for longest makes room."""


class Specialization:
    """A function compiled for one signature of its arguments."""

    def __init__(self, captured: Captured, program: Program, reason: str, seconds: float) -> None:
        self.captured = captured
        self.program = program
        self.reason = reason
        """Why it was compiled."""
        self.seconds = seconds
        """What capture, passes, emission and build took."""
        self.epoch = -1
        self.count = len(captured.graph.outputs) - len(captured.kept)
        self.single = isinstance(captured.results, Slot)
        self.types = tuple(x.type for x in captured.graph.outputs)
        self.roots = tuple(s.root for s in captured.written)
        self.step = program.executable.bind([s.array for s in captured.state])

    def run(self, tensors: list[Tensor]) -> Any:
        """One call of the program on ``tensors``."""
        captured = self.captured
        for hyperparameter in captured.hyperparameters:
            hyperparameter.refresh()
        arrays = self.step(*[t._storage.array for t in tensors])  # type: ignore[union-attr]
        for root in self.roots:
            root.writes += 1
        for place in captured.written_arguments:
            tensors[place]._storage.root.writes += 1  # type: ignore[union-attr]
        if captured.kept:
            kept = zip(captured.kept, arrays[self.count :], self.types[self.count :], strict=True)
            for t, array, type_ in kept:
                t._storage = Storage(array, type=type_)
        for target, gradient in captured.gradients:
            tensor = tensors[target] if isinstance(target, int) else target
            if tensor._grad is not gradient:
                _set_grad(tensor, gradient)
        if self.single:
            index = captured.results.index
            return from_storage(Storage(arrays[index], type=self.types[index]))
        return _filled(captured.results, arrays)


def _set_grad(tensor: Tensor, gradient: Tensor | None) -> None:
    if (tensor._grad is None) != (gradient is None):
        bump_epoch()
    tensor._grad = gradient


def _filled(x: Any, arrays: list[Any]) -> Any:
    if isinstance(x, Slot):
        return from_storage(Storage(arrays[x.index]))
    if isinstance(x, dict):
        return {key: _filled(value, arrays) for key, value in x.items()}
    if isinstance(x, list | tuple):
        made = [_filled(value, arrays) for value in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return x


class Compiled:
    """A function that runs as a program: captured, compiled and kept per signature.

    A signature is the shapes, dtypes and gradient needs of the tensors among the arguments, the
    other arguments' values, whether gradients are recorded, and the training flags of the
    modules called.
    """

    def __init__(self, target: Callable[..., Any], backend: Backend, keep_grads: bool) -> None:
        self.target = target
        self.backend = backend
        self.keep_grads = keep_grads
        self.specializations: dict[Hashable, list[Specialization]] = {}
        self.compilations: list[str] = []
        """A line for each compilation: why it was needed and what it took."""
        self._last: Specialization | None = None
        self.__name__ = getattr(target, "__name__", type(target).__name__)
        self.__doc__ = target.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if session.trace.capturing:
            return self.target(*args, **kwargs)
        if session.trace.pending:
            close()
        tensors: list[Tensor] = []
        key: list[Any] = [recording.grad_enabled, Threads.count]
        for x in args:
            if isinstance(x, Tensor) and x._storage is not None:
                tensors.append(x)
                key.append(x._storage.type)
                key.append(x._requires_grad)
                key.append(x._storage.array.flags.c_contiguous)
            else:
                args, kwargs = _as_tensors(args), _as_tensors(kwargs)
                tensors, key = _flatten(args, kwargs)
                break
        else:
            if kwargs:
                kwargs = _as_tensors(kwargs)
                tensors, key = _flatten(args, kwargs)
        found = self._find(tuple(key))
        if found is None:
            found = self._specialize(tuple(key), args, kwargs)
        self._last = found
        if found.captured.differentiable:
            return self.target(*args, **kwargs)
        return found.run(tensors)

    def _find(self, key: Hashable) -> Specialization | None:
        for found in self.specializations.get(key, ()):
            if found.epoch == Epoch.count:
                return found
            if found.captured.holds():
                found.epoch = Epoch.count
                return found
        return None

    def _specialize(self, key: Hashable, args: Any, kwargs: Any) -> Specialization:
        begin = time.perf_counter()
        captured = capture(
            self.target, args, kwargs, _names(self.target), keep_grads=self.keep_grads
        )
        program = Program(captured.graph, self.backend)
        seconds = time.perf_counter() - begin
        found = Specialization(captured, program, self._reason(key), seconds)
        self.compilations.append(f"{found.reason}: {seconds:.3f} s")
        known = self.specializations.setdefault(key, [])
        known.append(found)
        if sum(map(len, self.specializations.values())) > LIMIT:
            oldest = next(iter(self.specializations))
            del self.specializations[oldest]
        self._last = found
        return found

    def _reason(self, key: Any) -> str:
        if not self.specializations:
            return "first call"
        if key in self.specializations:
            return "a training flag, a parameter or the presence of a gradient changed"
        shown = ", ".join(str(x) for x in key if hasattr(x, "shape"))
        return f"new arguments {shown}" if shown else "new arguments"

    def specialize(self, *args: Any, **kwargs: Any) -> Compiled:
        """Compile for arguments like these, without running."""
        if session.trace.pending:
            close()
        args, kwargs = _as_tensors(args), _as_tensors(kwargs)
        _, key = _flatten(args, kwargs)
        if self._find(tuple(key)) is None:
            self._specialize(tuple(key), args, kwargs)
        return self

    @property
    def last(self) -> Specialization:
        """The specialisation compiled or chosen last."""
        if self._last is None:
            raise GraphcRuntimeError(
                f"{self.__name__} has not been compiled yet: call it once, or give "
                "graphc.compile example inputs"
            )
        return self._last

    @property
    def graph(self) -> Graph:
        """The static graph after all passes; ``.nx`` is its networkx view."""
        return self.last.program.graph

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels in the order in which they run."""
        return self.last.program.sources.kernels

    def source(self, kernel: str | None = None) -> str:
        """The generated source: the whole program, or one kernel by its name."""
        if kernel is None:
            return self.last.program.sources.text
        for found in self.kernels:
            if found.name == kernel:
                return found.text
        raise KeyError(f"no kernel '{kernel}': there are {', '.join(k.name for k in self.kernels)}")

    def dump(self, folder: str | Path) -> Path:
        """Write each stage's text, each kernel and a drawing of the graph into ``folder``."""
        from graphc.dump import dump

        return dump(self.last.program, Path(folder))


def _as_tensors(x: Any) -> Any:
    """The arguments with numpy arrays as tensors and pending tensors computed."""
    if isinstance(x, np.ndarray):
        return from_storage(Storage(x))
    if isinstance(x, Tensor):
        x._value()
        return x
    if isinstance(x, dict):
        return {key: _as_tensors(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        made = [_as_tensors(value) for value in x]
        return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)
    return x


def _flatten(args: Any, kwargs: Any) -> tuple[list[Tensor], list[Any]]:
    """The tensors among the arguments, and what tells one signature from another."""
    key: list[Any] = [recording.grad_enabled, Threads.count]

    def visit(x: Any) -> None:
        if isinstance(x, Tensor):
            assert x._storage is not None
            key.append(x._storage.type)
            key.append(x.requires_grad)
            key.append(x._storage.array.flags.c_contiguous)
        elif isinstance(x, dict):
            for name, value in x.items():
                key.append(name)
                visit(value)
        elif isinstance(x, list | tuple):
            key.append((type(x), len(x)))
            for value in x:
                visit(value)
        else:
            try:
                hash(x)
            except TypeError:
                raise GraphcTypeError(
                    f"a compiled function takes tensors, numpy arrays and plain values, not {x!r}"
                ) from None
            key.append((type(x), x))

    for x in args:
        visit(x)
    if kwargs:
        visit(kwargs)
    return tensors_in((args, kwargs)), key


def _names(target: Any) -> dict[int, str]:
    """The names of parameters and buffers of the modules that ``target`` can reach."""
    names: dict[int, str] = {}
    for prefix, module in _modules(target):
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            names.setdefault(id(tensor), f"{prefix}{name}")
    return names


def _modules(target: Any) -> list[tuple[str, Any]]:
    if hasattr(target, "named_parameters"):
        return [("", target)]
    found: dict[str, Any] = {}
    code = getattr(target, "__code__", None)
    if code is not None:
        scope = getattr(target, "__globals__", {})
        found.update({name: scope[name] for name in code.co_names if name in scope})
        cells = getattr(target, "__closure__", None) or ()
        for name, cell in zip(code.co_freevars, cells, strict=True):
            try:
                found[name] = cell.cell_contents
            except ValueError:  # not filled yet
                continue
    owner = getattr(target, "__self__", None)
    if owner is not None:
        found.update(vars(owner) if hasattr(owner, "__dict__") else {})
    models = {k: v for k, v in found.items() if hasattr(v, "named_parameters")}
    return [(f"{name}." if len(models) > 1 else "", model) for name, model in models.items()]


def compile(
    target: Callable[..., Any] | None = None,
    *example_inputs: Any,
    backend: str = "auto",
    keep_grads: bool = False,
) -> Any:
    """A model or function that runs as one compiled program.

    ``compile(model)`` compiles at the first call, ``compile(model, x)`` at once for inputs like
    ``x``; ``@compile`` and ``@compile(backend="numpy")`` decorate. ``keep_grads`` stores in
    ``grad`` even the gradients that the step itself uses up.
    """
    if target is None:
        return lambda function: compile(function, backend=backend, keep_grads=keep_grads)
    if not callable(target):
        raise GraphcTypeError(
            f"compile() takes a module or a function, not {type(target).__name__}"
        )
    compiled = Compiled(target, load_backend(backend), keep_grads)
    return compiled.specialize(*example_inputs) if example_inputs else compiled
