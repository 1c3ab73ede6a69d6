"""Places outside a captured function: where it finds tensors and settings, and leaves others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from types import CellType, CodeType
from typing import Any

from graphc.tensor import Tensor

PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None)})
"""Types of settings: what is recorded may depend on their values."""
INTERNAL = frozenset({"_parameters", "_buffers", "_modules", "_structure"})
"""Attributes of a module that are known in other ways."""
UNRELATED = frozenset({"__init__", "__repr__", "extra_repr"})
"""Methods that have no part in what is recorded."""


class _Missing:
    """What stands in a place where nothing is."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


@dataclass(frozen=True, eq=False)
class Place:
    """An entry of a namespace, or a cell that a function closes over."""

    holder: dict[str, Any] | CellType = field(repr=False)
    name: str
    owner: str
    """Whose it is, for what is said of it."""
    announced: bool = False
    """Whether a new setting is told by ``bump_epoch``, so that none need be looked for."""

    def get(self) -> Any:
        if isinstance(self.holder, dict):
            return self.holder.get(self.name, MISSING)
        try:
            return self.holder.cell_contents
        except ValueError:  # not filled yet
            return MISSING

    def set(self, value: Any) -> None:
        if not isinstance(self.holder, dict):
            self.holder.cell_contents = value
        elif value is MISSING:
            self.holder.pop(self.name, None)
        else:
            self.holder[self.name] = value

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name


def is_setting(x: Any) -> bool:
    """Whether ``x`` is a plain value that does not change: a number, a name, a tuple of them."""
    return type(x) in PLAIN or (type(x) is tuple and all(map(is_setting, x)))


def matters(x: Any) -> bool:
    """Whether what is recorded can depend on which value ``x`` is."""
    return isinstance(x, Tensor) or is_setting(x)


def of_module(module: Any) -> Iterator[Place]:
    """The attributes of a module that its methods name or that hold a tensor, and its buffers."""
    own, kind = vars(module), type(module)
    used = _used(kind.__mro__)
    for name, value in own.items():
        if name not in INTERNAL and (name in used or isinstance(value, Tensor)):
            yield Place(own, name, kind.__name__, announced=True)
    for name in module._buffers:
        yield Place(module._buffers, name, kind.__name__, announced=True)


def of_function(function: Callable[..., Any], arguments: Iterable[Any]) -> Iterator[Place]:
    """The globals, cells and attributes of objects that a function names.

    The objects are those among its ``arguments`` and the one that it is bound to.
    """
    owner = getattr(function, "__self__", None)
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if code is None:
        return
    scope = getattr(function, "__globals__", {})
    named = dict.fromkeys(_names(code))
    yield from (Place(scope, name, "") for name in named if name in scope)
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars, cells, strict=True):
        yield Place(cell, name, "")
    for x in (owner, *arguments):
        if hasattr(x, "__dict__") and not hasattr(x, "named_parameters"):
            kind = type(x).__name__
            yield from (Place(vars(x), name, kind) for name in vars(x) if name in named)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


@cache
def _used(bases: tuple[type, ...]) -> frozenset[str]:
    """The names that the methods of classes mention, but for those that make and show it."""
    found = {"training"}
    for base in bases:
        for name, member in vars(base).items():
            code = getattr(getattr(member, "fget", member), "__code__", None)
            if code is not None and name not in UNRELATED:
                found.update(_names(code))
    return frozenset(found)
