"""From C text to a shared object: compiled, or found in the cache."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphc.backends import disk
from graphc.backends.native.compilers import Compiler, surroundings
from graphc.backends.native.flags import SHARED
from graphc.errors import GraphcRuntimeError

if TYPE_CHECKING:
    from subprocess import Popen


@dataclass
class Process:
    """A compiler at work on a source."""

    source: Path
    command: list[str]
    running: Popen[bytes]


class Build:
    """A shared object of C texts, each a whole translation unit: found, or to be compiled.

    A text that takes time to write is given by what it is made from, and by what writes it.
    """

    def __init__(
        self,
        texts: Sequence[str],
        flags: Sequence[str],
        compiler: Compiler,
        write: Callable[[], str] | None = None,
    ) -> None:
        self.texts = texts
        self.write = write
        self.compiler = compiler
        self.flags = compiler.spelled(flags)
        self.key = disk.key_of((*texts, *self.flags, *SHARED, compiler.identity))
        self.found: Path | None = None
        self.folder: Path | None = None
        """Where it is being built."""
        self.waiting: list[tuple[Path, Path]] = []
        """Sources to be compiled, with where to."""
        self.processes: list[Process] = []

    def begin(self) -> None:
        """Start the compiler, unless the cache has what it would make."""
        if self.found is None and self.folder is None:
            self.found = disk.find(self.key)
            if self.found is None:
                self._begin()

    def path(self) -> Path:
        """The shared object, complete. Raises the compiler's message."""
        self.begin()
        if self.found is None:
            try:
                self.found = self._finished()
            finally:
                self._clear()
        return self.found

    def _begin(self) -> None:
        self.folder = disk.building()
        self.library = self.folder / "library.so"
        self.objects: list[Path] = []
        texts = self.texts if self.write is None else [self.write()]
        self.single = len(texts) == 1
        for number, text in enumerate(texts):
            name = f"{self.key}.c" if self.single else f"{self.key}.{number}.c"
            source = disk.folder() / name
            disk.write(source, text.encode())
            self.objects.append(self.folder / f"{number}.o")
            self.waiting.append((source, self.library if self.single else self.objects[-1]))
        for _ in range(os.cpu_count() or 1):
            self._start_next()

    def _start_next(self) -> None:
        if self.waiting:
            source, target = self.waiting.pop(0)
            kind = [*SHARED] if self.single else ["-c", *(x for x in SHARED if x != "-shared")]
            last = ["-lm"] if self.single else []
            self._start(source, [*self.flags, *kind, str(source), "-o", str(target), *last])

    def _start(self, source: Path, arguments: list[str]) -> None:
        from subprocess import DEVNULL, PIPE, STDOUT, Popen  # not needed where all is found

        assert self.folder is not None
        command = [*self.compiler.command, *arguments]
        environment = surroundings(self.folder)
        running = Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment)
        self.processes.append(Process(source, command, running))

    def _finished(self) -> Path:
        self._wait_for_all()
        if not self.single:
            objects = [str(x) for x in self.objects]
            self._start(self.library, [*SHARED, *objects, "-o", str(self.library), "-lm"])
            self._wait_for_all()
        return disk.put(self.key, self.library)

    def _wait_for_all(self) -> None:
        while self.processes:
            process = self.processes[0]
            output = process.running.communicate()[0]
            if process.running.returncode:
                raise _failure(self.compiler, process, output.decode(errors="replace"))
            del self.processes[0]
            self._start_next()

    def _clear(self) -> None:
        """End what is still at work, and remove what it made."""
        for process in self.processes:
            process.running.kill()
            process.running.wait()
            assert process.running.stdout is not None
            process.running.stdout.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder, self.processes, self.waiting = None, [], []

    def __del__(self) -> None:
        if self.__dict__.get("folder") is not None:
            self._clear()


def _failure(compiler: Compiler, process: Process, output: str) -> GraphcRuntimeError:
    ended = f"it ended with {process.running.returncode}"
    return GraphcRuntimeError(
        f"{compiler.name} could not compile {process.source}\n"
        f"{output.strip() or ended}\n"
        f"the command was: {' '.join(process.command)}"
    )
