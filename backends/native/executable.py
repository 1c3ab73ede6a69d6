"""A compiled program, and its step over the arrays of its state."""

from __future__ import annotations

import _ctypes
import builtins
import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary, finalize

import numpy as np

from graphc.backend import Sources, Step
from graphc.backends.native import runtime
from graphc.backends.native.build import Build
from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import FLAGS
from graphc.backends.native.locks import Exclusion
from graphc.backends.native.shortcut import shortcut
from graphc.backends.native.targets import TARGETS, is_runnable
from graphc.errors import GraphcRuntimeError
from graphc.ir.types import TensorType
from graphc.shortcut import Call, Shortcut

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Interface:
    """What a program takes, changes and gives, and how it is called."""

    inputs: tuple[TensorType, ...]
    state: tuple[TensorType, ...]
    written: tuple[int, ...]
    """Numbers of the state arrays that the step writes to."""
    outputs: tuple[TensorType, ...]
    errors: tuple[tuple[str, str, str], ...]
    """Of each check the exception's name, its message with {} for the value, and its kernel."""
    light: bool
    """Whether a step is so short that nothing else need run meanwhile."""
    threads: int
    target: str
    written_inputs: tuple[int, ...] = ()
    """Numbers of the input arrays that the step writes to."""
    settled: tuple[int, ...] = ()
    """Numbers of the state arrays from which something is prepared before the steps."""


class Loaded:
    """A loaded library, closed when nobody holds it any more.

    A library loaded twice is one library with one memory, so there is one object of each.
    """

    def __init__(self, path: str) -> None:
        shared = runtime.runtime()
        reason = ctypes.c_char_p()
        handle = shared.library.graphc_load(path.encode(), ctypes.byref(reason))
        if handle is None:
            said = (reason.value or b"").decode(errors="replace")
            raise GraphcRuntimeError(f"the compiled program cannot be loaded: {said}")
        self.program: Any = None
        self.lock = Exclusion()
        self.prepared: object = None
        """What the program's prepared values follow from: whose state, and as of which changes."""
        self.preparing = Exclusion()
        self.handle = handle
        if shared.is_fast:
            self.program = shared.library.graphc_program(handle)
            return
        finalize(self, _ctypes.dlclose, handle)
        self.run = ctypes.CDLL(None, handle=handle).graphc_step
        self.run.argtypes = [ctypes.c_void_p] * 3
        self.run.restype = ctypes.c_int64


LOADED: WeakValueDictionary[str, Loaded] = WeakValueDictionary()
"""By what it was compiled from."""
LOADING = Exclusion()


class NativeExecutable:
    """A program, compiled and loaded."""

    def __init__(self, sources: Sources) -> None:
        interface = sources.facts["native"]
        assert isinstance(interface, Interface)
        self.interface = interface
        target = TARGETS[interface.target]
        if not is_runnable(target):
            raise GraphcRuntimeError(
                f"this machine cannot run programs for '{target.name}'; their text can be had"
            )
        parts = sources.facts.get("parts", (sources.text,))
        assert isinstance(parts, tuple)
        build = Build(parts, (*FLAGS, *target.flags), compiler())
        with LOADING:
            found = LOADED.get(build.key)
        if found is None:
            build.begin()
            runtime.begin()
            path = str(build.path())
            with LOADING:
                found = LOADED[build.key] = LOADED.get(build.key) or Loaded(path)
        self.loaded = found

    @property
    def settled(self) -> tuple[int, ...]:
        """Numbers of the state arrays whose changes the program must be told of, by ``changes``."""
        return self.interface.settled

    def bind(self, state: Sequence[Any], changes: Callable[[], object] = lambda: None) -> Step:
        """The step over these arrays.

        ``changes()`` is equal to what it was before if the arrays of which the numbers are in
        ``settled`` have not been written to since, and None where nobody knows.
        """
        laid = [x if _is_ready(x) else _whole(x) for x in state]
        make = _function if runtime.runtime().is_fast else _Fallback
        step: Step = make(self.loaded, self.interface, laid)
        if self.interface.settled:
            step = _Prepared(self.loaded, self.interface, laid, step, changes)
        apart = [
            (kept, copy, number in self.interface.written)
            for number, (kept, copy) in enumerate(zip(state, laid, strict=True))
            if kept is not copy
        ]
        return partial(_over_copies, step, apart, Exclusion()) if apart else step

    def shortcut(self, step: Step, call: Call) -> Shortcut | None:
        """The short way into a step that ``bind`` gave, if there can be one."""
        return shortcut(step, partial(_fail, self.interface), call)


