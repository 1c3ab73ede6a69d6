"""CUDA C to a cubin: by NVRTC within the process where it is installed, else by nvcc.

Neither a device nor PyCUDA is needed. What was compiled is kept in graphc's cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphc.backends import disk
from graphc.backends.cuda import nvrtc
from graphc.backends.cuda.nvrtc import FLAGS
from graphc.errors import GraphcRuntimeError

ADVICE = (
    'install NVRTC with `pip install "graphc[cuda]"`, or a CUDA toolkit whose `nvcc` is on the PATH'
)
PLACE = re.compile(r"\((\d+)\)(?=: (?:error|warning))|:(\d+):(?=\d+: error)")
"""How compilers name a line of the source."""


@dataclass(frozen=True)
class Nvcc:
    """A program that compiles, as nvcc does."""

    path: str
    version: str

    @property
    def identity(self) -> str:
        """What distinguishes what it makes from what others make."""
        return f"{self.path}\n{self.version}"

    def compiled(self, source: str, arch: str, *options: str) -> tuple[bytes, str]:
        """The cubin, or none, and what the compiler says."""
        with tempfile.TemporaryDirectory(prefix="graphc-") as folder:
            given, made = Path(folder, "program.cu"), Path(folder, "program.cubin")
            given.write_text(source, encoding="utf-8")
            flags = ["-cubin", *FLAGS, *options, f"-arch={arch}"]
            command = [self.path, *flags, str(given), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not made.exists():
                return b"", done.stderr or done.stdout
            return made.read_bytes(), done.stderr


def compile(source: str, arch: str) -> bytes:
    """The cubin of a CUDA C source for a processor such as ``sm_90``.

    What that one alone has is there for both of its names, ``sm_90`` and ``sm_90a``.

    Raises:
        GraphcRuntimeError: there is no compiler, or it does not take the source; then the message
            has what it says, and where the source is kept.
    """
    found = compiler()
    arch = "sm_90a" if arch == "sm_90" else arch
    key = disk.key_of((source, arch, found.identity, *FLAGS))
    known = disk.read(key, "cubin")
    if known is not None:
        return known
    made, said = found.compiled(source, arch)
    if not made:
        kept = disk.folder() / f"{key}.cu"
        disk.write(kept, source.encode())
        raise GraphcRuntimeError(
            f"the CUDA source of a program does not compile for {arch}; it is kept at {kept}\n"
            f"{said.strip()}{_quoted(source, said)}"
        )
    disk.keep(key, "cubin", made)
    return made


def _quoted(source: str, said: str) -> str:
    """The lines of the source that a compiler's log names."""
    lines = source.splitlines()
    numbers = {int(a or b) for a, b in PLACE.findall(said)}
    named = (n for n in sorted(numbers) if 0 < n <= len(lines))
    return "".join(f"\n{n:5} | {lines[n - 1]}" for n in named)


def compiler() -> Nvcc | nvrtc.Nvrtc:
    """The compiler to use. Raises where there is none."""
    found = _compiler(os.environ.get("GRAPHC_NVCC", ""), os.environ.get("PATH", os.defpath))
    if found is None:
        raise GraphcRuntimeError(f"the backend 'cuda' needs a compiler: {ADVICE}")
    return found


@cache
def _compiler(chosen: str, path: str) -> Nvcc | nvrtc.Nvrtc | None:
    if not chosen:
        library = nvrtc.find()
        if library is not None:
            return library
    where = chosen or shutil.which("nvcc", path=path)
    if not where:
        home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
        where = shutil.which("nvcc", path=os.path.join(home, "bin"))
    return None if not where else Nvcc(where, _version([where]))


def _version(command: Sequence[str]) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise GraphcRuntimeError(f"{command[0]} cannot be started: {error}") from None
    return done.stdout.strip()
