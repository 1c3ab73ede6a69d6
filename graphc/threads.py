"""How many threads share the work of a large kernel."""

from __future__ import annotations

import os

from graphc.changes import bump_epoch
from graphc.errors import GraphcRuntimeError, GraphcValueError

LIMIT = 16
"""More threads than this only wait for memory."""


def _default() -> int:
    """What ``GRAPHC_NUM_THREADS`` says, or one for each CPU."""
    chosen = os.environ.get("GRAPHC_NUM_THREADS")
    if chosen:
        if not chosen.isdecimal() or int(chosen) < 1:
            raise GraphcValueError(f"GRAPHC_NUM_THREADS must be a positive integer, not '{chosen}'")
        return int(chosen)
    if hasattr(os, "sched_getaffinity"):
        return min(LIMIT, len(os.sched_getaffinity(0)))
    return min(LIMIT, os.cpu_count() or 1)


class Threads:
    """The setting; programs are kept apart by it, since their text depends on it."""

    count = _default()


def get_num_threads() -> int:
    """The threads that share a large kernel: by default one for each CPU, 16 at most, or what the
    environment variable ``GRAPHC_NUM_THREADS`` says."""
    return Threads.count


def set_num_threads(count: int) -> None:
    """Let ``count`` threads share large kernels. The BLAS has threads of its own: for these set
    ``OMP_NUM_THREADS`` before numpy is imported."""
    if count < 1:
        raise GraphcRuntimeError(f"set_num_threads expects a positive integer, not {count}")
    Threads.count = int(count)
    bump_epoch()