class _Prepared:
    """A step before which what is prepared is computed anew if the state has changed."""

    def __init__(
        self,
        loaded: Loaded,
        interface: Interface,
        state: Sequence[Array],
        step: Step,
        changes: Callable[[], object],
    ) -> None:
        self.loaded, self.step, self.changes = loaded, step, changes
        self.threads, self.kept = interface.threads, state
        self.state, self.mark = _addresses(state), object()
        self.prepare = ctypes.CDLL(None, handle=loaded.handle).graphc_prepare
        self.prepare.argtypes = [ctypes.c_void_p]
        self.prepare.restype = None

    def __call__(self, *inputs: Array) -> list[Array]:
        # The memory is the library's, so that of another step over other state may be there.
        with self.loaded.preparing:
            now = self.changes()
            if now is None or self.loaded.prepared != (self.mark, now):
                runtime.runtime().library.graphc_threads(self.threads)
                self.prepare(self.state)
                self.loaded.prepared = (self.mark, now)
            return self.step(*inputs)


def _over_copies(
    step: Step, apart: Sequence[tuple[Array, Array, bool]], lock: Exclusion, *inputs: Array
) -> list[Any]:
    """A step over state of which some lies in memory as no program expects it."""
    with lock:
        for kept, copy, _ in apart:
            copy[...] = kept
        results = step(*inputs)
        for kept, copy, written in apart:
            if written:
                kept[...] = copy
        return results


def _is_ready(array: Any) -> bool:
    """Whether an array lies in memory as programs expect it."""
    flags = array.flags
    return bool(flags.c_contiguous and flags.aligned)


def _whole(array: Any) -> Array:
    """A copy that lies in memory as programs expect it."""
    return np.require(np.asarray(array), requirements=["C", "A"])


def _failure(interface: Interface, check: int, value: int) -> Exception:
    """The exception of a check, numbered from one; it knows its kernel."""
    if check < 0:
        return TypeError(f"the program takes {len(interface.inputs)} arrays, not {value}")
    name, message, kernel = interface.errors[check - 1]
    error: Exception = getattr(builtins, name)(message.replace("{}", str(value)))
    error.kernel = kernel  # type: ignore[attr-defined]
    return error


def _fail(interface: Interface, check: int, value: int) -> None:
    raise _failure(interface, check, value)


def _makers(interface: Interface) -> list[Callable[[], Array]]:
    return [partial(np.empty, x.shape, x.dtype.numpy) for x in interface.outputs]


def _addresses(arrays: Sequence[Array]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))


def _function(loaded: Loaded, interface: Interface, state: Sequence[Array]) -> Step:
    """The step as a function object of Python."""
    makers = _makers(interface)
    count = len(interface.inputs)
    written = bytes(i in interface.written_inputs for i in range(count))
    step: Step = runtime.runtime().library.graphc_bind(
        (loaded, tuple(state)),
        loaded.program,
        _addresses(state),
        len(state),
        written,
        count,
        (ctypes.py_object * len(makers))(*makers),  # type: ignore[misc]
        len(makers),
        _whole,
        np.copyto,
        partial(_fail, interface),
        interface.light,
        interface.threads,
    )
    return step


class _Fallback:
    """The step where the library does not know how objects lie in memory."""

    def __init__(self, loaded: Loaded, interface: Interface, state: Sequence[Array]) -> None:
        self.loaded, self.interface, self.kept = loaded, interface, state
        self.state = _addresses(state)
        self.makers = _makers(interface)

    def __call__(self, *inputs: Array) -> list[Array]:
        if len(inputs) != len(self.interface.inputs):
            raise _failure(self.interface, -1, len(inputs))
        laid = [x if _is_ready(x) else _whole(x) for x in inputs]
        results = [make() for make in self.makers]
        value = ctypes.c_int64()
        with self.loaded.lock:
            runtime.runtime().library.graphc_threads(self.interface.threads)
            given = _addresses([*laid, *results])
            check = self.loaded.run(self.state, given, ctypes.byref(value))
        for number in self.interface.written_inputs:
            if laid[number] is not inputs[number]:
                np.copyto(inputs[number], laid[number])
        if check:
            raise _failure(self.interface, check, value.value)
        return results
