"""What compilation takes, stage by stage: the step of a small GPT, and long chains of ops.

    python -m benchmarks.compile_time --programs gpt_nano_train,elementwise_20000

Medians of fresh processes that take turns. `capture` runs the Python function on stand-ins, with
differentiation; `passes` rewrites and verifies the graph; `emit` writes the source; `build` makes
it ready to run, by a C compiler and with an empty cache where the backend is native.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import fresh
from benchmarks.workloads import WORKLOADS

LENGTHS = (5_000, 10_000, 20_000)
STEP = "gpt_nano_train"
PROGRAMS = (STEP, *(f"{kind}_{n}" for kind in ("elementwise", "matmul") for n in LENGTHS))


def training_step(name: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """One step of a training workload, and its batch."""
    import graphc
    from benchmarks.runners.graphc_common import models

    case, written = WORKLOADS[name].case(), models()
    model = written.make_model(name, case)
    optimizer = written.make_optimizer(model, case.config)
    forward = written.loss_of(model, case)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step, tuple(graphc.from_numpy(case.inputs[key]) for key in ("x", "y"))


def chain(kind: str, length: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function of so many ops, each of which needs the one before; none can be left out."""
    import numpy as np

    import graphc

    def elementwise(x: Any, y: Any) -> Any:
        for _ in range(length // 2):
            x = graphc.sin(x) + y
        return x

    def matmul(x: Any, y: Any) -> Any:
        for _ in range(length):
            x = x @ y
        return x

    rng = np.random.default_rng(0)
    x, y = rng.random((2, 8, 8), dtype=np.float32)
    # Columns that add up to one keep a long product of matrices finite.
    arguments = graphc.from_numpy(x), graphc.from_numpy(y / y.sum(axis=0))
    return {"elementwise": elementwise, "matmul": matmul}[kind], arguments


def stages(name: str, backend_name: str) -> dict[str, float]:
    """Seconds of each stage; what the program computes is checked to be finite."""
    import numpy as np

    from graphc.capture import capture
    from graphc.compiler import load_backend, pipeline
    from graphc.passes import run

    kind, _, length = name.rpartition("_")
    function, arguments = chain(kind, int(length)) if length.isdigit() else training_step(name)
    backend = load_backend(backend_name)
    clock = [time.perf_counter()]
    captured = capture(function, arguments, {}, {})
    clock.append(time.perf_counter())
    graph = run(captured.graph, pipeline(backend))
    clock.append(time.perf_counter())
    sources = backend.emit(graph)
    clock.append(time.perf_counter())
    executable = backend.build(sources)
    clock.append(time.perf_counter())
    step = executable.bind([s.array for s in captured.state])
    (result, *_) = step(*(x.numpy() for x in arguments))
    assert np.isfinite(result).all()
    seconds = [after - before for before, after in pairwise(clock)]
    named = dict(zip(("capture", "passes", "emit", "build"), seconds, strict=True))
    counts = {"ops": len(captured.graph.nodes), "kernels": len(sources.kernels)}
    return {**named, "all": clock[-1] - clock[0], **counts}


CODE = """
import json, os
from tempfile import TemporaryDirectory
from benchmarks.compile_time import stages

with TemporaryDirectory() as folder:
    os.environ["GRAPHC_CACHE_DIR"] = folder
    print(json.dumps(stages({name!r}, {backend!r})))
"""


def row(figures: fresh.Figures) -> dict[str, str]:
    counts = ("ops", "kernels")
    return {
        **{key: f"{figures[key]:.0f}" for key in counts},
        **{f"{key} s": f"{x:.3f}" for key, x in figures.items() if key not in counts},
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compile_time",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--backend", default="native")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures into this file")
    options = parser.parse_args(arguments)
    names = options.programs.split(",")
    codes = {name: CODE.format(name=name, backend=options.backend) for name in names}
    figures = fresh.medians(codes, options.repeats, options.threads)
    print(fresh.table({name: row(f) for name, f in figures.items()}, "program"))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
