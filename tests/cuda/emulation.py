"""CUDA C compiled by g++ and run on the CPU, as it stands (see ``emulator/cuda.h``).

    module = Module(source)             # with check=True every access is checked
    module.launch("kernel", grid, block, [x, y])

Arguments are addresses, of memory of the CPU, or numpy arrays, which are passed as addresses.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from graphc.backends import disk

HERE = Path(__file__).resolve().parent / "emulator"
COMPILER = "g++"
RUNTIME = ("-std=gnu++17", "-O2", "-fPIC", "-shared", "-pthread", "-w")
KERNELS = ("-std=gnu++17", "-O1", "-march=native", "-fPIC", "-fno-exceptions", "-fno-rtti")
# Products and sums are fused only where the source says so: a GPU's compiler may fuse others.
QUIET = ("-fno-math-errno", "-w")
CHECKED = (
    "-g",
    "-fsanitize=thread",
    "-fsanitize=alignment,bounds-strict,signed-integer-overflow,integer-divide-by-zero,"
    "shift-exponent",
)
SHARED = re.compile(
    r"\b__shared__\s+(?:__align__\s*\(\s*(\d+)\s*\)\s*)?([A-Za-z_][\w:<>, ]*?)\s+(\w+)\s*"
    r"((?:\[[^\]\n]*\]\s*)*);"
)
DYNAMIC = re.compile(
    r"\bextern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s*)?"
    r"([A-Za-z_][\w:<>, ]*?)\s+(\w+)\s*\[\s*\]\s*;"
)
KERNEL = re.compile(
    r"__global__\s+(?:static\s+)?void\s+(?:__launch_bounds__\s*\(([^(),]*)[^()]*\)\s*)?(\w+)\s*\("
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


def translated(source: str) -> str:
    """The source with shared arrays in a block's own memory, and with an entry for each kernel."""
    text = DYNAMIC.sub(r"EMULATOR_DYN_SHARED(\1, \2);", source)
    text = SHARED.sub(
        lambda m: f"EMULATOR_SHARED({m[2]}, {m[3]}, {m[4].strip()}, {m[1] or 1});", text
    )
    bare = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
    entries = [f"EMULATOR_EXPORT({m[2]}, {m[1] or 1024})" for m in KERNEL.finditer(bare)]
    return "\n".join([text, *entries, ""])


def compile_in(folder: str, command: Sequence[str]) -> None:
    """Run a compiler in a folder."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")


@cache
def digest() -> str:
    """A digest of the emulator's own text."""
    files = (path for path in sorted(HERE.rglob("*")) if path.is_file())
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def kept(name: str, make: Any) -> Path:
    """A file of graphc's cache, made if it is not there."""
    path = disk.folder() / name
    if not path.exists():
        with tempfile.TemporaryDirectory(prefix="graphc-") as folder:
            disk.write(path, make(folder).read_bytes())
    return path


def runtime_path() -> Path:
    """The run time, compiled once."""

    def make(folder: str) -> Path:
        out = Path(folder, "runtime.so")
        source = str(HERE / "runtime.cpp")
        compile_in(folder, [COMPILER, *RUNTIME, source, "-o", str(out), "-ldl"])
        return out

    return kept(f"emulator-{digest()[:16]}.so", make)


@cache
def runtime() -> ctypes.CDLL:
    """The run time, loaded."""
    found = ctypes.CDLL(str(runtime_path()), ctypes.RTLD_GLOBAL)
    found.emulator_last_error.restype = ctypes.c_char_p
    found.emulator_region_add.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    found.emulator_region_del.argtypes = [ctypes.c_void_p]
    return found


@cache
def _headers(flags: tuple[str, ...]) -> Path:
    """The emulator's header for these flags: one that is compiled already lies beside it."""
    folder = disk.folder() / f"{disk.key_of([digest(), str(HERE), *flags])}.headers"
    header = folder / "emulator.h"
    if not header.exists():
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="graphc-") as place:
            text = f'#include "{HERE / "cuda.h"}"\n'
            Path(place, "emulator.h").write_text(text, encoding="utf-8")
            kind = ["-x", "c++-header", "emulator.h", "-o", "made.gch"]
            compile_in(place, [COMPILER, *flags, *kind])
            disk.write(folder / "emulator.h.gch", Path(place, "made.gch").read_bytes())
            disk.write(header, text.encode())
    return header


def library(source: str, *, check: bool = False, extra: Sequence[str] = ()) -> Path:
    """The library of a source's kernels; ``extra`` are flags of the preprocessor."""
    flags = (*KERNELS, *QUIET, *(CHECKED if check else ()))
    text = translated(source)
    key = disk.key_of([text, digest(), *flags, *extra])

    def make(folder: str) -> Path:
        Path(folder, "kernels.cpp").write_text(text, encoding="utf-8")
        include = ["-include", str(_headers(flags)), f"-I{HERE / 'include'}", *extra]
        # Apart, for to link with these flags would bring in libraries that know nothing of fibers.
        compile_in(folder, [COMPILER, *flags, *include, "-c", "kernels.cpp", "-o", "kernels.o"])
        compile_in(folder, [COMPILER, "-shared", "-nostdlib", "kernels.o", "-o", "kernels.so"])
        return Path(folder, "kernels.so")

    return kept(f"{key}.emulated.so", make)


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
