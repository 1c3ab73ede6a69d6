"""The benchmarks run, and a runner that computes something else is found out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import equality
from benchmarks.compare import difference, update_difference
from benchmarks.runners.graphc_common import build
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).resolve().parents[1]
SHORT = ("--rounds", "2", "--slice", "0.02", "--tries", "1", "--threads", "1")
UNTRAINED = """
from benchmarks.runners import Job, numpy_hand
from benchmarks.runners.numpy_hand import start


def build(name, case):
    right = numpy_hand.build(name, case)
    return Job(right.step, right.result, right.reset, lambda: case.params)
"""
"""A runner with the right losses, whose weights stay what they were."""

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the benchmarks ask Linux how busy the machine is"
)


def module(*arguments: str, path: Path = ROOT) -> str:
    """What a module of the benchmarks prints."""
    environment = dict(os.environ, PYTHONPATH=f"{ROOT}{os.pathsep}{path}")
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(folder: Path, runners: str) -> tuple[str, dict[str, Any]]:
    """The table of a short run of the smallest workload, and what it saved."""
    saved = folder / "run.json"
    chosen = ("--workloads", "mlp_seed", "--runners", runners, "--json", str(saved))
    shown = module("benchmarks", *chosen, *SHORT, path=folder)
    return shown, json.loads(saved.read_text(encoding="utf-8"))["workloads"]["mlp_seed"]


def test_a_run(tmp_path: Path) -> None:
    runners = "numpy_hand,graphc_numpy,graphc_plain,torch_eager,no_such_runner"
    shown, saved = run(tmp_path, runners)
    assert "no_such_runner    failed: ModuleNotFoundError" in shown
    assert "WRONG" not in shown
    timed = {"numpy_hand", "graphc_numpy", "graphc_plain"}
    if find_spec("torch") is not None:
        timed.add("torch_eager")
    rows = {name: row for name, row in saved["rows"].items() if "median_s" in row}
    assert rows.keys() == timed
    assert saved["best"] in timed - {"graphc_numpy", "graphc_plain"}
    for row in rows.values():
        assert row["difference"] < 1e-5
        assert row["update_difference"] < 1e-4
        assert len(row["rounds_s"]) == 2
        assert 0 < row["min_s"] <= row["median_s"]


def test_a_wrong_runner_is_found_out(tmp_path: Path) -> None:
    package = tmp_path / "others"
    package.mkdir()
    (package / "untrained.py").write_text(UNTRAINED, encoding="utf-8")
    shown, saved = run(tmp_path, "numpy_hand,others.untrained")
    told = "the update of fc1.weight differs by 1.0e+00"
    assert saved["rows"]["others.untrained"]["wrong"] == told
    assert f"WRONG NUMBERS: {told}" in shown
    assert saved["best"] == "numpy_hand"


def test_differences() -> None:
    x = np.array([1.0, -4.0])
    assert difference([x], [x]) == 0
    assert difference([x + 1], [x]) == 0.25
    assert difference([x, x], [x]) == float("inf")
    assert difference([x[:1]], [x]) == float("inf")
    assert difference([x * np.nan], [x]) == float("inf")
    assert update_difference({"w": x, "b": 2 * x}, {"w": x, "b": x}) == (1.0, "b")
    assert update_difference({"w": x * np.nan}, {"w": x})[1] == "w"
    assert update_difference({"w": x}, {"b": x})[0] == float("inf")


@pytest.mark.parametrize("name", ["mlp_mnist", "gpt_nano_train", "cnn_mnist", "norm_softmax_bwd"])
def test_a_reset_takes_the_step_back(name: str) -> None:
    """Every slice starts from the same weights and the same state of the optimizer."""
    job = build(name, WORKLOADS[name].case(), "numpy")
    first = [np.array(x) for x in job.result(job.step())]
    job.step()
    job.reset()
    for again, before in zip(job.result(job.step()), first, strict=True):
        np.testing.assert_array_equal(again, before)


def test_equality() -> None:
    pytest.importorskip("torch")
    given = ("--workloads", "mlp_seed", "--steps", "3", "--backend", "numpy")
    shown = module("benchmarks.equality", *given)
    assert "graphc / torch f64: above 0.001 at no step" in shown
    assert len([line for line in shown.splitlines() if line[:4].strip() in ("1", "2", "3")]) == 3


def test_what_parts_early_is_no_rounding() -> None:
    truth = np.ones(10)
    wrong, rounded = np.ones(10), np.ones(10)
    wrong[2:] += 0.1
    rounded[4:] += 0.1
    losses = {"graphc": wrong, "torch f32": rounded, "torch f64": truth}
    apart = equality.differences(losses)
    assert equality.parted(apart["graphc / torch f64"], 1e-3) == 3
    assert equality.parted(apart["graphc / torch f32"], 1e-3) == 3
    assert equality.is_rounding(apart, 1e-3, 10)
    losses["torch f32"] = truth
    assert not equality.is_rounding(equality.differences(losses), 1e-3, 10)
    losses |= {"graphc": truth * np.nan, "torch f32": rounded}
    assert not equality.is_rounding(equality.differences(losses), 1e-3, 10)


def test_cold_start() -> None:
    programs = ("--programs", "graphc,graphc_compiled")
    title, *rows = module("benchmarks.cold_start", "--repeats", "1", *programs).splitlines()
    assert title.split("  ")[0] == "program"
    assert [row.split()[0] for row in rows] == ["graphc", "graphc_compiled"]
    imported, ready = map(float, rows[0].split()[1:3])
    assert 0 < imported < ready


def test_first_step() -> None:
    given = ("--workloads", "mlp_seed", "--runners", "graphc_native,numpy_hand", "--repeats", "1")
    title, *rows = module("benchmarks.first_step", *given).splitlines()
    assert title.split()[0] == "mlp_seed"
    assert [row.split()[0] for row in rows] == ["graphc_native", "numpy_hand"]
    for row in rows:
        cold, warm, cold_build, warm_build = map(float, row.split()[1:5])
        assert 0 <= cold_build < cold
        assert 0 <= warm_build < warm
    assert [row.split()[5:7] for row in rows][1] == ["1.00", "1.00"]


@pytest.mark.parametrize(("backend", "kernels"), [("numpy", "100"), ("native", "1")])
def test_compile_time(backend: str, kernels: str) -> None:
    programs = "gpt_nano_train,elementwise_100,matmul_100"
    given = ("--repeats", "1", "--backend", backend, "--programs", programs)
    shown = module("benchmarks.compile_time", *given)
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines()[1:]}
    assert list(rows) == programs.split(",")
    assert rows["matmul_100"][1] == kernels
    for row in rows.values():
        assert len(row) == 7
        assert float(row[-1]) > 0
