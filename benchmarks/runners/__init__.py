"""One module per framework, each with the same few names.

    start(threads) -> dict
        Import the framework, set its number of threads, return facts about it (versions and
        settings) for the report. Called once, first.

    build(name, case) -> Job
        Prepare workload `name` from the arrays in `case`. Raise Unsupported where this runner does
        not do that workload.

    cache_env(folder) -> dict                                                          (optional)
        Environment variables that put the framework's compile cache into `folder`, for the cold
        and warm figures of benchmarks.first_step.

    TUNES = True                                                                       (optional)
        build() times candidates, so it too must have the machine to itself.

    DISTRIBUTIONS = ("name on PyPI", ...)                                              (optional)
        What must be installed, for the size on disk.

A new framework is a new file here; nothing else has to change. A runner that is kept elsewhere is
named by its module's whole path, as in `--runners numpy_hand,my_package.my_runner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.cases import Array, Arrays


class Unsupported(Exception):
    """This runner does not do this workload."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Job:
    """A workload made ready to run."""

    step: Callable[[], Any]
    """One whole iteration; returns when its results are there."""
    result: Callable[[Any], list[Array]]
    """What `step` returned, as arrays: the loss of "train", the output of "infer", the value and
    then the gradients of "grad"."""
    reset: Callable[[], None] = _nothing
    """Puts weights and optimizer back to their initial values."""
    params: Callable[[], Arrays] = dict
    """The weights by their names and in their layouts in the case; of "train" only."""
