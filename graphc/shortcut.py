"""The short way into a program, which a backend may offer for calls that are like the last one.

Compiled functions look at much before each call: what they were captured under must still be so.
Most calls of a loop differ from the one before in nothing, or in other tensors of the same types.
For these the library that runs the program can do the looking too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphc.ir.types import TensorType

NAMES = ("_storage", "_pending", "_base", "_is_leaf", "_requires_grad")
"""The attributes of a tensor that a short way reads, the first of which it also sets."""
MISSED = object()
"""What a short way returns where the call must be looked at more closely; nothing has been done."""

FINISHED, SINGLE, TUPLE, NOTHING = range(4)
"""What a call returns: what ``finish`` gives, the one output, all outputs, None."""


@dataclass(frozen=True)
class Call:
    """What a short way must know of a call."""

    tensor: type
    storage: type
    """The classes of tensors and of what holds their arrays."""
    sample: Any
    """A storage with ``MISSED`` in the place of the array."""
    arguments: tuple[TensorType | None, ...]
    """The type of each argument that is a tensor; None of one that must be the same object."""
    settings: tuple[tuple[Any, Any, Any], ...]
    """Dicts, each with a key, and cells, each with None, and the object that must stand there.
    Where it is ``MISSED`` that is told whenever the way is opened."""
    changes: array[int]
    """The numbers of the last change of anything, and of the last change of a gradient."""
    watches_gradients: bool
    runs: array[int]
    """How often the program has run, to be counted."""
    prototypes: tuple[Any, ...]
    """For each output its storage, as ``sample``."""
    returns: int
    finish: Callable[[tuple[Any, ...], list[Any]], Any]
    """Gives what a call returns, from the tensors among the arguments and the arrays of the
    outputs."""
    explain: Callable[[Exception], Exception]
    """What the caller is told of an error of the program."""


class Shortcut(NamedTuple):
    """A short way, closed until it is opened for calls like one that has just been looked at."""

    call: Callable[..., Any]
    """Takes the arguments; returns ``MISSED`` where the call must be looked at."""
    open: Callable[[Sequence[int], tuple[Any, ...], tuple[Any, ...]], None]
    """Takes the numbers of the changes before all was looked at, what stood in the settings whose
    objects are told, and the arguments. It is opened for the thread that opens it."""
    method: Callable[[type, str, str], Any] | None = None
    """Makes, if it can, the method ``__call__`` of a class, given the names of two attributes of
    its objects: the short way, which may be any function, and what is called where it is missed."""
