"""The driver's side of a worker: a process per runner and workload."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from typing import IO, Any

from benchmarks import machine


class RunnerError(Exception):
    """A runner failed; the others go on."""


class Process:
    """A ``benchmarks.worker`` that holds one runner."""

    def __init__(self, runner: str, threads: int, log: IO[str]) -> None:
        self.runner = runner
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            env=machine.environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        try:
            self.started = self.call("start", runner, threads)
        except RunnerError:
            self.close()
            raise

    def call(self, verb: str, *arguments: Any) -> Any:
        assert self.popen.stdin is not None and self.popen.stdout is not None
        try:
            pickle.dump((verb, arguments), self.popen.stdin)
            self.popen.stdin.flush()
            answer = pickle.load(self.popen.stdout)
        except (EOFError, BrokenPipeError):
            raise RunnerError(f"process ended with {self.popen.wait()}") from None
        if isinstance(answer, dict) and "error" in answer:
            raise RunnerError(answer["error"])
        return answer

    def close(self) -> None:
        assert self.popen.stdin is not None and self.popen.stdout is not None
        self.popen.stdin.close()
        self.popen.stdout.close()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def measure(self, seconds: float) -> tuple[list[float], float]:
        """The samples of one slice, and its noise.

        The noise is the share of the CPUs that other processes used meanwhile, or the share for
        which the runner's own threads had to wait, if that is less: another process on a CPU that
        the runner leaves idle does no harm.
        """
        begin, busy = time.perf_counter(), machine.busy_seconds()
        ran, waited = machine.usage(self.popen.pid)
        samples = self.call("measure", seconds)
        ran_after, waited_after = machine.usage(self.popen.pid)
        others = (machine.busy_seconds() - busy) - (ran_after - ran)
        available = (time.perf_counter() - begin) * machine.CPUS
        return samples, max(0.0, min(others, waited_after - waited) / available)

    def quiet_slice(self, seconds: float, limit: float, tries: int) -> tuple[list[float], float]:
        """The quietest of up to ``tries`` slices; the first one below the limit will do."""
        best = self.measure(seconds)
        for _ in range(tries - 1):
            if best[1] <= limit:
                break
            time.sleep(0.3)
            best = min(best, self.measure(seconds), key=lambda taken: taken[1])
        return best
