"""The contract between the compiler and a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from traceback import extract_tb
from typing import Any, Protocol

from graphc.errors import (
    GraphcError,
    GraphcIndexError,
    GraphcNotImplementedError,
    GraphcRuntimeError,
    GraphcValueError,
)
from graphc.ir.graph import Graph
from graphc.ir.node import Node

Step = Callable[..., list[Any]]
"""Takes the arrays of the graph's inputs, in order; returns those of its outputs."""


Statements = Sequence[tuple[tuple[str, ...], str]]
"""Of each statement of a step the functions that it runs, and what they compute."""


@dataclass(frozen=True)
class Kernel:
    """One function of the generated source."""

    name: str
    origin: str
    """What it computes and which lines of the user's program it comes from."""
    text: str


@dataclass(frozen=True)
class Sources:
    """The generated text of a program."""

    text: str
    """The whole program: what is built and run."""
    kernels: tuple[Kernel, ...]
    language: str
    """The file name's ending, such as ``py``."""
    arena_bytes: int = 0
    """The exact size of the memory that holds all intermediate values."""
    facts: dict[str, object] = field(default_factory=dict, compare=False)


class Executable(Protocol):
    """A built program."""

    def bind(self, state: Sequence[Any]) -> Step:
        """The step over these arrays of the graph's state, which it updates in place."""


TimedStep = Callable[..., tuple[list[Any], Sequence[int]]]
"""Takes what a step takes; returns what it returns, and the nanoseconds of each statement."""


class Timed(Protocol):
    """A program that tells how long its kernels take."""

    statements: Statements

    def bind(self, state: Sequence[Any]) -> TimedStep:
        """The step over these arrays."""


class Backend(Protocol):
    """A target: what `graphc.backends.<name>` offers as ``BACKEND``.

    One whose texts take long to write may keep them: by a method ``recalled(graph, write)`` that
    gives what ``write()`` gives for the graph as it was recorded, before any pass. One that
    compiles for a device gives what is loaded there by a method ``image(sources)``, and by
    ``files(sources)`` what more a dump is to have: the bytes of files, by their names. One that can
    tell how long kernels take gives what does so by a method ``timed(graph, executable)``.
    """

    name: str
    composites: frozenset[str]
    """Composites that it has kernels for; `open_composites` leaves these closed. A backend that has
    them for some uses only says by a method ``claims(node)`` for which."""

    def emit(self, graph: Graph) -> Sources:
        """The source text. Pure: needs no compiler and no device, and is the same every time."""

    def build(self, sources: Sources) -> Executable:
        """Compile and load; the only stage that needs a compiler or a device."""


def statements(sources: Sources) -> Statements:
    """The statements of a step that notes the time after each."""
    found = sources.facts["statements"]
    assert isinstance(found, tuple)
    return found


FAILURES: dict[type[Exception], type[GraphcError]] = {
    IndexError: GraphcIndexError,
    ValueError: GraphcValueError,
    RuntimeError: GraphcRuntimeError,
}
"""What stands for the errors of kernels that look at numbers, such as an index out of range."""


def explained(sources: Sources, error: Exception) -> Exception:
    """The error of a step, with the line of the user's program that it comes from."""
    kind = FAILURES.get(type(error))
    if kind is None:
        return error
    names = {frame.name for frame in extract_tb(error.__traceback__)}
    names.add(getattr(error, "kernel", ""))  # of a kernel that has no frame
    found = next((k.origin for k in sources.kernels if k.name in names), "")
    return kind(f"{error}\n  in {found}" if found else str(error))


def claims(backend: Backend, node: Node) -> bool:
    """Whether the backend has a kernel for a node of a composite."""
    named = getattr(node.op, "key", node.op.name) in backend.composites
    narrowed: Callable[[Node], bool] | None = getattr(backend, "claims", None)
    return named and (narrowed is None or narrowed(node))


def refusal(backend: str, node: Node) -> GraphcNotImplementedError:
    """The error of a backend that cannot compute ``node``: there is no silent fallback."""
    types = ", ".join(str(x.type) for x in node.inputs)
    message = f"{node.op.name}: the backend '{backend}' cannot compute it of ({types})"
    where = str(node.origin)
    return GraphcNotImplementedError(f"{message}; {where}" if where else message)
