"""Eager PyTorch by its documented advice for CPUs: fused optimizers, channels_last."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.runners import Job, torch_common
from benchmarks.runners.torch_common import DISTRIBUTIONS, cache_env, start

__all__ = ["DISTRIBUTIONS", "build", "cache_env", "start"]

OPTIONS = torch_common.Options(optimizer="fused", channels_last=True)


def build(name: str, case: Case) -> Job:
    return torch_common.build(name, case, OPTIONS)
