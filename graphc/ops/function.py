"""The table of user-level functions over nodes, from which the Tensor surface is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
GradName = Callable[..., str | tuple[str, ...]]
"""Given the arguments of a call, with nodes for tensors: one name, or one for each result."""


@dataclass(frozen=True)
class Function:
    """How a function over nodes appears to the user."""

    name: str
    call: Callable[..., Any]
    """Takes nodes where the user gives tensors; returns a node, or a tuple or list of them."""
    method: bool
    """``x.name(...)``"""
    namespace: bool
    """``graphc.name(...)``"""
    functional: bool
    """``graphc.nn.functional.name(...)``"""
    inplace: bool
    """There is ``x.name_(...)`` too, which writes the result into x."""
    view: bool
    """The result shares memory with the first argument where PyTorch's does."""
    grad_name: str | GradName
    """What ``grad_fn`` prints, such as ``AddBackward0``, or how that follows from the call."""
    literal: bool = False
    """A Python number given for a tensor may become an input of the program where it varies."""
    same: bool = False
    """An operand that nothing was done to is returned itself, not as another tensor."""


FUNCTIONS: dict[str, Function] = {}
"""By name; one that ``nn.functional`` has with other arguments by its name and ``, apart``."""


def function(
    *aliases: str,
    method: bool = True,
    namespace: bool = True,
    functional: bool = False,
    inplace: bool = False,
    view: bool = False,
    grad_name: str | GradName = "",
    literal: bool = False,
    same: bool = False,
    apart: bool = False,
) -> Callable[[F], F]:
    """Declare a function over nodes as part of the surface, under its name and ``aliases``.

    ``apart`` is for one that ``nn.functional`` has too, but with other arguments.
    """

    def declare(call: F) -> F:
        for name in (call.__name__.rstrip("_"), *aliases):
            words = call.__name__.strip("_").split("_")
            FUNCTIONS[f"{name}, apart" if apart else name] = Function(
                name,
                call,
                method,
                namespace,
                functional,
                inplace,
                view,
                grad_name or "".join(word.capitalize() for word in words) + "Backward0",
                literal,
                same,
            )
        return call

    return declare
