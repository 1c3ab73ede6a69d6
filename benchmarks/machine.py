"""The machine: its facts, how busy it is, and keeping it to oneself, all as Linux tells it."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CPUS = len(os.sched_getaffinity(0))
TICK = os.sysconf("SC_CLK_TCK")


def facts() -> dict[str, Any]:
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": model,
        "cpus": CPUS,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def environment(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use so many threads."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA")
    return {**os.environ, **{f"{name}_NUM_THREADS": str(threads) for name in names}}


def keep_to(cpus: int) -> None:
    """Hold this process to so many CPUs; there are frameworks that ask for nothing else."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpus])


def peak_memory() -> int:
    """Bytes of this process; getrusage would count what its parent used before."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def busy_seconds() -> float:
    """What all CPUs have worked since the machine started."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def usage(process: int) -> tuple[float, float]:
    """Seconds its threads have run, and seconds they were ready but had to wait for a CPU."""
    folder = Path(f"/proc/{process}")
    fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    waited = 0
    for thread in (folder / "task").iterdir():
        with contextlib.suppress(OSError):
            waited += int((thread / "schedstat").read_text(encoding="utf-8").split()[1])
    return (int(fields[11]) + int(fields[12])) / TICK, waited / 1e9


@contextlib.contextmanager
def locked(path: str | None) -> Iterator[None]:
    """Holds the lock file, so that only one benchmark on the machine is timing."""
    if not path:
        yield
        return
    import fcntl

    with open(path, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_priority(process: int, nice: int) -> None:
    """Of all its threads, and of its session, which Linux may schedule as one group."""
    folder = Path(f"/proc/{process}")
    with contextlib.suppress(OSError):
        for thread in (folder / "task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)
        (folder / "autogroup").write_text(str(nice), encoding="utf-8")


@contextlib.contextmanager
def first(process: int, wanted: bool) -> Iterator[None]:
    """Within the block the process runs before all others, if that is wanted and allowed."""
    if wanted:
        set_priority(process, -20)
    yield
    if wanted:
        set_priority(process, 0)
