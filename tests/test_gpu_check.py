"""``tools/gpu_check`` tells what passes, what fails and what there was no time for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.workloads import WORKLOADS
from tests.cuda import toolkit
from tools.gpu_check import benchmarks, checks, packing
from tools.gpu_check.__main__ import SHARES
from tools.gpu_check.checks import Check

ROOT = Path(__file__).parents[1]
SANITIZER = """#!/bin/sh
# Finds an error by one of its tools, in whatever it watches.
test "$2" = racecheck && fails=$4
shift 4
"$@" || exit $?
exit ${fails:-0}
"""
NO_TOOLKIT = pytest.mark.skipif(toolkit.root() is None, reason="there is no CUDA toolkit")


def gpu_check(out: Path, *arguments: str, session: bool, **settings: str) -> Any:
    """The exit status, and what the summary says."""
    before = [sys.executable, "-m", "tests.cuda.session"] if session else []
    command = [*before, sys.executable, "-m", "tools.gpu_check", "--out", str(out), *arguments]
    environment = {**os.environ, **settings}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert (out / "summary.json").exists(), done.stdout + done.stderr
    assert done.stdout == (out / "summary.txt").read_text(encoding="utf-8")
    return done.returncode, json.loads((out / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.network
@NO_TOOLKIT
def test_everything_runs_on_the_stand_in(tmp_path: Path) -> None:
    program = tmp_path / "compute-sanitizer"
    program.write_text(SANITIZER)
    program.chmod(0o755)
    out = tmp_path / "out"
    status, found = gpu_check(
        out,
        *("--seconds", "240", "--workers", "1", "--kit", "sum-float32"),
        *("--types", "float32,int64", "--workloads", "mlp_seed"),
        *("--programs", "training and perceptron or masks"),
        session=True,
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )
    results = {(x["part"], x["name"]): x["result"] for x in found["checks"]}
    assert found["device"]["name"] == "CPU stand-in (sm_90)"
    assert results["kit", "values"] == "passed"
    assert results["kit", "graphs"] == "skipped"  # nothing of it was chosen
    assert results["programs", "on_device"] == "passed"
    assert results["sanitizers", "memcheck-float32"] == "passed"
    assert results["sanitizers", "racecheck-float32"] == "failed"
    assert results["sanitizers", "synccheck-int64"] == "skipped"
    assert results["benchmarks", "mlp_seed"] == "passed"
    assert status == 1  # for the errors that were found
    own, *others = json.loads((out / "benchmarks" / "mlp_seed.json").read_text(encoding="utf-8"))
    assert own["difference"] < 1e-5 and own["median_ms"] > 0 and own["count"] >= 3
    assert [x["name"] for x in others] == list(benchmarks.NAMES[1:])
    assert "__global__" in (out / "sources" / "mlp_seed" / "program.cu").read_text(encoding="utf-8")
    assert not list(out.rglob(".*"))


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    status, found = gpu_check(tmp_path, session=False, CUDA_VISIBLE_DEVICES="")
    assert status == 1
    assert {x["part"] for x in found["checks"]} == set(SHARES)
    assert {x["result"] for x in found["checks"]} == {"failed"}
    assert all("CUDA" in x["why"] for x in found["checks"])


@pytest.mark.network
@NO_TOOLKIT
def test_what_is_packed_can_be_installed_without_a_network(tmp_path: Path) -> None:
    packed = packing.pack(tmp_path / "wheels", sys.executable)
    assert any(x.startswith("pycuda-") for x in packed)
    hidden = f"""
from pathlib import Path
from tools.gpu_check import packing
packing.is_here = lambda module: False
print(packing.install(Path({str(tmp_path / "wheels")!r}), Path({str(tmp_path / "site")!r})))
"""
    done = subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "\n", done.stdout + done.stderr
    names = {x.name for x in (tmp_path / "site").iterdir()}
    assert {"pycuda", "pytools", "pytest", "xdist", "networkx", "ml_dtypes"} <= names
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", hidden.replace("wheels", "empty")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "No matching distribution" in done.stdout


def python(program: str) -> tuple[str, ...]:
    return sys.executable, "-c", program


def test_results_of_checks(tmp_path: Path) -> None:
    """A command that outlives its time is ended with what it has started; the next is left out."""
    child = "import subprocess; subprocess.run(['sleep', '60'])"
    found = checks.run(
        [
            Check("part", "good", python("print('all is well')")),
            Check("part", "bad", python("import sys; sys.exit('it broke')")),
            Check("part", "absent", (), "there is no such tool"),
            Check("sanitizers", "found", python("import sys; print('a race'); sys.exit(9)")),
            Check("part", "slow", python(child)),
            Check("part", "late", python("")),
        ],
        4.0,
        tmp_path,
        os.environ,
    )
    assert [(x.name, x.result) for x in found] == [
        ("good", "passed"),
        ("bad", "failed"),
        ("absent", "skipped"),
        ("found", "failed"),
        ("slow", "cut off"),
        ("late", "skipped"),
    ]
    assert [x.why for x in found[:3]] == ["all is well", "it broke", "there is no such tool"]
    assert found[3].why == "compute-sanitizer found errors: a race"
    assert found[5].why == "the 4 s for part were over"
    assert (tmp_path / "logs" / "part-good.log").read_text() == "all is well\n"


def test_buffers_are_larger_than_the_cache() -> None:
    case = WORKLOADS["mlp_mnist"].case()
    size = sum(x.nbytes for x in case.inputs.values())
    assert benchmarks.copies(case, 50 << 20) * size >= 2 * (50 << 20) > size
    assert benchmarks.copies(case, 0) == 2


def test_contestants_take_turns() -> None:
    seen: list[tuple[str, int]] = []

    def made(name: str) -> benchmarks.Contestant:
        def timed(step: Any) -> Any:
            step()
            return lambda: len(name)

        return benchmarks.Contestant(name, lambda i: seen.append((name, i)), timed, list)

    both = [made("a"), made("bb")]
    benchmarks.measure(both, 0.0)
    assert seen[:8] == [*(("a", 0), ("a", 1), ("bb", 0), ("bb", 1)), *seen[4:8]]
    assert seen[4] == ("a", 2)
    assert [x.samples for x in both] == [[1.0] * 3, [2.0] * 3]
    rows = [
        benchmarks.summed_up({"name": n, "difference": 0.0, "compiled_s": 1.0, "samples": s})
        for n, s in (("graphc", [0.001, 0.002, 0.003]), ("torch eager", [0.006] * 3))
    ]
    told = benchmarks.table("mlp_seed", [*rows, {"name": "jax.jit", "absent": "no device"}])
    assert [x.split()[:1] for x in told.splitlines()[1:]] == [["graphc"], ["torch"], ["jax.jit"]]
    assert " 3.00 " in told and "no device" in told


def test_a_wrong_result_is_a_difference() -> None:
    right = [np.ones(3), np.arange(4.0)]
    assert benchmarks.difference(right, right) == 0
    assert benchmarks.difference([np.ones(3), np.arange(4.0) + 0.3], right) == pytest.approx(0.1)
