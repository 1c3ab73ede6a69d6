"""What tests make of a CUDA toolkit's headers: a driver whose device is the CPU, and PyCUDA."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from graphc.backends import disk
from tests.cuda.emulation import kept, runtime_path
from tests.cuda.translation import COMPILER, compile_in, digest, take_over

DRIVER = Path(__file__).resolve().parent / "driver"
PYCUDA = "2026.1"


@dataclass(frozen=True)
class Library:
    """A library of NVIDIA's that there is a stand-in for, on the stand-in driver."""

    folder: str
    """Of the stand-in, beside this file, which declares there what it provides."""
    header: str
    soname: str
    wheels: tuple[str, ...]
    """Where wheels have the header, within the package ``nvidia``."""

    @property
    def own(self) -> Path:
        """The stand-in's folder."""
        return Path(__file__).resolve().parent / self.folder

    @property
    def declared(self) -> Path:
        """The folder of the stand-in's own header."""
        return self.own / "declared"


CUBLAS = Library("cublas", "cublasLt.h", "libcublasLt.so.13", ("cu13/include", "cublas/include"))
CUDNN = Library("cudnn", "cudnn.h", "libcudnn.so.9", ("cudnn/include",))
SETTINGS = """CUDA_ROOT = {root!r}
CUDA_ENABLE_CURAND = False
CXXFLAGS = ['-O1', '-g0', '-w']
"""
ANSWERS = {
    "cuGetErrorString": '(int e, const char **s) { *s = "not provided here"; return 0; }',
    "cuGetErrorName": '(int e, const char **s) { *s = "CUDA_ERROR_STUB_LIBRARY"; return 0; }',
    "cuDriverGetVersion": "(int *v) { *v = 0; return 34; }",
}
"""Entry points that must fill in something."""


