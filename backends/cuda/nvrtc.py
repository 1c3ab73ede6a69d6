"""NVRTC, NVIDIA's compiler as a library, through ctypes: no process is started."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from glob import glob
from pathlib import Path

from graphc.backends.cuda import libcuda
from graphc.backends.cuda.wheels import files
from graphc.errors import GraphcRuntimeError

WHEELS = ("cu13/lib", "cuda_nvrtc/lib")
"""Where the wheels of CUDA 13 and 12 have the library, within the package ``nvidia``."""
NAMES = "libnvrtc.so*"
FLAGS = ("--std=c++17",)
"""What NVRTC and nvcc are told alike."""


@dataclass(frozen=True)
class Nvrtc:
    """A library that was found."""

    path: str
    version: tuple[int, int]

    @property
    def identity(self) -> str:
        """What distinguishes what it makes from what others make.

        Builds of one version differ; a library tells its version, but not its build.
        """
        build = self.path
        if os.path.isabs(build):  # by a bare name, the loader alone knows which file it is
            found = os.stat(build)
            build = f"{os.path.realpath(build)} {found.st_size} {found.st_mtime_ns}"
        return f"{build}\nNVRTC {self.version[0]}.{self.version[1]}"

    def compiled(self, source: str, arch: str, *options: str) -> tuple[bytes, str]:
        """The cubin, or none, and what the compiler says."""
        with _own_locale():
            return self._compiled(source, arch, options)

    def _compiled(self, source: str, arch: str, options: Sequence[str]) -> tuple[bytes, str]:
        library = _loaded(self.path)
        program = ctypes.c_void_p()
        name = b"program.cu"
        _check(
            library,
            library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), name, 0, None, None),
        )
        try:
            flags = [x.encode() for x in (*FLAGS, *options, f"--gpu-architecture={arch}")]
            given = (ctypes.c_char_p * len(flags))(*flags)
            failed = library.nvrtcCompileProgram(program, len(flags), given)
            said = _bytes(library, "ProgramLog", program).rstrip(b"\0").decode(errors="replace")
            return (b"" if failed else _bytes(library, "CUBIN", program)), said
        finally:
            library.nvrtcDestroyProgram(ctypes.byref(program))


@contextmanager
def _own_locale() -> Iterator[None]:
    """Within, the thread's locale may change: some builds of CUDA 12 leave it without UTF-8."""
    process = ctypes.CDLL(None)
    process.uselocale.restype = ctypes.c_void_p
    before = process.uselocale(ctypes.c_void_p(None))
    try:
        yield
    finally:
        process.uselocale(ctypes.c_void_p(before))


def _bytes(library: ctypes.CDLL, what: str, program: ctypes.c_void_p) -> bytes:
    """A text or image that a program has."""
    size = ctypes.c_size_t()
    _check(library, getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    made = ctypes.create_string_buffer(size.value)
    _check(library, getattr(library, f"nvrtcGet{what}")(program, made))
    return made.raw


def _check(library: ctypes.CDLL, result: int) -> None:
    if result:
        raise GraphcRuntimeError(f"NVRTC: {library.nvrtcGetErrorString(result).decode()}")


@cache
def _loaded(path: str) -> ctypes.CDLL:
    # It looks for its builtins by name alone, and finds them where they have been loaded already.
    for builtins in sorted(glob(os.path.join(os.path.dirname(path), "libnvrtc-builtins.so*"))):
        ctypes.CDLL(builtins)
    library = ctypes.CDLL(path)
    library.nvrtcGetErrorString.restype = ctypes.c_char_p
    return library


def _places() -> list[str]:
    """The files that may be the library, those of wheels first."""
    found = files(WHEELS, NAMES)
    return [x for x in found if "builtins" not in Path(x).name and "alt" not in Path(x).name]


def find() -> Nvrtc | None:
    """The library, where it is installed and can be loaded.

    Of several it is one that the driver is new enough for, if there is a driver.
    """
    found = _found()
    first = next(found, None)
    newest = None if first is None else libcuda.major_version()
    if first is None or newest is None or first.version[0] <= newest:
        return first
    return next((x for x in found if x.version[0] <= newest), first)


def _found() -> Iterator[Nvrtc]:
    on_system = find_library("nvrtc")
    for path in (*_places(), *([on_system] if on_system else ())):
        try:
            library = _loaded(path)
        except OSError:
            continue
        major, minor = ctypes.c_int(), ctypes.c_int()
        if library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)) == 0:
            yield Nvrtc(path, (major.value, minor.value))
