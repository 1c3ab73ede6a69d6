"""One workload on a GPU by graphc, PyTorch and JAX: ``python -m tools.gpu_check.benchmarks NAME``.

All are in one process and take turns, step by step. A step is timed by events on the device, but
for JAX, which has none: there the clock is the host's, until the result is there. Inputs are taken
from several buffers in turn, together larger than twice the L2 cache. What graphc and PyTorch
compute is compared with graphc on the CPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Array, Case
from benchmarks.runners import graphc_common
from benchmarks.workloads import WORKLOADS
from tools.gpu_check.checks import write

TOLERANCE = 5e-3
"""Of the largest element: convolutions are in tf32 by default, as PyTorch's are."""
LOSSES = 4
"""Steps of a training whose losses are compared."""
LEAST = 3
MEASURED = 10.0
"""Seconds of measuring, at most."""
MOST_BYTES = 2 << 30
"""Of all buffers together."""
NAMES = ("graphc", "torch eager", "torch.compile", "torch.compile max-autotune", "jax.jit")
MODES = {"torch.compile": "default", "torch.compile max-autotune": "max-autotune"}


@dataclass
class Contestant:
    """A framework's way of doing the workload."""

    name: str
    step: Callable[[int], Any]
    """One whole step with the inputs of a number."""
    timed: Callable[[Callable[[], Any]], Callable[[], float]]
    """Issues what it is given; what it returns waits, and gives the seconds."""
    read: Callable[[Any], list[Array]]
    samples: list[float] = field(default_factory=list)


def arrays(found: Any) -> list[Array]:
    """The numbers of a step's results."""
    if isinstance(found, tuple | list):
        return [x for part in found for x in arrays(part)]
    return [found.detach().cpu().numpy()]


