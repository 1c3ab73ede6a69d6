"""The conformance kit on native programs that the compiler's sanitizers watch.

    python -m tests.backends.native_watched address
    python -m tests.backends.native_watched thread -k matmul

runs the kit under AddressSanitizer and UndefinedBehaviorSanitizer, or under ThreadSanitizer, with
what else pytest is given. A test during which one of them finds something fails with what it said.
It is a plugin of that pytest as well, which lets programs be compiled for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphc.backend import Sources
from graphc.backends.native import NativeBackend, build, emit
from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import SHARED
from graphc.backends.native.memory import Memory
from graphc.ir.graph import Graph
from graphc.ir.node import Node
from graphc.lowering.views import Result

CHECKOUT = Path(__file__).parents[2]
KIT = ("graphc/testing", "--backend", "native")
FLAGS = {
    "address": ("-fsanitize=address,undefined", "-fsanitize-recover=all", "-g1", "-O1"),
    "thread": ("-fsanitize=thread", "-g1", "-O1"),
}
"""Of each kind. What is wrong does not end the process, so that one run finds all there is."""
LIBRARIES = {"address": ("libasan.so", "libubsan.so"), "thread": ("libtsan.so",)}
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=0",
}
WATCH, REPORTS = "GRAPHC_WATCH", "GRAPHC_WATCH_REPORTS"
"""What is looked for, and the beginning of the paths of what is found."""
UNDEFINED = ": runtime error: "
"""What is in the reports of UndefinedBehaviorSanitizer."""
READ: dict[Path, int] = {}
"""How much of each report has been read."""
FEW = 16
THRESHOLDS = {
    "made": {"SMALL": FEW},
    "copying": {"SMALL": FEW},
    "sweeps": {"SMALL": FEW, "BLOCK": FEW},
    "scattering": {"SMALL": FEW},
    "convolution_direct": {"PIECE": FEW},
    "convolution_weights": {"PIECE": FEW},
    "convolution_winograd": {"PIECE": FEW},
    "attention_matrices": {"HEAVY": FEW},
    "tiles": {"WORTH": FEW},
    "emit": {"PHASE": 0},
}
"""Work from which it is split, so low that the kit's small arrays are; by module."""
AT_ONCE = (
    (
        """static void one_by_one(void (*task)(long), long count) {
    for (long i = 0; i < count; i++) task(i);
}
""",
        """#include <pthread.h>
enum { AT_ONCE = 5 };
struct share { void (*task)(long); long first, count; };

static void *one_share(void *given) {
    const struct share *x = given;
    for (long i = x->first; i < x->count; i += AT_ONCE) x->task(i);
    return NULL;
}

static void one_by_one(void (*task)(long), long count) {
    pthread_t threads[AT_ONCE];
    struct share shares[AT_ONCE];
    for (long i = 0; i < AT_ONCE; i++) {
        shares[i] = (struct share){task, i, count};
        if (pthread_create(&threads[i], NULL, one_share, &shares[i])) abort();
    }
    for (long i = 0; i < AT_ONCE; i++) pthread_join(threads[i], NULL);
}
""",
    ),
    ("    parallel = pool;\n", "    (void)pool;\n"),
)
"""What stands in a program, and what stands there instead."""


# -- the process around pytest ---------------------------------------------------------------------


def surroundings(kind: str, reports: str) -> dict[str, str]:
    """The environment of a Python in which programs are watched."""
    libraries = [_library(name) for name in LIBRARIES[kind]]
    return {
        **os.environ,
        **{name: f"{given}:log_path={reports}" for name, given in OPTIONS.items()},
        "LD_PRELOAD": " ".join(libraries),
        "GRAPHC_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *filter(None, [os.getenv("PYTHONPATH")])]),
        WATCH: kind,
        REPORTS: reports,
    }


def _library(name: str) -> str:
    """A sanitizer's library, which must be in the process before any other."""
    asked = [*compiler().command, f"-print-file-name={name}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(found).is_absolute():
        raise FileNotFoundError(f"{compiler().name} has no {name}: install gcc's sanitizers")
    return found


def watched(
    kind: str, arguments: Sequence[str], *, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """A run of pytest with these arguments."""
    plugins = ("-p", "no:cacheprovider", "-p", "tests.backends.native_watched")
    with tempfile.TemporaryDirectory(prefix="graphc-") as folder:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *plugins, *arguments],
            cwd=CHECKOUT,
            env=surroundings(kind, f"{folder}/report"),
            capture_output=capture,
            text=True,
            check=False,
        )


