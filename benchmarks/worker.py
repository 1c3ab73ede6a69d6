"""A process that holds one runner and one workload, and times it when asked.

Requests and answers are pickles on stdin and stdout; whatever the framework prints goes to stderr.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
import time
import traceback
from typing import Any

from benchmarks.machine import keep_to, peak_memory
from benchmarks.runners import Job, Unsupported
from benchmarks.workloads import WORKLOADS

SAMPLE_SECONDS = 2e-4
"""Shorter steps are timed several at a time."""
WARM_SECONDS = 0.02
"""Before each slice; wakes the framework's threads."""
LOSSES = 5
"""Train steps whose losses are compared."""


class Worker:
    """The verbs that the driver may call."""

    module: Any
    job: Job
    loop = 1
    """Steps in one sample."""

    def start(self, runner: str, threads: int) -> dict[str, Any]:
        keep_to(threads)
        begin = time.perf_counter()
        path = runner if "." in runner else f"benchmarks.runners.{runner}"
        self.module = importlib.import_module(path)
        facts = self.module.start(threads)
        seconds = time.perf_counter() - begin
        return {"facts": facts, "seconds": seconds, "tunes": getattr(self.module, "TUNES", False)}

    def build(self, name: str) -> dict[str, Any]:
        """Build, take the first step, and return the results to compare."""
        workload = WORKLOADS[name]
        case = workload.case()
        begin = time.perf_counter()
        try:
            self.job = job = self.module.build(name, case)
        except Unsupported as reason:
            return {"unsupported": str(reason) or "not done by this runner"}
        first = job.result(job.step())
        seconds = time.perf_counter() - begin
        if workload.kind != "train":
            return {"seconds": seconds, "results": first, "updates": {}}
        # The loss hides a wrong gradient well, so the first step's updates are compared too.
        job.reset()
        losses = [float(job.result(job.step())[0])]
        updates = {k: v - case.params[k] for k, v in job.params().items()}
        losses += [float(job.result(job.step())[0]) for _ in range(LOSSES - 1)]
        return {"seconds": seconds, "results": losses, "updates": updates}

    def calibrate(self) -> float:
        """Warm up and choose how many steps make one sample."""
        self.job.reset()
        self.job.step()
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < 0.3 or count < 2:
            self.job.step()
            count += 1
        one = (time.perf_counter() - begin) / count
        self.loop = max(1, round(SAMPLE_SECONDS / one))
        return one

    def measure(self, seconds: float) -> list[float]:
        """Seconds per step, one figure per sample, for about ``seconds``."""
        step, loop, clock = self.job.step, self.loop, time.perf_counter
        self.job.reset()
        gc.collect()
        warm = clock() + WARM_SECONDS
        step()
        while clock() < warm:
            step()
        samples = []
        end = clock() + seconds
        while True:
            before = clock()
            for _ in range(loop):
                step()
            after = clock()
            samples.append((after - before) / loop)
            if after >= end:
                return samples

    def memory(self) -> int:
        return peak_memory()


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = Worker()
    while True:
        try:
            verb, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = getattr(worker, verb)(*arguments)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    main()
