"""``graphc.compile``: a model, a function or a whole training step as one program."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from types import MethodType
from typing import Any, overload

from graphc.backend import Backend, Kernel, Sources
from graphc.capture import capture
from graphc.changes import CHANGES
from graphc.compiler import load_backend
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.ir.graph import Graph
from graphc.nn.modules.hooks import HOOK_TABLES, call_with_hooks
from graphc.nn.modules.module import Module
from graphc.places import of_function
from graphc.profile import Profile, profile
from graphc.recording import ARENA_LIMIT, session
from graphc.running import close
from graphc.shortcut import MISSED
from graphc.signature import AMBIENT, ambient, signature, with_tensors
from graphc.specialization import Specialization, missed
from graphc.tensor import Tensor

LIMIT = 64
"""Specialisations kept of one compiled function; the one not used for longest makes room."""
Seen = tuple[int, int]
"""The numbers of the last changes, of anything and of a gradient."""
PROGRAM = frozenset(
    {
        *("compilations", "cubin", "dump", "graph", "kernels", "last", "profile"),
        *("source", "specializations", "specialize"),
    }
)
"""What a compiled module tells of its programs."""
_capturing = threading.RLock()
"""A capture changes the handles of the tensors that it meets, so there is one at a time."""


class Compiled:
    """A function that runs as a program: captured, compiled and kept per signature.

    A signature is the shapes, dtypes and gradient needs of the tensors among the arguments, the
    other arguments' values, and whether gradients are recorded. What the function finds outside,
    such as training flags, parameters and settings, is looked at again at each call.
    """

    _is_fast = False
    """Whether ``__call__`` has been replaced by a method of a library that does the same."""

    def __init__(self, target: Callable[..., Any], backend: Backend, keep_grads: bool) -> None:
        self.target = target
        self.backend = backend
        self.keep_grads = keep_grads
        self.specializations: OrderedDict[Specialization, Hashable] = OrderedDict()
        """What is kept, with its signature; what was used last stands last."""
        self.compilations: list[str] = []
        """A line for each compilation: why it was needed and what it took."""
        self._known: dict[Hashable, list[Specialization]] = {}
        self._last: Specialization | None = None
        self._shortly: Callable[..., Any] = missed
        """The short way into what was called last."""
        self.__name__ = getattr(target, "__name__", type(target).__name__)
        self.__qualname__ = getattr(target, "__qualname__", self.__name__)
        self.__module__ = getattr(target, "__module__", __name__)
        self.__doc__ = target.__doc__
        self.__wrapped__ = target

    def __repr__(self) -> str:
        return f"<compiled {self.__qualname__}>"

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        """The method that a decorated function of a class is."""
        return self if owner is None else MethodType(self, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = MISSED if kwargs else self._shortly(*args)
        return self._look(*args, **kwargs) if result is MISSED else result

    def _look(self, *args: Any, **kwargs: Any) -> Any:
        """A call before which all that matters is looked at."""
        seen = CHANGES[0], CHANGES[1]
        if session.trace.capturing:
            return self.target(*args, **kwargs)
        if kwargs or (len(args) > 1 and len(set(map(id, args))) < len(args)):
            return self._call_nested(seen, args, kwargs)
        key = [*ambient(), (tuple, len(args))]
        for x in args:
            if not isinstance(x, Tensor) or x._pending or x._storage is None:
                return self._call_nested(seen, args, kwargs)
            found = x._storage
            key += (found.type, x.requires_grad, found.array.flags.c_contiguous, found.device)
        return self._call(seen, list(args), (*key, (dict, 0)), args, kwargs)

    def _call_nested(self, seen: Seen, args: Any, kwargs: Any) -> Any:
        args, kwargs = _normal(args, kwargs)
        return self._call(seen, *signature(args, kwargs), args, kwargs)

    def _call(
        self, seen: Seen, tensors: list[Tensor], key: Hashable, args: Any, kwargs: Any
    ) -> Any:
        found = self._find(key, tensors)
        if found is None:
            found = self._specialize(args, kwargs)
        if self._last is not found:
            self._use(found)
        if found.captured.differentiable:
            recorded = found.captured.repeatable
            return found.record(tensors) if recorded else self.target(*args, **kwargs)
        if session.trace.pending:
            changing = bool(found.captured.carried) or any(t._pending for t in tensors)
            close()
            if changing:  # what was computed now may lie in memory in another way
                return self._call(seen, *signature(args, kwargs), args, kwargs)
        result = found.call(tensors, None if kwargs else args, seen)
        self._shortly = found.shortly
        method = None if found.shortcut is None else found.shortcut.method
        if method is not None and not Compiled._is_fast:
            Compiled._is_fast = True
            Compiled.__call__ = method(Compiled, "_shortly", "_look")  # type: ignore[method-assign]
        return result

    def _find(self, key: Hashable, tensors: list[Tensor]) -> Specialization | None:
        for found in self._known.get(key, ()):
            assumed = found.captured.assumed
            if assumed.silent and not assumed.near(tensors):
                continue
            epoch = CHANGES[0]
            if found.epoch == epoch:
                return found
            if assumed.hold():
                found.epoch = epoch
                return found
        return None

    def _use(self, found: Specialization) -> None:
        with _capturing:
            self._last = found
            if found in self.specializations:
                self.specializations.move_to_end(found)

    def _specialize(self, args: Any, kwargs: Any) -> Specialization:
        with _capturing:
            if session.trace.pending:
                close()
            tensors, key = signature(args, kwargs)
            found = self._find(key, tensors)  # another thread may have been faster
            return found or self._compile(key, self._reason(key, tensors), args, kwargs)

    def _compile(self, key: Hashable, reason: str, args: Any, kwargs: Any) -> Specialization:
        begin = time.perf_counter()
        modules = modules_of(self.target, args)
        captured = capture(
            self.target,
            args,
            kwargs,
            names_in(modules),
            places=of_function(self.target, [x for x in args if not isinstance(x, Tensor)]),
            modules=modules.values(),
            keep_grads=self.keep_grads,
        )
        found = Specialization(captured, self.backend, reason)
        if not captured.differentiable:
            _ = found.step
        self._keep(found, key)
        self.compilations.append(f"{reason}: {time.perf_counter() - begin:.3f} s")
        return found

    def _keep(self, found: Specialization, key: Hashable) -> None:
        """Add a specialisation; those that can never be used again, or not were lately, go."""
        held = sum(x.arena_bytes for x in self.specializations) + found.arena_bytes
        for old in list(self.specializations):
            full = len(self.specializations) >= LIMIT or held > ARENA_LIMIT
            if full or old.captured.assumed.are_past():
                held -= old.arena_bytes
                place = self.specializations.pop(old)
                self._known[place] = [x for x in self._known[place] if x is not old]
        self.specializations[found] = key
        self._known.setdefault(key, []).append(found)

    def _reason(self, key: Any, tensors: list[Tensor]) -> str:
        if not self.compilations:
            return "first call"
        known = self._known.get(key)
        if known:
            return known[-1].captured.assumed.broken(tensors) or "something outside has changed"
        count = len(AMBIENT)
        for other in self._known:
            if other[count:] == key[count:]:  # type: ignore[index]
                pairs = zip(AMBIENT, other, key, strict=False)  # type: ignore[call-overload]
                return f"another {' and '.join(what for what, a, b in pairs if a != b)}"
        shown = ", ".join(str(x) for x in key if hasattr(x, "shape"))
        return f"new arguments {shown}" if shown else "new arguments"

    def specialize(self, *args: Any, **kwargs: Any) -> Compiled:
        """Compile for arguments like these, without running."""
        args, kwargs = _normal(args, kwargs)
        self._use(self._specialize(args, kwargs))
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

    def cubin(self) -> bytes:
        """The compiled program, as it is loaded on a CUDA device. It is compiled without one.

        Raises:
            GraphcRuntimeError: the program is for another kind of device, or there is no compiler.
        """
        image: Callable[[Sources], bytes] | None = getattr(self.backend, "image", None)
        if image is None:
            raise GraphcRuntimeError(f"programs of the backend '{self.backend.name}' are no cubins")
        return image(self.last.program.sources)

    def profile(self, *args: Any, repeats: int = 20, **kwargs: Any) -> Profile:
        """How long each kernel takes for arguments like these: the median of ``repeats`` runs.

        The runs are over copies of everything, so nothing changes. On the CPU kernels that run at
        once are timed together; on a CUDA device each launch is, by the device's clock.

        Raises:
            GraphcRuntimeError: the backend cannot time kernels, or several devices are used.
        """
        if repeats < 1:
            raise GraphcValueError(f"profile(repeats={repeats}): there must be at least one")
        args, kwargs = _normal(args, kwargs)
        self._use(self._specialize(args, kwargs))
        return profile(self.last, signature(args, kwargs)[0], repeats)

    def dump(self, folder: str | Path) -> Path:
        """Write each stage's text, each kernel and a drawing of the graph into ``folder``."""
        from graphc.dump import dump

        return dump(self.last.program, Path(folder))


