"""How long the kernels of a program take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphc.specialization import Specialization
    from graphc.split_program import AnyProgram
    from graphc.storage import Storage
    from graphc.tensor import Tensor

WARM = 3
"""Runs that are not counted."""


@dataclass(frozen=True)
class KernelTime:
    """One statement of the step."""

    kernels: tuple[str, ...]
    """The functions that it runs, several where these run at once."""
    what: str
    """What they compute, and the lines of the user's program that this is for."""
    milliseconds: float
    share: float
    """Of the time of all."""


@dataclass(frozen=True)
class Profile:
    """The kernels in the order in which they run, and the time of a step as it is otherwise run."""

    kernels: tuple[KernelTime, ...]
    step_milliseconds: float
    backend: str
    repeats: int

    @property
    def kernel_milliseconds(self) -> float:
        """The time of all kernels."""
        return sum(x.milliseconds for x in self.kernels)

    def __iter__(self) -> Iterator[KernelTime]:
        return iter(self.kernels)

    def __len__(self) -> int:
        return len(self.kernels)

    def __str__(self) -> str:
        rows = sorted(self.kernels, key=lambda x: -x.milliseconds)
        names = [", ".join(x.kernels) for x in rows]
        width = max(map(len, names), default=0)
        lines = [
            f"{self.backend}: {self.kernel_milliseconds:.4f} ms in kernels, "
            f"{self.step_milliseconds:.4f} ms a step; medians of {self.repeats}"
        ]
        for name, x in zip(names, rows, strict=True):
            lines.append(
                f"{x.milliseconds:10.4f} ms {x.share:6.1%}  {name:<{width}}  {x.what}".rstrip()
            )
        return "\n".join(lines)


def profile(found: Specialization, tensors: list[Tensor], repeats: int) -> Profile:
    """The times of a specialisation's kernels, over copies of its state and of the arguments."""
    program, captured = found.program, found.captured
    for number in captured.hyperparameters:
        number.refresh()
    given = [*tensors, *(x.get(tensors) for x in captured.carried)]
    inputs = [t._storage.array for t in given]
    timed = program.timed()
    run = timed.bind([s.array.copy() for s in captured.state])
    laps = _repeated(lambda: run(*(x.copy() for x in inputs))[1], repeats)
    times = [median(lap) / 1e6 for lap in zip(*laps, strict=True)]
    whole = sum(times) or 1.0
    rows = zip(timed.statements, times, strict=True)
    return Profile(
        tuple(KernelTime(names, what, time, time / whole) for (names, what), time in rows),
        _plain(program, captured.state, inputs, repeats),
        program.label,
        repeats,
    )


def _repeated(run: Callable[[], Any], repeats: int) -> list[Any]:
    for _ in range(WARM):
        run()
    return [run() for _ in range(repeats)]


def _plain(program: AnyProgram, state: Sequence[Storage], inputs: list[Any], repeats: int) -> float:
    """Milliseconds of a step of the program itself, over copies."""
    step = program.executable.bind([s.array.copy() for s in state])

    def run() -> float:
        arrays = [x.copy() for x in inputs]
        program.wait()
        begin = perf_counter()
        step(*arrays)
        program.wait()
        return 1e3 * (perf_counter() - begin)

    times: list[float] = _repeated(run, repeats)
    return median(times)
