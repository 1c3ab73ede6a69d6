"""Where in the user's program something is recorded: what graphs, sources and errors name."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from graphc.errors import GraphcError
from graphc.ir.node import Node, Origin
from graphc.recording import session

PACKAGE = str(Path(__file__).parent)


def located(error: GraphcError, origin: Origin, operands: list[Any]) -> GraphcError:
    """The error with the module it happened in, and the modules its operands came from."""
    if not origin.module:
        return error
    where = f"{root_name()}{'.' if origin.path else ''}{origin.path} ({origin.module})"
    sources = {
        f"{root_name()}{'.' if x.origin.path else ''}{x.origin.path} ({x.origin.module})": None
        for x in operands
        if isinstance(x, Node) and x.origin.module and x.origin.path != origin.path
    }
    source = f" from {', '.join(sources)}" if sources else ""
    return type(error)(f"{where}: {error}{source}")


def here(name: str) -> Origin:
    """The origin of what is recorded now: the module being called and the user's own line."""
    frame = user_frame()
    file, line = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)
    modules = session.modules
    path = module_path(modules)
    return Origin(path, modules[-1]._one_line() if modules else "", name, Path(file).name, line)


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
        for name, value in frame.f_locals.items():
            if value is root and name != "self":
                return name
        frame = frame.f_back
    return type(root).__name__