def root() -> Path | None:
    """The folder of a CUDA toolkit, if there is one."""
    nvcc = shutil.which("nvcc")
    places = [os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    if nvcc:
        places.append(str(Path(nvcc).resolve().parent.parent))
    found = (Path(place) for place in places if place)
    return next((x for x in found if (x / "include" / "cuda.h").exists()), None)


def entry_points(include: Path) -> list[str]:
    """The names of all functions of the driver's interface."""
    names: set[str] = set()
    for header in ("cuda.h", "cudaProfiler.h", "cudaGL.h"):
        if (include / header).exists():
            text = (include / header).read_text(errors="replace")
            names.update(re.findall(r"CUDAAPI\s+(cu[A-Z]\w*)\s*\(", text))
            names.update(re.findall(r"#\s*define\s+cu[A-Z]\w*\s+(cu[A-Z]\w*)\s*$", text, re.M))
            names.update(re.findall(r"__CUDA_API_PT(?:DS|SZ)\((cu[A-Z]\w*)\)", text))
    return sorted(x for x in names if not x.endswith(("_ptds", "_ptsz")))


def stubs(names: Iterable[str]) -> str:
    """C of a driver that answers every call with an error; what is defined elsewhere goes first.

    The symbols must be there: a library without them is dropped by the linker, and the extension
    that was linked with it cannot be loaded anywhere.
    """
    weak = "__attribute__((weak)) int "
    plain = (f"{weak}{x}(void) {{ return 34; }}" for x in names if x not in ANSWERS)
    return "\n".join([*plain, *(f"{weak}{name}{rest}" for name, rest in ANSWERS.items()), ""])


def driver(toolkit: Path) -> Path:
    """A ``libcuda.so.1`` whose device is this machine's processor."""
    include = toolkit / "include"
    runtime = runtime_path()
    sources = sorted(DRIVER.glob("*.cpp"))
    texts = (path.read_text(encoding="utf-8") for path in sorted(DRIVER.iterdir()))
    key = disk.key_of([digest(), str(runtime), (include / "cuda.h").read_text(), *texts])

    def make(folder: Path) -> Path:
        (folder / "stubs.c").write_text(stubs(entry_points(include)))
        compile_in(folder, ["gcc", "-O1", "-fPIC", "-w", "-c", "stubs.c"])
        link = [f"-L{runtime.parent}", f"-l:{runtime.name}", f"-Wl,-rpath,{runtime.parent}", "-ldl"]
        flags = ["-std=gnu++17", "-O2", "-fPIC", "-shared", "-w", f"-I{include}"]
        name = ["-o", "libcuda.so", "-Wl,-soname,libcuda.so.1"]
        compile_in(folder, [COMPILER, *flags, *map(str, sources), "stubs.o", *name, *link])
        return folder / "libcuda.so"

    return kept(key, make)


def header_of(library: Library, toolkit: Path) -> Path | None:
    """The folder of a library's header: of the toolkit, or of a wheel, or where a variable says."""
    spec = find_spec("nvidia")
    wheels = [Path(x) for x in (spec and spec.submodule_search_locations) or ()]
    places = [toolkit / "include", *(x / part for x in wheels for part in library.wheels)]
    said = os.environ.get(f"GRAPHC_TEST_{library.folder.upper()}")
    found = [*([Path(said)] if said else []), *places]
    return next((x for x in found if (x / library.header).exists()), None)


def check_header(library: Library, header: Path, facts: Iterable[str], folder: Path) -> None:
    """Raise unless these hold with a library's header, and the stand-in's functions are its own."""
    lines = [f"#include <{library.header}>", "#include <stddef.h>"]
    lines += [f'static_assert({x}, "{x}");' for x in facts]
    (folder / "header.cpp").write_text("\n".join([*lines, ""]))
    include = [f"-I{header}", f"-I{root()}/include"]
    for source in (folder / "header.cpp", library.own / f"{library.folder}.cpp"):
        flags = ["-std=gnu++17", "-fsyntax-only", "-w", *include]
        compile_in(folder, [COMPILER, *flags, str(source)])


def stand_in(library: Library, toolkit: Path) -> Path:
    """A library of that name on that driver."""
    below, source = driver(toolkit), library.own / f"{library.folder}.cpp"
    header = header_of(library, toolkit) or library.declared
    include = [f"-I{header}", f"-I{toolkit / 'include'}"]
    read = (source, header / library.header, *sorted(DRIVER.glob("*.h")))
    key = disk.key_of([str(below), *include, *(x.read_text(encoding="utf-8") for x in read)])

    def make(folder: Path) -> Path:
        flags = ["-std=gnu++17", "-O2", "-fPIC", "-shared", "-w", *include]
        link = [str(below), "-o", "library.so", f"-Wl,-soname,{library.soname}"]
        compile_in(folder, [COMPILER, *flags, str(source), *link])
        return folder / "library.so"

    return kept(key, make)


def pycuda(toolkit: Path, python: str = sys.executable) -> Path:
    """A wheel of PyCUDA for an interpreter, built from its source against this toolkit."""
    told = "import sys; print(sys.implementation.cache_tag)"
    done = subprocess.run([python, "-c", told], capture_output=True, text=True, check=True)
    folder = disk.folder() / f"pycuda-{PYCUDA}-{done.stdout.strip()}"
    if not folder.exists():
        _build(toolkit, folder, python)
    (found,) = folder.glob("*.whl")
    return found


def _build(toolkit: Path, target: Path, python: str) -> None:
    folder = disk.building()
    try:
        (folder / "stubs.c").write_text(stubs(entry_points(toolkit / "include")))
        (folder / ".aksetup-defaults.py").write_text(SETTINGS.format(root=str(toolkit)))
        shared = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-Wl,-soname,libcuda.so.1"]
        compile_in(str(folder), [*shared, "stubs.c", "-o", "libcuda.so"])
        pip = [python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-binary", "pycuda"]
        subprocess.run(
            [*pip, "-w", str(folder / "wheels"), f"pycuda=={PYCUDA}"],
            env={**os.environ, "HOME": str(folder), "LIBRARY_PATH": str(folder)},
            check=True,
        )
        take_over(folder / "wheels", target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
