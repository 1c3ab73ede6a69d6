"""The figures as a table, as JSON and as a picture."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.cases import Workload
from benchmarks.rounds import Rows

COLUMNS = (
    ("runner", 18),
    ("median ms", 12),
    ("p10 ms", 12),
    ("x best", 8),
    ("GF/s", 8),
    ("GB/s", 8),
    ("build s", 9),
    ("RSS MB", 8),
    ("noise", 8),
)


def line(cells: tuple[str, ...]) -> str:
    first, *others = zip(cells, (width for _, width in COLUMNS), strict=False)
    return "  " + first[0].ljust(first[1]) + "".join(text.rjust(width) for text, width in others)


def table(workload: Workload, rows: Rows, best: str | None) -> str:
    """The workload's rows, one to a runner."""
    lines = [f"{workload.name}: {workload.about}", line(tuple(name for name, _ in COLUMNS))]
    for runner, row in rows.items():
        if "median_s" not in row:
            lines.append(f"  {runner:18}{row['note']}")
            continue
        t = row["median_s"]
        cells = (
            runner,
            f"{t * 1e3:.4f}",
            f"{row['p10_s'] * 1e3:.4f}",
            f"{row['ratio']:.2f}" if "ratio" in row else "-",
            f"{workload.flops / t / 1e9:.1f}" if workload.flops else "-",
            f"{workload.traffic / t / 1e9:.1f}" if workload.traffic else "-",
            f"{row['build_s']:.2f}",
            f"{row['peak_rss'] / 1e6:.0f}",
            f"{row['noise']:.1%}",
        )
        mark = "  <- best peer" if runner == best else ""
        wrong = f"  WRONG NUMBERS: {row['wrong']}" if "wrong" in row else ""
        lines.append(line(cells) + mark + wrong)
    return "\n".join(lines)


def save(path: Path, name: str, rows: Rows, best: str | None) -> None:
    """Add a workload's rows to the file."""
    data: dict[str, Any] = {"machine": machine.facts(), "workloads": {}}
    with contextlib.suppress(FileNotFoundError):
        data = json.loads(path.read_text(encoding="utf-8"))
    workload = data["workloads"].setdefault(name, {"rows": {}})
    workload["rows"].update(rows)
    workload["best"] = best
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def plot(path: Path, results: dict[str, Rows]) -> None:
    """Bars of each runner's time over the best peer's; the picture's kind is the file's ending."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    runners = list(dict.fromkeys(runner for rows in results.values() for runner in rows))
    height = 1 + 0.22 * len(results) * (len(runners) + 1)
    figure, axes = pyplot.subplots(figsize=(8, height), layout="constrained")
    for number, runner in enumerate(runners):
        ratios = [rows.get(runner, {}).get("ratio", 0) for rows in results.values()]
        step = 1 / (len(runners) + 1)
        places = [i + number * step for i in range(len(results))]
        axes.barh(places, ratios, height=step, label=runner)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks([i + 0.4 for i in range(len(results))], list(results))
    axes.set_xlabel("time / best peer's time, less is better")
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(path)
    pyplot.close(figure)
