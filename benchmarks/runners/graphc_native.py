"""graphc, compiled for the native backend."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.runners import Job, graphc_common
from benchmarks.runners.graphc_common import DISTRIBUTIONS, start

__all__ = ["DISTRIBUTIONS", "build", "start"]


def build(name: str, case: Case) -> Job:
    return graphc_common.build(name, case, "native")
