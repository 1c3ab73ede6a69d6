"""The rounds: every runner checked against the first one, then timed in turn."""

from __future__ import annotations

import statistics
import sys
from argparse import Namespace
from typing import IO, Any

import numpy as np

from benchmarks import machine
from benchmarks.cases import Workload
from benchmarks.compare import difference, update_difference
from benchmarks.process import Process, RunnerError

OURS = "graphc"
"""Runners of this prefix are never the best peer."""

Row = dict[str, Any]
Rows = dict[str, Row]


def run(workload: Workload, runners: list[str], options: Namespace, log: IO[str]) -> Rows:
    """A row of figures for each runner."""
    processes, rows = prepare(workload, runners, options, log)
    try:
        time_rounds(processes, rows, options)
    finally:
        for process in processes.values():
            process.close()
    return rows


def prepare(
    workload: Workload, runners: list[str], options: Namespace, log: IO[str]
) -> tuple[dict[str, Process], Rows]:
    """Start, build and check each runner."""
    processes: dict[str, Process] = {}
    rows: Rows = {}
    expected: Any = None
    for runner in runners:
        row = rows[runner] = {}
        process = None
        try:
            process = Process(runner, options.threads, log)
            built = build(process, row, workload, options)
            if built is not None:
                expected = expected or built
                check(row, built, expected, options)
                processes[runner] = process
        except RunnerError as error:
            row["note"] = f"failed: {error}"[:300]
        if process is not None and runner not in processes:
            process.close()
        print(f"  {workload.name}: {runner}: {told(row)}", file=sys.stderr, flush=True)
    return processes, rows


def build(process: Process, row: Row, workload: Workload, options: Namespace) -> Any:
    """What the worker answers, or None where it does not do the workload."""
    row["start_s"] = process.started["seconds"]
    row["facts"] = process.started["facts"]
    alone = process.started["tunes"]
    with (
        machine.locked(options.lock if alone else None),
        machine.first(process.popen.pid, alone and options.priority),
    ):
        built = process.call("build", workload.name)
    if "unsupported" in built:
        row["note"] = built["unsupported"]
        return None
    row["build_s"] = built["seconds"]
    return built


def check(row: Row, built: Any, expected: Any, options: Namespace) -> None:
    """Mark a runner whose numbers are wrong; it is timed, and never the best."""
    row["difference"] = difference(built["results"], expected["results"])
    row["update_difference"], where = update_difference(built["updates"], expected["updates"])
    if row["difference"] > options.rtol:
        row["wrong"] = f"results differ by {row['difference']:.1e}"
    elif row["update_difference"] > options.update_rtol:
        row["wrong"] = f"the update of {where} differs by {row['update_difference']:.1e}"


def told(row: Row) -> str:
    if "build_s" not in row:
        return str(row["note"])
    checked = f"WRONG: {row['wrong']}" if "wrong" in row else f"difference {row['difference']:.1e}"
    return f"ready in {row['build_s']:.1f} s, {checked}"


def time_rounds(processes: dict[str, Process], rows: Rows, options: Namespace) -> None:
    """Time the runners in turn and add the figures to their rows; drop one that fails."""
    slices: dict[str, list[list[float]]] = {runner: [] for runner in processes}
    noises: dict[str, list[float]] = {runner: [] for runner in processes}
    with machine.locked(options.lock):
        for number in range(-1, options.rounds):
            for runner, process in list(processes.items()):
                try:
                    with machine.first(process.popen.pid, options.priority):
                        if number < 0:
                            process.call("calibrate")
                            continue
                        samples, noise = process.quiet_slice(
                            options.slice, options.noise, options.tries
                        )
                    slices[runner].append(samples)
                    noises[runner].append(noise)
                except RunnerError as error:
                    rows[runner]["note"] = f"failed: {error}"[:300]
                    processes.pop(runner).close()
    for runner, process in processes.items():
        rows[runner].update(figures(slices[runner]))
        rows[runner].update(noise=max(noises[runner]), peak_rss=process.call("memory"))


def figures(slices: list[list[float]]) -> Row:
    """Over all samples of all slices, in seconds."""
    every = [sample for part in slices for sample in part]
    return {
        "median_s": statistics.median(every),
        "p10_s": float(np.quantile(every, 0.1)),
        "min_s": min(every),
        "rounds_s": [statistics.median(part) for part in slices],
        "samples": len(every),
    }


def ratio_to_best(rows: Rows) -> str | None:
    """The best peer's name; each row gets its time over the best peer's in the same round.

    The ratio is the median over the rounds.
    """
    timed = {r: row for r, row in rows.items() if "median_s" in row}
    right = {r: row for r, row in timed.items() if "wrong" not in row}
    peers = {r: row for r, row in right.items() if not r.startswith(OURS)} or right
    if not peers:
        return None
    best = min(peers, key=lambda r: peers[r]["median_s"])
    for row in timed.values():
        pairs = zip(row["rounds_s"], timed[best]["rounds_s"], strict=True)
        row["ratio"] = statistics.median(a / b for a, b in pairs)
    return best
