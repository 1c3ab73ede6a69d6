"""A ``libcuda.so.1`` whose devices are the CPU (see ``driver/state.h``), on which PyCUDA runs."""

from __future__ import annotations

import os
import re
import shutil
from functools import cache
from hashlib import sha256
from pathlib import Path

from graphc.backends.native import cache as disk
from tests.cuda.emulation import COMPILER, digest_of_emulator, run_compiler, runtime_library

SOURCES = Path(__file__).resolve().parent / "driver"
OWN_ANSWERS = ("cuGetErrorString", "cuGetErrorName", "cuDriverGetVersion")
NOT_PROVIDED = 34
"""What entry points that are not written answer; NVIDIA's own stub does so too."""


def include_folder() -> Path:
    """Where ``cuda.h`` is: of the toolkit that is installed."""
    nvcc = shutil.which("nvcc")
    places = [Path(x) for x in (os.environ.get("CUDA_HOME"), "/usr/local/cuda") if x]
    if nvcc:
        places.append(Path(nvcc).resolve().parent.parent)
    for place in places:
        if (place / "include" / "cuda.h").exists():
            return place.resolve() / "include"
    raise RuntimeError("cuda.h is needed; CUDA_HOME may name the toolkit that has it")


def entry_points(include: Path) -> list[str]:
    """The names of all functions of the driver."""
    names: set[str] = set()
    for header in ("cuda.h", "cudaProfiler.h", "cudaGL.h"):
        if not (include / header).exists():
            continue
        text = (include / header).read_text(encoding="utf-8", errors="replace")
        names.update(re.findall(r"CUDAAPI\s+(cu[A-Z]\w*)\s*\(", text))
        # "#define cuMemAlloc cuMemAlloc_v2", and the same through a macro
        names.update(re.findall(r"#\s*define\s+cu[A-Z]\w*\s+(cu[A-Z]\w*)\s*$", text, re.MULTILINE))
        names.update(re.findall(r"__CUDA_API_PT(?:DS|SZ)\((cu[A-Z]\w*)\)", text))
    return sorted(x for x in names if not x.endswith(("_ptds", "_ptsz")) and x not in OWN_ANSWERS)


def stubs(include: Path) -> str:
    """C in which each function answers that it is not provided, unless it is written elsewhere.

    All have to be there: Python loads an extension only if every name that it uses is found.
    """
    answer = f"(void) {{ return {NOT_PROVIDED}; }}"
    lines = [f"__attribute__((weak)) int {name}{answer}" for name in entry_points(include)]
    return "\n".join([*lines, ""])


@cache
def driver_folder() -> Path:
    """The folder with the library, under the names by which it is linked and loaded."""
    include = include_folder()
    parts = [path.read_bytes() for path in sorted(SOURCES.iterdir())]
    text = [digest_of_emulator().encode(), stubs(include).encode(), str(include).encode(), *parts]
    folder = disk.folder() / f"driver-{sha256(b''.join(text)).hexdigest()[:16]}.library"
    if not (folder / "libcuda.so.1").exists():
        _build(folder, include)
    return folder


def _build(folder: Path, include: Path) -> None:
    place = disk.building()
    (place / "stubs.c").write_text(stubs(include), encoding="utf-8")
    runtime = runtime_library()
    run_compiler(["gcc", "-O1", "-fPIC", "-w", "-c", "stubs.c"], place)
    linked = [f"-L{runtime.parent}", f"-l:{runtime.name}", f"-Wl,-rpath,{runtime.parent}", "-ldl"]
    flags = ["-std=gnu++17", "-O1", "-fPIC", "-shared", "-w", f"-I{include}"]
    sources = [str(path) for path in sorted(SOURCES.glob("*.cpp"))]
    named = ["-o", "libcuda.so.1", "-Wl,-soname,libcuda.so.1"]
    run_compiler([COMPILER, *flags, *sources, "stubs.o", *named, *linked], place)
    (place / "libcuda.so").symlink_to("libcuda.so.1")
    for left in place.glob("stubs.*"):
        left.unlink()
    settle(place, folder)


def settle(made: Path, folder: Path) -> None:
    """Let a folder that was made have its name, unless another process was faster."""
    try:
        os.rename(made, folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(made)
