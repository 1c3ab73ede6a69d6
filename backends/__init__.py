"""The backends: which there are, and which one ``auto`` takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from graphc.backend import Backend
from graphc.errors import GraphcValueError
from graphc.ops.precision import Absent, ConvolutionSettings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

cudnn = ConvolutionSettings()
mps, mkldnn, mkl, openmp = Absent(), Absent(), Absent(), Absent()
OWN = ("native", "numpy", "cuda")


def __getattr__(name: str) -> object:
    if name == "cuda":  # whose settings of precision are found without an import
        return import_module("graphc.backends.cuda")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def registered() -> EntryPoints:
    """The backends of other packages."""
    from importlib.metadata import entry_points  # costs more than the rest of this package

    return entry_points(group="graphc.backends")


@cache
def find(name: str) -> Backend:
    """The backend ``name``; ``auto`` is the fastest one that works here.

    ``native:TARGET`` is the native backend for one instruction set, such as ``native:avx2``, and
    ``cuda:TARGET`` that of CUDA for one processor, such as ``cuda:sm_90``.
    """
    if name == "auto":
        name = _automatic()
    if name in OWN:
        return import_module(f"graphc.backends.{name}").BACKEND  # type: ignore[no-any-return]
    kind, _, target = name.partition(":")
    if target and kind in ("native", "cuda"):
        made: Backend = import_module(f"graphc.backends.{kind}").for_target(target)
        return made
    for entry in registered():
        if entry.name == name:
            return entry.load()  # type: ignore[no-any-return]
    raise GraphcValueError(f"unknown backend '{name}': there are {', '.join(names())}")


def names() -> tuple[str, ...]:
    """Every backend that can be asked for."""
    return (*OWN, *sorted(entry.name for entry in registered()))


def works(name: str) -> bool:
    """Whether what a backend needs beside Python is there."""
    explanation = _explanation(name.partition(":")[0])
    return explanation is None or explanation()[0]


def _explanation(name: str) -> Callable[[], tuple[bool, str]] | None:
    """What tells whether a backend works, and by what, or why not; None where it always does."""
    if name == "native":
        from graphc.backends.native.compilers import explanation

        return explanation
    if name == "cuda":
        from graphc.backends.cuda.driver import explanation as of_cuda

        return of_cuda
    return None


def _automatic() -> str:
    return "native" if works("native") else "numpy"


def status() -> dict[str, str]:
    """What each backend is, and which of them ``auto`` takes."""
    found = {name: "registered" for name in names()}
    found["numpy"] = "works"
    for name in OWN:
        explanation = _explanation(name)
        if explanation is not None:
            available, why = explanation()
            found[name] = f"works with {why}" if available else f"does not work: {why}"
    taken = _automatic()
    found[taken] = f"taken by auto: {found[taken]}"
    return found
