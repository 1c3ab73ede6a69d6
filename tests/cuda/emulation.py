"""CUDA C compiled by g++ and run on the CPU, as it stands (see ``emulator/cuda.h``).

    module = Module(source)             # with check=True every access is checked
    module.launch("kernel", grid, block, [x, y])

Arguments are addresses, of memory of the CPU, or numpy arrays, which are passed as addresses.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphc.backends import disk
from tests.cuda.translation import (
    COMPILER,
    HERE,
    RUNTIME,
    compile_in,
    compiled,
    digest,
    flags_of,
)

Extents = tuple[int, int, int]
MOST_SHARED = 227 * 1024
"""Bytes of shared memory that a block may have."""


class KernelError(RuntimeError):
    """What a kernel does that it must not do, with its source line, thread and block."""


class Description(ctypes.Structure):
    """A launch, as the run time takes it."""

    _fields_ = [
        ("entry", ctypes.c_void_p),
        ("arguments", ctypes.c_char_p),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("dynamic", ctypes.c_size_t),
        ("limit", ctypes.c_size_t),
        ("host_threads", ctypes.c_int),
        ("order", ctypes.c_int),
        ("check", ctypes.c_int),
    ]


class Entry(ctypes.Structure):
    """A kernel, as its library describes it."""

    _fields_ = [
        ("entry", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
        ("count", ctypes.c_uint),
        ("parameters", ctypes.c_void_p),
        ("checked", ctypes.c_int),
        ("most_threads", ctypes.c_int),
    ]


def runtime_path() -> Path:
    """The run time, compiled once."""

    def make(folder: Path) -> Path:
        source = str(HERE / "runtime.cpp")
        compile_in(folder, [COMPILER, *RUNTIME, source, "-o", "runtime.so", "-ldl"])
        return folder / "runtime.so"

    return kept(disk.key_of([digest(), *RUNTIME]), make)


def kept(key: str, make: Callable[[Path], Path]) -> Path:
    """A shared object of graphc's cache, made in a folder if it is not there or broken."""
    found = disk.find(key)
    if found is not None:
        return found
    folder = disk.building()
    try:
        return disk.put(key, make(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def runtime() -> ctypes.CDLL:
    """The run time, loaded."""
    found = ctypes.CDLL(str(runtime_path()), ctypes.RTLD_GLOBAL)
    found.emulator_last_error.restype = ctypes.c_char_p
    found.emulator_region_add.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    found.emulator_region_del.argtypes = [ctypes.c_void_p]
    return found


def library(source: str, *, check: bool = False) -> Path:
    """The library of a source's kernels."""

    def make(folder: Path) -> Path:
        made = folder / "kernels.so"
        made.write_bytes(compiled(source, disk.folder(), check=check))
        return made

    return kept(disk.key_of([source, digest(), *flags_of(check=check)]), make)


class Module:
    """The kernels of a source."""

    def __init__(self, source: str, *, check: bool = False) -> None:
        self.check = check
        self.runtime = runtime()
        self.library = ctypes.CDLL(str(library(source, check=check)))

    def launch(
        self,
        name: str,
        grid: Extents,
        block: Extents,
        arguments: Sequence[Any],
        order: int = 0,
        shared: int = 0,
    ) -> None:
        """Run a kernel with so many bytes of dynamic shared memory.

        ``order`` 1 runs the threads of a block in reverse, from 2 on shuffled by that seed.
        """
        entry = Entry.in_dll(self.library, f"emulator_info_{name}")
        packed = packed_arguments(arguments)
        if entry.size != len(packed):
            raise KernelError(f"{name}: {len(packed)} bytes of arguments, not {entry.size}")
        if int(np.prod(block)) > entry.most_threads:
            raise KernelError(f"{name}: {block} threads, {entry.most_threads} are allowed")
        launch = Description(
            entry.entry,
            packed + b"\0" * 8,
            (ctypes.c_uint * 3)(*grid),
            (ctypes.c_uint * 3)(*block),
            shared,
            MOST_SHARED,
            1,
            order,
            int(self.check),
        )
        arrays = [x for x in arguments if isinstance(x, np.ndarray)]
        if self.check:
            for x in arrays:
                self.runtime.emulator_region_add(x.ctypes.data, x.nbytes, 0)
        try:
            if self.runtime.emulator_launch(ctypes.byref(launch)):
                raise KernelError(located(self.runtime.emulator_last_error().decode()))
        finally:
            if self.check:
                for x in arrays:
                    self.runtime.emulator_region_del(x.ctypes.data)


def packed_arguments(arguments: Sequence[Any]) -> bytes:
    """Arguments as a kernel finds them: arrays and numbers of Python as addresses, each aligned.

    A numpy scalar is passed as it is, one of a record type as a structure.
    """
    out = b""
    for x in arguments:
        if not isinstance(x, np.generic):
            x = np.uint64(x.ctypes.data if isinstance(x, np.ndarray) else x)
        fields = x.dtype.fields or {"": (x.dtype, 0)}
        widest = max(field[0].itemsize for field in fields.values())
        out += b"\0" * (-len(out) % widest) + x.tobytes()
    return out


def located(text: str) -> str:
    """An error with source lines in place of addresses."""

    def line(found: re.Match[str]) -> str:
        place = hex(int(found[2], 16) - 1)
        done = subprocess.run(
            ["addr2line", "-e", found[1], place], capture_output=True, text=True, check=False
        )
        return f" [{Path(done.stdout.strip()).name}]"

    return re.sub(r" \[(/[^\]]*\.so)\+0x([0-9a-f]+)\]", line, text)
