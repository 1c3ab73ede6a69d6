"""torch.compile in its default mode; the optimizer's step is compiled too."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.runners import Job, torch_common
from benchmarks.runners.torch_common import DISTRIBUTIONS, cache_env, start

__all__ = ["DISTRIBUTIONS", "build", "cache_env", "start"]

OPTIONS = torch_common.Options(compile=True, optimizer="compiled")


def build(name: str, case: Case) -> Job:
    return torch_common.build(name, case, OPTIONS)
