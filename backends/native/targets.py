"""The instruction sets that C is generated for."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """An instruction set: how wide its vectors are, how many there are, and how to ask for it."""

    name: str
    width: int
    """Bytes of a vector."""
    registers: int
    flags: tuple[str, ...]
    """The compiler's flags for it."""
    ahead: int = 0
    """How many bytes ahead loops ask for memory; none where processors do that well themselves."""

    @property
    def totals(self) -> int:
        """Bytes of the lanes in which a total is added up: four vectors, for an addition takes as
        long as four of them follow each other."""
        return max(128, 4 * self.width)

    def lanes(self, itemsize: int) -> int:
        """Elements of a vector."""
        return self.width // itemsize


WITHOUT_MMX = ("-mno-mmx",)
"""Of these registers, which are the x87's, gcc may take one for half a vector, and leave it taken:
what libraries compute by the x87 afterwards is nan."""
FAMILY = WITHOUT_MMX if platform.machine() in ("x86_64", "AMD64") else ()
"""What this machine's family of processors needs to be told."""

TARGETS = {
    target.name: target
    for target in (
        Target(
            "avx512",
            64,
            32,
            ("-march=x86-64-v4", "-mprefer-vector-width=512", *WITHOUT_MMX),
            ahead=2048,
        ),
        Target("avx2", 32, 16, ("-march=x86-64-v3", *WITHOUT_MMX)),
        Target("neon", 16, 32, ("-march=armv8-a",)),
        Target("portable", 16, 16, FAMILY),
    )
}


@cache
def host() -> Target:
    """The best target that this machine runs."""
    if platform.machine() in ("aarch64", "arm64"):
        return TARGETS["neon"]
    flags = _flags()
    v3 = {"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe"}
    v4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    if v3 <= flags:
        return TARGETS["avx512" if v4 <= flags else "avx2"]
    return TARGETS["portable"]


def is_runnable(target: Target) -> bool:
    """Whether this machine runs programs for a target."""
    narrower = {"avx512": ("avx2", "portable"), "portable": ()}
    best = host().name
    return target.name in (best, *narrower.get(best, ("portable",)))


@cache
def processor() -> str:
    """The processor's model, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (x.split(":")[1].strip() for x in lines if x.startswith("model name"))
    return next(names, platform.machine())


def _flags() -> frozenset[str]:
    """What the processor says it has; nothing where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return next(
        (frozenset(x.split(":")[1].split()) for x in lines if x.startswith("flags")), frozenset()
    )
