"""The checks, each a command with a limit of time, and what came of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
Result = Literal["passed", "failed", "cut off", "skipped"]
TOOLS = ("memcheck", "racecheck", "synccheck")
SANITIZED = ("float32", "bfloat16", "int64", "float16", "float64", "int8", "bool")
"""Types of the kit whose kernels are watched, those that matter most first."""
FOUND = 9
"""What compute-sanitizer answers where it has found something."""
STARTING = 8.0
"""Seconds until a benchmark begins to measure: frameworks are imported, the CPU computes too."""
KIT = ("values", "gradients", "composites", "graphs", "contract", "text")


@dataclass(frozen=True)
class Check:
    """One command."""

    part: str
    name: str
    command: tuple[str, ...]
    absent: str = ""
    """Why it cannot be run here."""


@dataclass(frozen=True)
class Outcome:
    """What came of a check."""

    part: str
    name: str
    result: Result
    why: str
    """What the command said last, or why there was none."""
    seconds: float

    def facts(self) -> dict[str, object]:
        """For the summary's JSON."""
        return asdict(self)


def write(path: Path, text: str) -> None:
    """Let a file have this content, all at once."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def _pytest(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


def kit(workers: int, chosen: str) -> list[Check]:
    """The conformance kit, file by file; ``chosen`` is an expression of pytest's ``-k``."""
    shared = ["--backend", "cuda", *(["-n", str(workers)] if workers > 1 else [])]
    shared += ["-k", chosen] if chosen else []
    return [Check("kit", x, _pytest(f"graphc/testing/test_{x}.py", *shared)) for x in KIT]


def programs(chosen: str) -> list[Check]:
    """Tensors and trainings on the device, against the CPU; masks of dropout, bit for bit."""
    which = ["-k", chosen] if chosen else []
    return [Check("programs", "on_device", _pytest("tests/cuda/on_device", *which))]


def sanitizers(chosen: str, types: Sequence[str]) -> list[Check]:
    """The kit's kernels under compute-sanitizer, by element type, each by every tool."""
    found = sanitizer()
    if not found:
        return [Check("sanitizers", "all", (), "compute-sanitizer was not found")]
    checks = []
    for dtype in types:
        which = f"{dtype} and ({chosen})" if chosen else dtype
        run = _pytest("graphc/testing/test_values.py", "--backend", "cuda", "-k", which)
        for tool in TOOLS:
            watch = (found, "--tool", tool, "--error-exitcode", str(FOUND))
            checks.append(Check("sanitizers", f"{tool}-{dtype}", (*watch, *run)))
    return checks


def sanitizer() -> str:
    """Where compute-sanitizer is, or nothing."""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    beside = [os.path.join(home, "bin"), os.path.join(home, "compute-sanitizer")]
    return (
        shutil.which("compute-sanitizer", path=os.pathsep.join([os.environ["PATH"], *beside])) or ""
    )


def benchmarks(workloads: Sequence[str], folder: Path, seconds: float) -> list[Check]:
    """Each workload against the other frameworks; ``seconds`` are those of all together."""
    module = (sys.executable, "-m", "tools.gpu_check.benchmarks")
    each = str(max(1.0, seconds / len(workloads) - STARTING))
    return [
        Check("benchmarks", x, (*module, x, "--out", str(folder), "--seconds", each))
        for x in workloads
    ]


def run(
    checks: Sequence[Check], seconds: float, folder: Path, environment: Mapping[str, str]
) -> list[Outcome]:
    """Run checks one after the other while there is time; what they print goes to a log each."""
    end = time.monotonic() + seconds
    outcomes = []
    for check in checks:
        left = end - time.monotonic()
        if check.absent:
            outcomes.append(Outcome(check.part, check.name, "skipped", check.absent, 0.0))
        elif left <= 1:
            why = f"the {seconds:.0f} s for {check.part} were over"
            outcomes.append(Outcome(check.part, check.name, "skipped", why, 0.0))
        else:
            outcomes.append(_run(check, left, folder, environment))
    return outcomes


def _run(check: Check, limit: float, folder: Path, environment: Mapping[str, str]) -> Outcome:
    begin = time.monotonic()
    log = folder / "logs" / f"{check.part}-{check.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    result: Result
    with log.open("wb") as file:
        process = subprocess.Popen(
            check.command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            result = "failed" if process.wait(limit) else "passed"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with what it has started itself
            process.wait()
            result = "cut off"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    why = lines[-1] if lines else ""
    if process.returncode == 5 and "pytest" in check.command:
        result = "skipped"  # nothing was chosen
    if process.returncode == FOUND and check.part == "sanitizers":
        why = f"compute-sanitizer found errors: {why}"
    return Outcome(check.part, check.name, result, why, time.monotonic() - begin)