def timed_by_events(package: Any) -> Callable[[Callable[[], Any]], Callable[[], float]]:
    """The clock of a device, for a package with PyTorch's events."""

    def timed(step: Callable[[], Any]) -> Callable[[], float]:
        begin, end = (package.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        step()
        end.record()

        def seconds() -> float:
            end.synchronize()
            return float(begin.elapsed_time(end)) * 1e-3

        return seconds

    return timed


def step_of(
    package: Any, models: Any, name: str, case: Case, place: str, compiled: Any, whole: bool
) -> Callable[[Any], Any]:
    """The step from its inputs; of a training all is compiled, or unless ``whole`` the loss."""
    kind = WORKLOADS[name].kind
    model = models.make_model(name, case).to(place)
    model.train(kind == "train")
    if kind == "infer":
        call = compiled(model.requires_grad_(False))
        return lambda given: call(given["x"])
    if kind == "grad":
        cotangent = package.from_numpy(case.inputs["ct"]).to(place) if "ct" in case.inputs else 1

        def both(x: Any) -> Any:
            total = (model(x) * cotangent).sum()
            return total, package.autograd.grad(total, [x, *model.parameters()])

        call = compiled(both)
        return lambda given: call(given["x"].requires_grad_())
    optimizer = models.make_optimizer(model, case.config)
    forward = models.loss_of(model, case)
    forward = forward if whole else compiled(forward)

    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    call = compiled(train) if whole else train
    return lambda given: call(given["x"], given["y"])


def copies(case: Case, cache_bytes: int) -> int:
    """How many buffers the inputs need to be larger than twice the cache."""
    size = sum(x.nbytes for x in case.inputs.values())
    return max(2, min(math.ceil(2 * cache_bytes / size), MOST_BYTES // size, 512))


def contestant(label: str, name: str, case: Case, count: int, sources: Path) -> Contestant:
    """A framework that is ready. Raises whatever it raises where it cannot be."""
    if label == "jax.jit":
        return jax_contestant(name, case)
    graphc_s = label == "graphc"
    package = importlib.import_module("graphc" if graphc_s else "torch")
    if not package.cuda.is_available():
        raise RuntimeError(f"{package.__name__} finds no CUDA device")
    if graphc_s:
        models, compiled = graphc_common.models(), Dumped(package, sources / name)
    else:
        models = importlib.import_module("benchmarks.runners.models")
        mode = MODES.get(label)
        compiled = (lambda f: package.compile(f, mode=mode)) if mode else (lambda f: f)  # type: ignore[assignment]
    step = step_of(package, models, name, case, "cuda", compiled, graphc_s)
    given = [
        {k: package.from_numpy(x.copy()).to("cuda") for k, x in case.inputs.items()}
        for _ in range(count)
    ]
    return Contestant(label, lambda i: step(given[i % count]), timed_by_events(package), arrays)


class Dumped:
    """Compiles by graphc, and keeps what was generated."""

    def __init__(self, package: Any, folder: Path) -> None:
        self.package, self.folder = package, folder
        self.made: Any = None

    def __call__(self, function: Any) -> Any:
        self.made = self.package.compile(function, backend="cuda")

        def first(*given: Any) -> Any:
            found = self.made(*given)
            if not self.folder.exists():
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.made.dump(self.folder)
            return found

        return first


def jax_contestant(name: str, case: Case) -> Contestant:
    """JAX, whose steps take the same inputs each time."""
    import jax

    from benchmarks.runners import jax_jit

    if jax.default_backend() != "gpu":
        raise RuntimeError(f"jax has only the device '{jax.default_backend()}'")
    job = jax_jit.build(name, case)

    def timed(step: Callable[[], Any]) -> Callable[[], float]:
        begin = time.perf_counter()
        jax.block_until_ready(step())  # type: ignore[no-untyped-call]
        taken = time.perf_counter() - begin
        return lambda: taken

    return Contestant("jax.jit", lambda _: job.step(), timed, job.result)


def expected(name: str, case: Case) -> list[Array]:
    """What graphc computes on the CPU."""
    import graphc

    step = step_of(graphc, graphc_common.models(), name, case, "cpu", graphc.compile, True)
    given = {k: graphc.from_numpy(x.copy()) for k, x in case.inputs.items()}
    return results(name, lambda _: step(given), arrays)


def results(
    name: str, step: Callable[[int], Any], read: Callable[[Any], list[Array]]
) -> list[Array]:
    """The numbers of the first steps: of a training several, or a wrong gradient would not show."""
    count = LOSSES if WORKLOADS[name].kind == "train" else 1
    return [x for _ in range(count) for x in read(step(0))]


def difference(found: Sequence[Array], wanted: Sequence[Array]) -> float:
    """The largest, by the largest element of each array."""
    pairs = zip(found, wanted, strict=True)
    return max(float(np.abs(a - b).max() / max(1e-6, np.abs(b).max())) for a, b in pairs)


def measure(contestants: Sequence[Contestant], seconds: float) -> None:
    """Take samples in turn while there is time, and at least ``LEAST`` of each."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end or number < 2 * LEAST:
        for each in contestants:
            each.step(number)  # what another one did to the caches is not its fault
            each.samples.append(each.timed(partial(each.step, number + 1))())
        number += 2


def rows(name: str, seconds: float, sources: Path) -> Iterator[dict[str, Any]]:
    """What is found of each contestant: a reason why not, or its times and its difference."""
    import graphc

    case = WORKLOADS[name].case()
    properties = graphc.cuda.get_device_properties()
    count = copies(case, properties.L2_cache_size)
    wanted = expected(name, case)
    ready, begin = [], time.monotonic()
    for label in NAMES:
        if label != "graphc" and time.monotonic() - begin > seconds / 2:
            yield {"name": label, "absent": "no time was left to compile it"}
            continue
        started = time.monotonic()
        try:
            made = contestant(label, name, case, count, sources)
            apart = difference(results(name, made.step, made.read), wanted)
        except Exception as error:
            said = (str(error).strip().splitlines() or [""])[0]
            yield {"name": label, "absent": f"{type(error).__name__}: {said}"}
            continue
        ready.append(made)
        facts = {"compiled_s": time.monotonic() - started, "difference": apart, "buffers": count}
        yield {"name": label, **facts, "samples": made.samples}
    if ready:
        measure(ready, min(MEASURED, max(1.0, seconds - (time.monotonic() - begin))))


def table(name: str, found: Sequence[dict[str, Any]]) -> str:
    """The rows as text: milliseconds, and how many times as long as graphc's."""
    own = next((x["median_ms"] for x in found if x["name"] == "graphc" and "median_ms" in x), None)
    lines = [f"{name}: {WORKLOADS[name].about}"]
    for row in found:
        if "absent" in row:
            lines.append(f"  {row['name']:<28} {row['absent']}")
            continue
        ratio = f"{row['median_ms'] / own:8.2f}" if own else ""
        spread = f"{row['low_ms']:.4f} to {row['high_ms']:.4f}"
        lines.append(
            f"  {row['name']:<28} {row['median_ms']:10.4f} ms {ratio}  {spread:>24}  "
            f"difference {row['difference']:.1e}, compiled in {row['compiled_s']:.1f} s"
        )
    return "\n".join(lines) + "\n"


def summed_up(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its median, its first and last decile."""
    if "samples" not in row:
        return row
    ordered = sorted(x * 1e3 for x in row.pop("samples"))
    tenth = len(ordered) // 10
    median = statistics.median(ordered)
    spread = {"low_ms": ordered[tenth], "high_ms": ordered[-1 - tenth], "count": len(ordered)}
    return {**row, "median_ms": median, **spread}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=WORKLOADS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    found = [
        summed_up(x) for x in list(rows(options.name, options.seconds, options.out / "sources"))
    ]
    folder = options.out / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / f"{options.name}.json", json.dumps(found, indent=1) + "\n")
    write(folder / f"{options.name}.txt", table(options.name, found))
    own = found[0]
    if "absent" in own:
        print(f"graphc: {own['absent']}")
        return 1
    print(f"graphc: {own['median_ms']:.4f} ms, difference {own['difference']:.1e}")
    return int(not own["difference"] <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
