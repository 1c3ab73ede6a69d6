"""torch.compile with every knob that is meant to help on a CPU."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.runners import Job, torch_common
from benchmarks.runners.torch_common import DISTRIBUTIONS, cache_env, start

__all__ = ["DISTRIBUTIONS", "TUNES", "build", "cache_env", "start"]

TUNES = True
OPTIONS = torch_common.Options(
    compile=True,
    compile_options={"mode": "max-autotune-no-cudagraphs", "fullgraph": True},
    inductor={"cpp_wrapper": True},
    inductor_infer={"freezing": True},
    optimizer="fused",
    channels_last=True,
    whole_grad=True,
)


def build(name: str, case: Case) -> Job:
    return torch_common.build(name, case, OPTIONS)