def _normal(args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The arguments with numpy's arrays as tensors, those given by name in one order."""
    return with_tensors(args), with_tensors(dict(sorted(kwargs.items())))


def modules_of(target: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, Any]:
    """The modules that the function names, is bound to or is given, by what it calls them."""
    if isinstance(target, Module):
        return {"": target}
    found: dict[str, Any] = {}
    for place in of_function(target, [x for x in args if not isinstance(x, Tensor)]):
        value = place.get()
        if isinstance(value, OptimizedModule):
            value = value._orig_mod
        if isinstance(value, Module):
            found.setdefault(place.name, value)
    owner = getattr(target, "__self__", None)
    found.update({type(x).__name__: x for x in (owner, *args) if isinstance(x, Module)})
    return found


def names_in(modules: dict[str, Any]) -> dict[int, str]:
    """The names of the parameters and buffers by their identity; with the module's if several."""
    names: dict[int, str] = {}
    for label, module in modules.items():
        prefix = f"{label}." if len(modules) > 1 else ""
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            names.setdefault(id(tensor), f"{prefix}{name}")
    return names


class OptimizedModule(Module):
    """A module whose calls run as a program; in all else it is the module itself."""

    _orig_mod: Module

    def __init__(self, module: Module, compiled: Compiled) -> None:
        super().__init__()
        self._modules["_orig_mod"] = module
        object.__setattr__(self, "_compiled", compiled)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The program's result."""
        return self._compiled(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(map(vars(self).get, HOOK_TABLES)):
            return call_with_hooks(self, args, kwargs)
        return self._compiled(*args, **kwargs)

    @property
    def training(self) -> bool:
        return self._orig_mod.training

    @training.setter
    def training(self, value: bool) -> None:
        self._orig_mod.training = value

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return vars(self)["_modules"]["_orig_mod"]
        if name in PROGRAM:
            return getattr(self._compiled, name)
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __len__(self) -> int:
        return len(self._orig_mod)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod), *PROGRAM})


