"""Where in the user's program something is recorded: what graphs, sources and errors name."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from graphc.errors import GraphcError
from graphc.ir.node import Node, Origin
from graphc.ir.types import TensorType
from graphc.recording import session

PACKAGE = str(Path(__file__).parent) + os.sep
SHOWN = 8
"""Items of a list that a message shows."""
LONG = 60
"""Letters from which a message names only the type of a value."""
F = TypeVar("F", bound=Callable[..., Any])


def located(error: GraphcError, origin: Origin, operands: Iterable[Any]) -> GraphcError:
    """The error with where it happened: the module, the operation on which types, the line.

    PyTorch's own words stay as they are, so that who looks for them finds them.
    """
    if error.located:
        return error
    operands = [x for x in operands if x is not None]
    message = str(error)
    if origin.module:
        origins = [x for x in _origins(operands) if _elsewhere(x, origin)]
        sources = dict.fromkeys(map(_module_named, origins))
        source = f" from {', '.join(sources)}" if sources else ""
        said = f"{error.hint}{source}: {message}" if error.hint else f"{message}{source}"
        message = f"{_module_named(origin)}: {said}"
    elif error.hint:
        message = f"{message}: {error.hint}"
    shown = ", ".join(map(_shown, operands))
    call = f"{origin.function}({shown})" if shown else origin.function
    found = type(error)(f"{message}\n  in {call}, {origin.file}:{origin.line}")
    found.located = True
    return found


def located_in_module(error: GraphcError, operands: Iterable[Any]) -> GraphcError:
    """The error of a call of a module, with the module's path and the line it came through."""
    origin = here("", error)
    return located(error, replace(origin, function=_module_named(origin), module=""), operands)


def locating(name: str) -> Callable[[F], F]:
    """A function whose errors say where it was called, as the operation ``name``."""

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except GraphcError as error:
                given = (x for x in (*args, *kwargs.values()) if not isinstance(x, bool))
                raise located(error, here(name), given) from None

        return call  # type: ignore[return-value]

    return decorate


def _module_named(origin: Origin) -> str:
    """A module as the user finds it, such as ``model.2 (Linear(6, 1))``."""
    module: Any = session.modules[0] if session.modules else None
    for name in origin.path.split(".") if origin.path else []:
        module = getattr(module, "_modules", {}).get(name)
    if module is None or module._one_line() != origin.module:
        return origin.module  # it was recorded under another root
    return f"{root_name()}{'.' if origin.path else ''}{origin.path} ({origin.module})"


def _origins(operands: Iterable[Any]) -> Iterator[Origin]:
    """The origins of the operands that were computed."""
    for x in operands:
        if isinstance(x, Node):
            yield x.origin
        elif isinstance(x, tuple | list):
            yield from _origins(x)


def _elsewhere(source: Origin, origin: Origin) -> bool:
    return bool(source.module) and source.path != origin.path


def _shown(operand: Any) -> str:
    """An operand as messages show it: a tensor by its type."""
    type_ = getattr(operand, "_type" if hasattr(operand, "_storage") else "type", None)
    if isinstance(type_, TensorType):
        return str(type_)
    if isinstance(operand, tuple | list):
        inner = ", ".join(map(_shown, operand[:SHOWN]))
        return f"[{inner}{', ...' if len(operand) > SHOWN else ''}]"
    text = repr(operand)
    return text if len(text) < LONG and "\n" not in text else type(operand).__name__


def here(name: str, error: Exception | None = None) -> Origin:
    """The origin of what is recorded now: the module being called and the user's own line.

    The line of an ``error`` is the innermost one that it came through.
    """
    place = _last_place(error) if error is not None else None
    if place is None:
        frame = user_frame()
        place = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)
    file, line = place
    modules = session.modules
    path = module_path(modules)
    return Origin(path, modules[-1]._one_line() if modules else "", name, Path(file).name, line)


def _last_place(error: Exception) -> tuple[str, int] | None:
    """The last line outside graphc that an error came through."""
    found, step = None, error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if not file.startswith(PACKAGE):
            found = file, step.tb_lineno
        step = step.tb_next
    return found


def user_frame() -> FrameType | None:
    """The innermost frame outside graphc."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return frame


def module_path(modules: list[Any]) -> str:
    """The dotted names that lead from the outermost module being called to the innermost."""
    names = [outer._name_of(inner) for outer, inner in itertools.pairwise(modules)]
    return ".".join(name for name in names if name)


def root_name() -> str:
    """What the user calls the outermost module being called: a variable's name, or its class's."""
    modules = session.modules
    if not modules:
        return ""
    root = modules[0]
    frame = user_frame()
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
            continue
        own = code.co_varnames[: min(1, code.co_argcount)]  # what a method calls the module itself
        for name, value in frame.f_locals.items():
            if value is root and name not in own:
                return name
        frame = frame.f_back
    return type(root).__name__
