"""CUDA C to a shared object for the CPU, by g++ (see ``emulator/cuda.h``).

Nothing of graphc's is imported, nor numpy: what stands in for nvcc is started for each source.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent / "emulator"
COMPILER = "g++"
RUNTIME = ("-std=gnu++17", "-O2", "-fPIC", "-shared", "-pthread", "-w")
KERNELS = ("-std=gnu++17", "-O1", "-march=native", "-fPIC", "-fno-exceptions", "-fno-rtti")
# Products and sums are fused only where the source says so: a GPU's compiler may fuse others.
QUIET = ("-ffp-contract=off", "-fno-math-errno", "-w")
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
BOUNDS = r"(?:__launch_bounds__\s*\(([^(),]*)[^()]*\)\s*)?"
KERNEL = re.compile(rf"__global__\s+(?:static\s+)?{BOUNDS}void\s+{BOUNDS}(\w+)\s*\(")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


class TranslationError(RuntimeError):
    """A source has a kernel that is spelled in a way that is not known here."""


def translated(source: str) -> str:
    """The source with shared arrays in a block's own memory, and with an entry for each kernel."""
    text = DYNAMIC.sub(r"EMULATOR_DYN_SHARED(\1, \2);", source)
    text = SHARED.sub(
        lambda m: f"EMULATOR_SHARED({m[2]}, {m[3]}, {m[4].strip()}, {m[1] or 1});", text
    )
    bare = COMMENT.sub("", source)
    found = list(KERNEL.finditer(bare))
    if len(found) != len(re.findall(r"\b__global__\b", bare)):
        raise TranslationError(f"kernels other than {[m[3] for m in found]} were not recognised")
    entries = [f"EMULATOR_EXPORT({m[3]}, {m[1] or m[2] or 1024})" for m in found]
    return "\n".join([text, *entries, ""])


def compile_in(folder: str | Path, command: Sequence[str]) -> None:
    """Run a compiler in a folder."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")


@cache
def digest() -> str:
    """A digest of all that decides what is made, beside the source and the flags.

    That is the emulator's own text, the compiler, and the processor, for which it compiles.
    """
    found = sha256()
    for path in (Path(__file__), *sorted(HERE.rglob("*"))):
        if path.is_file():
            found.update(path.read_bytes())
    told = subprocess.run([COMPILER, "--version"], capture_output=True, check=False)
    found.update(told.stdout + "\n".join([str(HERE), *_processor()]).encode())
    return found.hexdigest()


def _processor() -> list[str]:
    """What the system says of the processor that decides which instructions there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    said = ("vendor_id", "cpu family", "model", "flags", "Features")
    return sorted({x for x in lines if x.partition(":")[0].strip() in said})


def flags_of(*, check: bool) -> tuple[str, ...]:
    """The flags for kernels; with ``check`` all accesses are checked."""
    return (*KERNELS, *QUIET, *(CHECKED if check else ()))


def headers(flags: Sequence[str], cache_folder: Path) -> Path:
    """The emulator's header for these flags: one that is compiled already lies beside it."""
    key = sha256("\0".join([digest(), *flags]).encode()).hexdigest()
    folder = cache_folder / f"{key}.headers"
    if not folder.exists():
        place = Path(tempfile.mkdtemp(prefix="building-", dir=cache_folder))
        try:
            (place / "emulator.h").write_text(f'#include "{HERE / "cuda.h"}"\n', encoding="utf-8")
            kind = ["-x", "c++-header", "emulator.h", "-o", "emulator.h.gch"]
            compile_in(place, [COMPILER, *flags, *kind])
            take_over(place, folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return folder / "emulator.h"


def take_over(made: Path, folder: Path) -> None:
    """Let a folder be what was made beside it, all at once, unless another process was faster."""
    try:
        os.rename(made, folder)
    except OSError:
        if not folder.exists():
            raise


def compiled(
    source: str, cache_folder: Path, *, check: bool = False, extra: Sequence[str] = ()
) -> bytes:
    """The shared object of a source's kernels; ``extra`` are flags of the preprocessor."""
    flags = flags_of(check=check)
    include = ["-include", str(headers(flags, cache_folder)), f"-I{HERE / 'include'}", *extra]
    with tempfile.TemporaryDirectory(prefix="graphc-") as folder:
        Path(folder, "kernels.cpp").write_text(translated(source), encoding="utf-8")
        # Apart, for to link with these flags would bring in libraries that know nothing of fibers.
        compile_in(folder, [COMPILER, *flags, *include, "-c", "kernels.cpp", "-o", "kernels.o"])
        compile_in(folder, [COMPILER, "-shared", "-nostdlib", "kernels.o", "-o", "kernels.so"])
        return Path(folder, "kernels.so").read_bytes()