@overload
def compile(
    model: None = None,
    *,
    backend: str = "auto",
    arch: str | None = None,
    keep_grads: bool = False,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
    tune: bool = False,
) -> Callable[[Callable[..., Any]], Any]: ...


@overload
def compile(
    model: Callable[..., Any],
    *example_inputs: Any,
    backend: str = "auto",
    arch: str | None = None,
    keep_grads: bool = False,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
    tune: bool = False,
) -> Any: ...


def compile(
    model: Callable[..., Any] | None = None,
    *example_inputs: Any,
    backend: str = "auto",
    arch: str | None = None,
    keep_grads: bool = False,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
    tune: bool = False,
) -> Any:
    """A model or function that runs as one compiled program.

    ``compile(model)`` compiles at the first call, ``compile(model, x)`` at once for inputs like
    ``x``; ``@compile`` and ``@compile(backend="numpy")`` decorate. ``arch`` is the processor to
    compile for, such as ``sm_90`` of ``cuda`` or ``avx2`` of ``native``: ``source()``, ``dump()``
    and ``cubin()`` need none that is here. ``keep_grads`` stores in ``grad`` even the gradients
    that the step itself uses up. ``fullgraph``, ``dynamic``, ``mode`` and ``options``, which tell
    PyTorch how to compile, mean nothing here; with ``disable`` the function stays as it is.
    ``tune`` measures how kernels are best cut, for up to a minute, and keeps what it found for this
    machine or device.
    """
    if model is None:
        return lambda function: compile(
            function, backend=backend, arch=arch, keep_grads=keep_grads, disable=disable, tune=tune
        )
    if not callable(model):
        raise GraphcTypeError(f"compile() takes a module or a function, not {type(model).__name__}")
    if disable:
        return model
    if isinstance(model, OptimizedModule):
        model = model._orig_mod
    chosen = load_backend(backend if arch is None else f"{backend}:{arch}")
    if tune:
        if not hasattr(chosen, "tuned"):
            raise GraphcValueError(f"compile(tune=True): backend '{chosen.name}' has no choices")
        chosen = chosen.tuned()
    compiled = Compiled(model, chosen, keep_grads)
    if example_inputs:
        compiled.specialize(*example_inputs)
    return OptimizedModule(model, compiled) if isinstance(model, Module) else compiled
