"""What a kernel is made from, and what is made: CUDA functions and how they are launched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from graphc.backends.c_language.types import stored
from graphc.backends.cuda.by_library import ByLibrary
from graphc.backends.cuda.tensor_maps import TensorMap
from graphc.ir.node import Node
from graphc.lowering.operands import Operand

THREADS = 256
"""Threads of a block, where nothing asks for another number."""
Extents = tuple[int, int, int]
WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Setting:
    """What a kernel is made for."""

    node: Node
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    offsets: tuple[int, ...]
    """How many elements after an aligned address each operand begins."""
    read: tuple[bool, ...] = ()
    """Which results something reads; all of them if empty. Others need not be computed."""
    arch: str = ""
    """The processor that it is made for, such as ``sm_90``; "" for any."""

    def is_read(self, number: int) -> bool:
        """Whether something reads a result."""
        return not self.read or self.read[number]


@dataclass(frozen=True)
class Launch:
    """One launch of a function; each waits for those before it."""

    function: str
    grid: Extents
    """Blocks in x, y and z."""
    block: Extents = (THREADS, 1, 1)
    """Threads in x, y and z."""
    arguments: tuple[int, ...] | None = None
    """Which of the kernel's parameters the function takes; None for all."""
    shared: int = 0
    """Bytes of shared memory that are asked for at the launch."""
    maps: tuple[tuple[int, TensorMap], ...] = ()
    """Maps that the function takes before all else, each of one of the kernel's parameters."""


T = TypeVar("T")


def passed(launch: Launch | ByLibrary, parameters: Sequence[T]) -> tuple[list[T], list[T]]:
    """What a launch is given of the kernel's parameters, and what its tensor maps are of."""
    numbers = range(len(parameters)) if launch.arguments is None else launch.arguments
    maps = launch.maps if isinstance(launch, Launch) else ()
    return [parameters[i] for i in numbers], [parameters[i] for i, _ in maps]


@dataclass(frozen=True)
class Made:
    """The CUDA functions of a kernel.

    The parameters of a kernel are its operands, which are pointers to const, its results and its
    workspaces, in order. Where there are errors, the last one is ``long *failed``: there a check
    that fails leaves its place, as the smallest number of all that do, and then its value.
    """

    text: str
    launches: tuple[Launch | ByLibrary, ...]
    workspace: tuple[int, ...] = ()
    """Bytes of each workspace, which begins at a multiple of 64 and holds anything at first."""
    errors: tuple[tuple[str, str], ...] = ()
    """The exception's name, such as IndexError, and its message, with {} for the value and {place}
    for the place."""
    helpers: frozenset[str] = field(default_factory=frozenset)
    """Names of the shared functions that the text calls (see ``library``)."""
    kept: tuple[int, ...] = ()
    """Numbers of the workspaces that keep what they hold from step to step."""


Maker = Callable[[str, Setting], Made]
"""Makes a kernel, whose functions all begin with the given name, for a setting."""


@dataclass
class Parameters:
    """The parameters of a kernel, of which each function takes those that it reads or writes."""

    names: list[str]
    declared: list[str]
    """In C."""
    offsets: list[int]
    """How many elements after an aligned address each begins."""

    def add(self, name: str, declared: str) -> None:
        """One more, a workspace."""
        self.names.append(name)
        self.declared.append(declared)
        self.offsets.append(0)

    def used(self, lines: Iterable[str]) -> tuple[tuple[int, ...], list[str]]:
        """The numbers of those that a function's lines name, and their declarations."""
        words = {word for line in lines for word in WORD.findall(line)}
        found = tuple(i for i, name in enumerate(self.names) if name in words)
        return found, [self.declared[i] for i in found]


def parameters_of(setting: Setting, *, aliased: bool = False) -> Parameters:
    """Operands ``a0``, ``a1``, ... and results ``out0``, ...; ``aliased`` ones may overlap."""
    restrict = "" if aliased else "__restrict__ "
    made = Parameters([], [], [])
    for i, x in enumerate(setting.operands):
        made.add(f"a{i}", f"const {stored(x.dtype)} *{restrict}a{i}")
        made.offsets[-1] = setting.offsets[i]
    for i, x in enumerate(setting.results):
        made.add(f"out{i}", f"{stored(x.dtype)} *{restrict}out{i}")
    return made


def blocks(count: int, each: int = THREADS) -> int:
    """How many blocks it takes for so many pieces of work."""
    return -(-count // each)
