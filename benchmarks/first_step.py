"""How long a program takes from its start to the end of its first step, and how much memory.

    python -m benchmarks.first_step --workloads mlp_mnist --runners graphc_native,jax_jit

Each figure is the median over fresh processes, in which the runners take turns: from the start of
the process to the end of the first step, with the framework's compile cache empty (cold) and with
what the cold process left there (warm). `build` is the part of it after the framework was imported
and the weights and inputs were made. A ratio is the best peer's time by the runner's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fresh
from benchmarks.fresh import Figures
from benchmarks.workloads import WORKLOADS

RUNNERS = ("graphc_native", "torch_eager", "torch_compile", "jax_jit")
KINDS = ("cold", "warm")
COLUMNS = tuple((name, kind) for name in ("all", "build") for kind in KINDS)
PROGRAM = """
import json, time
import numpy
from benchmarks.runners import {runner}
from benchmarks.workloads import WORKLOADS
{runner}.start({threads})
case = WORKLOADS[{workload!r}].case()
begin = time.time()
job = {runner}.build({workload!r}, case)
job.result(job.step())
ready = time.time()
from benchmarks.machine import peak_memory
print(json.dumps({{"build": ready - begin, "all_at": ready, "memory": peak_memory()}}))
"""


def cache_of(runner: str, folder: str) -> dict[str, str]:
    """The environment in which the runner's framework keeps what it compiles in this folder."""
    module = import_module(f"benchmarks.runners.{runner}")
    found: dict[str, str] = module.cache_env(folder) if hasattr(module, "cache_env") else {}
    return found


def both(runner: str, workload: str, options: argparse.Namespace) -> Figures | None:
    """The figures of a process with an empty cache, and of one after it; None if one failed."""
    threads = options.threads
    code = PROGRAM.format(runner=runner, workload=workload, threads=threads)
    figures: Figures = {}
    with TemporaryDirectory() as folder:
        try:
            variables = cache_of(runner, folder)
        except ImportError as missing:
            print(f"  {runner}: {missing}", file=sys.stderr)
            return None
        for kind in KINDS:
            found = fresh.once(code, threads, variables, options.priority)
            if found is None:
                print(f"  {runner}: failed", file=sys.stderr)
                return None
            figures |= {f"{kind} {name}": value for name, value in found.items()}
    return figures


def measured(workload: str, options: argparse.Namespace) -> dict[str, Figures]:
    """The median of each runner's figures over rounds; a runner that fails is left out.

    A first round does not count: it leaves the modules' bytecode, as an installation does.
    """
    taken: dict[str, list[Figures]] = {runner: [] for runner in options.runners.split(",")}
    for number in range(-1, options.repeats):
        for runner in list(taken):
            found = both(runner, workload, options)
            if found is None:
                del taken[runner]
            elif number >= 0:
                taken[runner].append(found)
    return {
        runner: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for runner, rows in taken.items()
    }


def rows(figures: dict[str, Figures]) -> dict[str, dict[str, str]]:
    """The lines of the table; ratios are the best peer's time by the runner's."""
    peers = [x for name, x in figures.items() if not name.startswith("graphc")]
    best = {f"{kind} all": min((x[f"{kind} all"] for x in peers), default=0.0) for kind in KINDS}
    lines = {}
    for runner, found in figures.items():
        line = {f"{kind} {name} s": f"{found[f'{kind} {name}']:.2f}" for name, kind in COLUMNS}
        for key, seconds in best.items():
            line[f"{key.partition(' ')[0]} ratio"] = f"{seconds / found[key]:.2f}"
        lines[runner] = {**line, "memory MB": f"{found['cold memory'] / 1e6:.0f}"}
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workloads", default="mlp_mnist")
    parser.add_argument("--runners", default=",".join(RUNNERS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    first = "run before all else (needs the right to)"
    parser.add_argument("--priority", action="store_true", help=first)
    parser.add_argument("--json", type=Path, help="write the figures into this file")
    options = parser.parse_args(arguments)
    names = options.workloads.split(",")
    if not set(names) <= set(WORKLOADS):
        parser.error(f"the workloads are {', '.join(WORKLOADS)}")
    found = {}
    for name in names:
        found[name] = measured(name, options)
        print(fresh.table(rows(found[name]), name), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