# -- what is different in that process -------------------------------------------------------------


class Apart(Memory):
    """Values that each have memory of their own, so that nobody reaches one from another."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.apart: dict[object, tuple[str, int]] = {}
        """The name and the bytes of the memory of each value and workspace."""
        self.workspaces: dict[tuple[Node, int], int] = {}

    def plan(self, made: Any, prepared: frozenset[Node] = frozenset()) -> None:
        super().plan(made, prepared)
        for kernel, one in made.items():
            for i, nbytes in enumerate(one.workspace):
                self.workspaces[kernel, i] = nbytes

    def _space(self, key: object, nbytes: int) -> str:
        return self.apart.setdefault(key, (f"apart_{len(self.apart)}", max(1, nbytes)))[0]

    def workspace(self, kernel: Node, number: int) -> str:
        return self._space((kernel, "workspace", number), self.workspaces[kernel, number])

    def values(self) -> list[tuple[str, str, str, str]]:
        found = super().values()
        owners = {self.names[x]: x for x in self.names}
        return [(name, kind, self._of(owners[name]), note) for name, kind, _, note in found]

    def _of(self, result: Result) -> str:
        while result in self.schedule.shared:
            result = self.schedule.shared[result]
        return self._space(result, result[0].types[result[1]].nbytes)


class EmissionApart(emit.Emission):
    """An emission whose program declares that memory."""

    def _render(self, kernels: Iterable[str], helpers: Iterable[str]) -> str:
        assert isinstance(self.memory, Apart)
        self.memory.values()
        for name, nbytes in self.memory.apart.values():
            self.constants[f"_Alignas(64) unsigned char {name}[{nbytes}];"] = name
        return super()._render(kernels, helpers)


class EmissionAtOnce(emit.Emission):
    """An emission whose program runs the tasks of a stage on threads made for them.

    Nothing orders these, so that every race is seen, whereas in a pool the thread that hands out
    such small tasks is through with them before another is awake.
    """

    def _render(self, kernels: Iterable[str], helpers: Iterable[str]) -> str:
        text = super()._render(kernels, helpers)
        for before, after in AT_ONCE if self.tasks else ():
            assert text.count(before) == 1
            text = text.replace(before, after)
        return text


def watch(kind: str) -> None:
    """Let the programs of this process be compiled for a sanitizer, and split their work."""
    os.environ.pop("LD_PRELOAD", None)  # the compiler need not be watched
    patch = pytest.MonkeyPatch()
    patch.setattr(build, "SHARED", (*SHARED, *FLAGS[kind]))
    for module, settings in THRESHOLDS.items():
        for name, value in settings.items():
            patch.setattr(f"graphc.backends.native.{module}.{name}", value)
    # No program's text from earlier processes, nor for later ones, for it depends on all this.
    patch.setattr(NativeBackend, "recalled", _written)
    if kind == "address":
        # Races between values that share memory are for the other kind to find.
        patch.setattr(emit, "Memory", Apart)
        patch.setattr(emit, "Emission", EmissionApart)
    else:
        patch.setattr(emit, "Emission", EmissionAtOnce)


def _written(backend: NativeBackend, graph: Graph, write: Callable[[], Sources]) -> Sources:
    """What is written, anew."""
    return write()


def reported() -> str:
    """What was found since this was last asked."""
    start = Path(os.environ[REPORTS])
    found = []
    for path in sorted(start.parent.glob(f"{start.name}.*")):
        text = path.read_text(errors="replace")
        found.append(text[READ.get(path, 0) :])
        READ[path] = len(text)
    return "\n".join(filter(None, found))


def pytest_configure(config: pytest.Config) -> None:
    """Not in a process that only hands out tests: those it starts are to be watched, too."""
    if config.getoption("numprocesses", None) is None or hasattr(config, "workerinput"):
        watch(os.environ[WATCH])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test fails during which something is found."""
    report = yield
    found = reported()
    if report.when == "call" and UNDEFINED in report.capstderr:  # which has reports of its own
        found += report.capstderr
    if found:
        report.outcome, report.longrepr = "failed", f"{report.longrepr or ''}\n{found}"
    return report


def main() -> int:
    """Run the kit; the exit status is that of pytest."""
    if len(sys.argv) < 2 or sys.argv[1] not in FLAGS:
        print(__doc__)
        return 2
    kind, *arguments = sys.argv[1:]
    return watched(kind, [*KIT, *arguments]).returncode


if __name__ == "__main__":
    sys.exit(main())
