"""Figures that only a fresh process can give, taken in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import machine

Figures = dict[str, float]


def rounds(codes: dict[str, str], repeats: int, threads: int) -> Iterator[tuple[str, Figures]]:
    """Each program's figures, in rounds (A B C, A B C, ...); one that fails is left out.

    A program prints a JSON object as its last line. A figure that it calls ``..._at`` is a time of
    day, of which the time at which the process was started is taken. A first round does not count:
    it leaves the modules' bytecode, as an installation does.
    """
    failed: set[str] = set()
    for number in range(-1, repeats):
        for name, code in codes.items():
            if name in failed:
                continue
            found = once(code, threads)
            if found is None:
                failed.add(name)
                print(f"  {name}: failed", file=sys.stderr)
            elif number >= 0:
                yield name, found


def once(
    code: str,
    threads: int,
    variables: Mapping[str, str] | None = None,
    priority: bool = False,
) -> Figures | None:
    """What the program prints, in a process of its own with these environment variables.

    With ``priority`` it and what it starts run before all others, where that is allowed.
    """
    environment = {**machine.environment(threads), **(variables or {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.time()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        preexec_fn=lambda: _prepare(threads, priority),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        return None
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {
        key.removesuffix("_at"): value - begin if key.endswith("_at") else value
        for key, value in answer.items()
    }


def _prepare(threads: int, priority: bool) -> None:
    machine.keep_to(threads)
    if priority:
        os.setsid()  # Linux may schedule sessions as groups
        machine.set_priority(os.getpid(), -20)


def medians(codes: dict[str, str], repeats: int, threads: int) -> dict[str, Figures]:
    """The median of each of the programs' figures."""
    taken: dict[str, list[Figures]] = {}
    for name, found in rounds(codes, repeats, threads):
        taken.setdefault(name, []).append(found)
    return {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for name, rows in taken.items()
    }


def table(rows: dict[str, dict[str, str]], first: str) -> str:
    """The rows under the columns that they name."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    width = max(len(name) for name in [first, *rows]) + 2
    lines = [first.ljust(width) + "".join(f"{column:>14}" for column in columns)]
    for name, row in rows.items():
        lines.append(name.ljust(width) + "".join(f"{row.get(c, '-'):>14}" for c in columns))
    return "\n".join(lines)
