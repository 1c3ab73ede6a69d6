"""NVIDIA's libraries through ctypes: how one is found, what it tells, and what it holds for us."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_size_t, c_void_p
from typing import Any, ClassVar, TypeVar

from graphc.backends.cuda.wheels import files
from graphc.errors import GraphcRuntimeError


class External:
    """A library as it was loaded, whose functions return a status."""

    name: ClassVar[str]
    prefix: ClassVar[str]
    """With which the names of its functions begin."""
    tells: ClassVar[str]
    """The rest of the name of that which says what a status means."""

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded
        self.function(self.tells).restype = c_char_p
        version = self.function("GetVersion")
        version.restype = c_size_t
        number = version()
        self.version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
        self.handles: dict[int, c_void_p] = {}

    def function(self, rest: str) -> Any:
        """The function of a name without its prefix."""
        return getattr(self.loaded, f"{self.prefix}{rest}")

    def check(self, status: int) -> None:
        """Raise what a function returns that is no success."""
        if status:
            text = self.function(self.tells)(status)
            raise GraphcRuntimeError(f"{self.name}: {(text or b'').decode()}")

    def handle(self, device: Any) -> c_void_p:
        """The library's state for a device, in whose context the caller is."""
        if device.index not in self.handles:
            made = c_void_p()
            self.check(self.function("Create")(byref(made)))
            self.handles[device.index] = made
        return self.handles[device.index]


AnyLibrary = TypeVar("AnyLibrary", bound=External)


def find(kind: type[AnyLibrary], names: Sequence[str], wheels: Sequence[str]) -> AnyLibrary | None:
    """A library, where it can be loaded: that of the process, as PyTorch's, or by its name.

    ``wheels`` are folders of the package ``nvidia``.
    """
    for path in (*names, *(x for name in names for x in files(wheels, name))):
        try:
            return kind(ctypes.CDLL(path))
        except OSError:
            continue
    return None


def usable(library: AnyLibrary | None, device: Any) -> AnyLibrary | None:
    """The library, where it works with a device: one may be too new for the driver."""
    try:
        if library is not None:
            with device:
                library.handle(device)
    except GraphcRuntimeError:
        return None
    return library


def needed(library: AnyLibrary | None, name: str, function: str) -> AnyLibrary:
    """The library, which a launch cannot do without."""
    if library is None:
        raise GraphcRuntimeError(f"{function} needs {name}, which was there when it was tuned")
    return library


class Descriptors:
    """What a library has described for us, which goes with this object."""

    def __init__(self, library: External) -> None:
        self.library = library
        self.made: list[tuple[Any, c_void_p]] = []
        """What is to be destroyed, and by which function."""

    def new(self, create: str, destroy: str, *arguments: Any) -> c_void_p:
        """What a function creates, until the other destroys it."""
        made = c_void_p()
        self.library.check(self.library.function(create)(byref(made), *arguments))
        self.made.append((self.library.function(destroy), made))
        return made

    def __del__(self) -> None:
        for destroy, made in self.made:
            destroy(made)
