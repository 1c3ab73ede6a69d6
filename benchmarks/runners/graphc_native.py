"""graphc, compiled for the native backend."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.runners import Job, graphc_common
from benchmarks.runners.graphc_common import DISTRIBUTIONS, start

__all__ = ["DISTRIBUTIONS", "build", "cache_env", "start"]


def cache_env(folder: str) -> dict[str, str]:
    return {"GRAPHC_CACHE_DIR": folder}


def build(name: str, case: Case) -> Job:
    return graphc_common.build(name, case, "native")
