"""Times the runners on the workloads and prints one table for each.

    python -m benchmarks --runners graphc_numpy,torch_eager,jax_jit --workloads mlp_seed,mlp_mnist

Each runner gets a process of its own per workload. First every runner builds the workload and its
numbers are compared with the first runner's; then they are timed in rounds (A B C, A B C, ...), so
that a change in the machine's speed hits all of them alike. A slice of time in which other
processes got in the way is taken again, and the quietest is kept.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report, rounds
from benchmarks.rounds import Rows
from benchmarks.workloads import WORKLOADS

RUNNERS = (
    "graphc_native",
    "graphc_numpy",
    "graphc_plain",
    "torch_eager",
    "torch_tuned",
    "torch_compile",
    "jax_jit",
    "ort",
    "numpy_hand",
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--runners", default=",".join(RUNNERS))
    add("--workloads", default=",".join(WORKLOADS))
    add("--threads", type=int, default=2)
    add("--rounds", type=int, default=7)
    add("--slice", type=float, default=0.6, help="seconds per runner and round")
    add("--rtol", type=float, default=1e-3, help="of results, by each array's largest value")
    add("--update-rtol", type=float, default=0.02, help="of the first step's updates, in norm")
    add("--noise", type=float, default=0.03, help="share of the CPUs that others may use")
    add("--tries", type=int, default=4, help="how often a noisy slice is taken again")
    add("--priority", action="store_true", help="time at nice -20 (needs the right to)")
    add("--lock", help="a lock file to hold while timing, and only then")
    add("--json", type=Path, help="add the results to this file")
    add("--plot", type=Path, help="draw the ratios into this file (.png, .svg; needs matplotlib)")
    add("--log", default=os.devnull, help="where the runners' own output goes")
    options = parser.parse_args(arguments)
    unknown = set(options.workloads.split(",")) - set(WORKLOADS)
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    options = parse()
    results: dict[str, Rows] = {}
    with open(options.log, "a", encoding="utf-8") as log, TemporaryDirectory() as caches:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", caches)
        for name in options.workloads.split(","):
            rows = rounds.run(WORKLOADS[name], options.runners.split(","), options, log)
            best = rounds.ratio_to_best(rows)
            results[name] = rows
            print(f"\n{report.table(WORKLOADS[name], rows, best)}", flush=True)
            if options.json:
                report.save(options.json, name, rows, best)
    if options.plot:
        report.plot(options.plot, results)


if __name__ == "__main__":
    main()
