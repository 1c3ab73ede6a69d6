"""PyTorch's scripting: programs are captured as they are, so what it decorates stays itself."""

from __future__ import annotations

import builtins
import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin

from graphc.compiled import compile
from graphc.errors import GraphcError as Error
from graphc.errors import GraphcNotImplementedError, GraphcRuntimeError
from graphc.nn.modules.module import Module

__all__ = [
    "Attribute",
    "Error",
    "Final",
    "Future",
    "ScriptFunction",
    "ScriptModule",
    "TracerWarning",
    "annotate",
    "enable_onednn_fusion",
    "export",
    "fork",
    "freeze",
    "fuser",
    "ignore",
    "interface",
    "is_scripting",
    "is_tracing",
    "isinstance",
    "load",
    "onednn_fusion_enabled",
    "optimize_for_inference",
    "optimized_execution",
    "run_frozen_optimizations",
    "save",
    "script",
    "script_if_tracing",
    "script_method",
    "set_fusion_strategy",
    "strict_fusion",
    "trace",
    "trace_module",
    "unused",
    "wait",
]

T = TypeVar("T")


class ScriptModule(Module):
    """A module, as programs derive from it that decorate its methods."""


class ScriptFunction:
    """What PyTorch makes of scripted functions; here they stay functions, so there are none."""


class TracerWarning(Warning):
    """What PyTorch warns of while it traces; nobody does here, but programs filter it."""


# -- what stays as it is ------------------------------------------------------------------------


def script(
    obj: T, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None
) -> T:
    """The function, module or class itself."""
    return obj


def script_method(fn: T) -> T:
    """The method itself."""
    return fn


def script_if_tracing(fn: T) -> T:
    """The function itself."""
    return fn


def unused(fn: T) -> T:
    """The function itself, which runs."""
    return fn


def export(fn: T) -> T:
    """The method itself."""
    return fn


def interface(obj: T) -> T:
    """The class itself."""
    return obj


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function itself, as a decorator with arguments or without."""
    return drop if callable(drop) else lambda fn: fn


def annotate(the_type: Any, the_value: T) -> T:
    """The value."""
    return the_value


def Attribute(value: T, type: Any) -> T:
    """The value, as an attribute of a module holds it."""
    return value


def is_scripting() -> bool:
    """False: nothing is scripted."""
    return False


def is_tracing() -> bool:
    """False: what is captured runs as it does without."""
    return False


def optimize_for_inference(mod: Module, other_methods: list[str] | None = None) -> Module:
    """The module itself; programs are optimized when they are compiled."""
    return mod


def run_frozen_optimizations(
    mod: Module, optimize_numerics: bool = True, preserved_methods: list[str] | None = None
) -> None:
    """Nothing; programs are optimized when they are compiled."""


def freeze(
    mod: Module,
    preserved_attrs: list[str] | None = None,
    optimize_numerics: bool = True,
    preserve_parameters: bool = False,
) -> Module:
    """The module itself, whose programs compute once what follows from its parameters alone.

    Raises:
        GraphcRuntimeError: the module is in training.
    """
    if mod.training:
        raise GraphcRuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() "
            "on your module before freezing."
        )
    return mod


# -- tracing ------------------------------------------------------------------------------------


def trace(
    func: Callable[..., Any],
    example_inputs: Any = None,
    optimize: Any = None,
    check_trace: bool = True,
    check_inputs: Any = None,
    check_tolerance: float = 1e-5,
    strict: bool = True,
    *,
    example_kwarg_inputs: Mapping[str, Any] | None = None,
) -> Any:
    """The function as ``graphc.compile`` makes it, compiled for inputs like these.

    Of a module it is one that shares the parameters, whose ``forward`` is compiled.
    """
    if (example_inputs is None) == (example_kwarg_inputs is None):
        raise GraphcRuntimeError("example_inputs or example_kwarg_inputs should be given")
    given = _several(example_inputs)
    compiled = partial(_compiled, inputs=given, named=example_kwarg_inputs)
    return _with(func, forward=compiled) if builtins.isinstance(func, Module) else compiled(func)


def trace_module(mod: Module, inputs: Mapping[str, Any], *args: Any, **kwargs: Any) -> Module:
    """A module that shares the parameters, with the named methods compiled for their inputs."""
    given = {name: _several(x) for name, x in inputs.items()}
    return _with(mod, **{name: partial(_compiled, inputs=x) for name, x in given.items()})


def _compiled(
    call: Callable[..., Any], inputs: tuple[Any, ...], named: Mapping[str, Any] | None = None
) -> Any:
    return compile(call).specialize(*inputs, **(named or {}))


def _with(mod: Module, **changes: Callable[[Any], Any]) -> Module:
    """A module that shares all that this one holds, but has methods of its own."""
    traced = copy.copy(mod)
    for name, change in changes.items():
        object.__setattr__(traced, name, change(getattr(traced, name)))
    return traced


def _several(inputs: Any) -> tuple[Any, ...]:
    if inputs is None:
        return ()
    return tuple(inputs) if builtins.isinstance(inputs, tuple | list) else (inputs,)


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """There are no files of programs."""
    raise GraphcNotImplementedError(
        "jit.save: programs are not written to files; save the state, "
        "graphc.save(module.state_dict(), f)"
    )


def load(
    f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: bool = False
) -> Any:
    """There are no files of programs."""
    raise GraphcNotImplementedError(
        "jit.load: programs are not read from files; make the module and load its state, "
        "module.load_state_dict(graphc.load(f))"
    )


# -- tasks --------------------------------------------------------------------------------------


class Future:
    """The result of ``fork``, which is there at once."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def wait(self) -> Any:
        """The result."""
        return self._value

    value = wait

    def done(self) -> bool:
        """True."""
        return True


def fork(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
    """The result of the call, which is recorded at once; what may run at once does so anyway."""
    return Future(func(*args, **kwargs))


def wait(future: Future) -> Any:
    """The result of ``fork``."""
    return future.wait()


# -- settings, which mean nothing here ----------------------------------------------------------


@contextmanager
def _nothing(*args: Any, **kwargs: Any) -> Iterator[None]:
    """Nothing, within ``with``."""
    yield


fuser = optimized_execution = strict_fusion = _nothing


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """PyTorch's strategy before, which means nothing here."""
    return [("STATIC", 2), ("DYNAMIC", 10)]


def enable_onednn_fusion(enabled: bool) -> None:
    """Nothing."""


def onednn_fusion_enabled() -> bool:
    """False: oneDNN takes no part."""
    return False


# -- kinds --------------------------------------------------------------------------------------


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether this is of a kind, such as ``list[int]``, which the parts of a container are of too.

    Raises:
        GraphcRuntimeError: the kind of a container does not say what it holds.
    """
    kinds = target_type if builtins.isinstance(target_type, tuple) else (target_type,)
    return any(_is_of(obj, kind) for kind in kinds)


def _is_of(x: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is None:
        return x is None
    if origin in (Union, UnionType):
        return any(_is_of(x, part) for part in inner)
    holder = origin or kind
    if holder in (list, dict, tuple) and not inner:
        raise GraphcRuntimeError(
            f"Attempted to use {holder.__name__} without a contained type. Please add a contained "
            "type"
        )
    if not builtins.isinstance(x, holder):
        return False
    if holder is list:
        return all(_is_of(item, inner[0]) for item in x)
    if holder is dict:
        return all(_is_of(k, inner[0]) and _is_of(v, inner[1]) for k, v in x.items())
    if holder is tuple:
        return len(x) == len(inner) and all(map(_is_of, x, inner))
    return True
