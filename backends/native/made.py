"""What a kernel is made from, and what is made: the C functions and how they are run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphc.backends.native.targets import Target
from graphc.ir.node import Node
from graphc.lowering.operands import Operand

if TYPE_CHECKING:
    from graphc.backends.native.tuning import Tuner


@dataclass(frozen=True)
class Setting:
    """What a kernel is made for."""

    node: Node
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    threads: int
    """How many threads there are: work is cut into a few tasks for each, or left whole."""
    target: Target
    read: tuple[bool, ...] = ()
    """Which results something reads; all of them if empty. Others need not be computed."""
    settled: tuple[bool, ...] = ()
    """Which operands are the same at every step until somebody changes the state between two; none
    if empty. What is made of these alone can be made in a preparing stage."""
    tuner: Tuner | None = None
    """Who measures how a product is best cut, where that was asked for."""


@dataclass(frozen=True)
class Stage:
    """A function of a kernel; its tasks may run at once, the next stage waits for all of them."""

    function: str
    tasks: int
    """It is called for each task from 0 on."""
    prepares: bool = False
    """Whether it reads nothing but settled operands and writes nothing but the kernel's ``kept``
    workspaces, so that it need run again only when the state has been changed."""


@dataclass(frozen=True)
class Made:
    """The C functions of a kernel.

    Each stage's function is ``static void FUNCTION(long task, operands..., results...,
    workspaces...)``; the operands are pointers to const. Where there are errors, a last parameter
    ``long check`` is the number of the first of them, and ``fail(check + i, value)`` reports one.
    """

    text: str
    stages: tuple[Stage, ...]
    workspace: tuple[int, ...] = ()
    """Bytes of each workspace, which begins at a multiple of 64 and holds anything at first."""
    errors: tuple[tuple[str, str], ...] = ()
    """The exception's name, such as IndexError, and its message, with {} for the value."""
    helpers: frozenset[str] = field(default_factory=frozenset)
    """Names of the shared functions that the text calls (see ``library``)."""
    kept: tuple[int, ...] = ()
    """Numbers of the workspaces that preparing stages fill and that no other stage writes to."""


Maker = Callable[..., Made]
"""Makes a kernel, whose functions all begin with the given name, for a setting.

Those of products take an epilogue as a third argument."""

SMALL = 16 * 1024
"""Elements of elementwise work below which splitting costs more than it saves."""


def is_settled(setting: Setting, number: int) -> bool:
    """Whether an operand is the same at every step."""
    return bool(setting.settled) and setting.settled[number]


def tasks(count: int, each: int, threads: int, *, per_thread: int = 4) -> int:
    """How many tasks to cut ``count`` pieces into, each of so many elements of light work."""
    if threads == 1 or count * each < 2 * SMALL:
        return 1
    return max(1, min(count, threads * per_thread, count * each // SMALL))
