"""The C compiler: which ones there are, and which one works."""

from __future__ import annotations

import _ctypes
import ctypes
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from graphc.backends import disk
from graphc.backends.native.flags import FLAGS, SHARED, known_to_clang
from graphc.backends.native.locks import Exclusion
from graphc.errors import GraphcRuntimeError

NAMES = ("cc", "gcc", "clang")
"""Compilers in the order in which they are looked for on the PATH."""
ADVICE = (
    "install gcc or clang, so that `cc`, `gcc` or `clang` is on the PATH, or "
    '`pip install "graphc[native]"`, which brings a compiler'
)
ZIG = "ziglang"
ZIG_PROCESSORS = {
    "-march=x86-64-v3": "-mcpu=x86_64_v3",
    "-march=x86-64-v4": "-mcpu=x86_64_v4",
    "-march=armv8-a": "-mcpu=generic",
}
SAMPLE = """#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
typedef float pair __attribute__((vector_size(8)));
int32_t graphc_sample(float x) { pair y = {x, sqrtf(x)}; y = y * y; return (int32_t)(y[0] + y[1]); }
"""
"""A program that compiles where everything is there that generated programs need."""


SEARCHING = Exclusion()


@dataclass(frozen=True)
class Compiler:
    """A C compiler that works."""

    name: str
    command: tuple[str, ...]
    """How it is started; a command's other arguments follow."""
    version: str

    @property
    def identity(self) -> str:
        """What distinguishes what it makes from what others make."""
        return "\n".join((*self.command, self.version))

    def spelled(self, flags: Sequence[str]) -> list[str]:
        """The flags as this compiler wants them."""
        if self.name == ZIG or "clang" in self.version:
            flags = known_to_clang(flags)
        if self.name != ZIG:
            return list(flags)
        # It names processors in its own way, and takes the machine's own where none is named.
        chosen = [ZIG_PROCESSORS.get(flag, flag) for flag in flags]
        return chosen if chosen != list(flags) else ["-mcpu=baseline", *flags]


@dataclass(frozen=True)
class Candidate:
    """A C compiler that may work."""

    name: str
    command: tuple[str, ...]

    @property
    def state(self) -> str:
        """The program file as it is now; what is known of the compiler holds as long."""
        path = os.path.realpath(self.command[0])
        found = os.stat(path)
        return f"{' '.join(self.command)} {path} {found.st_size} {found.st_mtime_ns}"


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of a compiler that keeps nothing but what it builds in a folder."""
    return {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(folder)}


def candidates(path: str) -> Iterator[Candidate]:
    """The compilers on a PATH, then the one of the package ``ziglang``."""
    for name in NAMES:
        where = shutil.which(name, path=path)
        if where:
            yield Candidate(name, (where,))
    spec = find_spec(ZIG)
    for folder in (spec and spec.submodule_search_locations) or ():
        zig = Path(folder) / "zig"
        if zig.is_file():
            yield Candidate(ZIG, (str(zig), "cc", "-fno-sanitize=all"))


def compiler() -> Compiler:
    """The compiler to use. Raises where none works."""
    found, reasons = _found()
    if found is None:
        failures = "".join(f"\n  {reason}" for reason in reasons)
        raise GraphcRuntimeError(
            f"the backend 'native' needs a C compiler, and none works here: {ADVICE}{failures}"
        )
    return found


def explanation() -> tuple[bool, str]:
    """Whether a compiler works, and which one, or why none does."""
    found, reasons = _found()
    if found is None:
        return False, "; ".join(("no C compiler", *reasons, ADVICE))
    return True, "; ".join((f"{found.name}: {found.version}", *reasons))


def _found() -> tuple[Compiler | None, tuple[str, ...]]:
    """What a search on the PATH finds; threads that ask at once search once."""
    with SEARCHING:
        return _search(os.environ.get("PATH", os.defpath))


@cache
def _search(path: str) -> tuple[Compiler | None, tuple[str, ...]]:
    """The first compiler that works, and why those before it do not."""
    if sys.platform == "win32":
        return None, ("programs are loaded on Linux and macOS only",)
    known = _known()
    reasons: list[str] = []
    for candidate in candidates(path):
        state = candidate.state
        if state not in known:
            version, reason = _tried(candidate)
            known[state] = [version, reason]
            disk.write(_record(), json.dumps(known, indent=1).encode())
        version, reason = known[state]
        if not reason:
            return Compiler(candidate.name, candidate.command, version), tuple(reasons)
        reasons.append(f"{candidate.name} ({candidate.command[0]}) does not work: {reason}")
    return None, tuple(reasons)


def _record() -> Path:
    return disk.folder() / "compilers.json"


def _known() -> dict[str, list[str]]:
    """By a compiler's state, its version and why it does not work, as found out before."""
    try:
        found = json.loads(_record().read_bytes())
        items = found.items()
        return {k: [str(v[0]), str(v[1])] for k, v in items if os.path.exists(k.split(" ")[0])}
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        return {}


def _tried(candidate: Candidate) -> tuple[str, str]:
    """The version of a compiler, and why it does not work, if so."""
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory(prefix="graphc-") as name:
        source, library = Path(name, "sample.c"), Path(name, "sample.so")
        source.write_text(SAMPLE, encoding="utf-8")
        flags = known_to_clang((*FLAGS, *SHARED))
        command = [*candidate.command, *flags, str(source), "-o", str(library), "-lm"]
        try:
            asked = subprocess.Popen(
                [*candidate.command[:2], "--version"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                env=surroundings(Path(name)),
            )
            answer = asked.communicate()[0].decode(errors="replace")
        except OSError as error:
            return "", str(error)
        if done.returncode or asked.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            return "", said[0] if said else f"it ends with {done.returncode or asked.returncode}"
        return (answer.splitlines() or [""])[0], _loaded(library)


def _loaded(library: Path) -> str:
    """Why a compiled sample cannot be used, or nothing."""
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        return f"what it makes cannot be loaded: {error}"
    loaded.graphc_sample.argtypes = [ctypes.c_float]
    found = loaded.graphc_sample(4.0)
    _ctypes.dlclose(loaded._handle)
    return "" if found == 20 else f"what it makes computes {found} in place of 20"
