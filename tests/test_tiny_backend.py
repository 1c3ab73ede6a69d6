"""The example backend, as another package has it: found by its entry point, held to the kit."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from graphc.ops.composite import COMPOSITES
from graphc.passes.simplify import TRANSPARENT
from graphc.testing.table import table
from tests.installed import register

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "examples" / "tiny_backend"
SPELLING = runpy.run_path(str(PACKAGE / "tiny_backend" / "spelling.py"))["SPELLING"]
DRAWING = {"attention", "attention_grad"}
"""Composites that drop weights by random numbers, for which it has no spelling."""
REFUSED = table().keys() - SPELLING.keys() - TRANSPARENT - COMPOSITES.keys() - {"const"} | DRAWING
"""The rows for which it has no spelling."""
REFUSAL = "the backend 'tiny' cannot compute it of ("

TRAINING = """\
import graphc as torch
from graphc import nn


def losses(backend):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 5))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    @torch.compile(backend=backend)
    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return [step(torch.arange(4), torch.arange(1, 5)).item() for _ in range(5)]


ours, theirs = losses("numpy"), losses("tiny")
assert ours[4] < ours[0]
assert torch.allclose(torch.tensor(ours), torch.tensor(theirs)), (ours, theirs)

convolution = nn.Sequential(nn.Conv2d(1, 4, 3))
try:
    torch.compile(convolution, torch.zeros(8, 1, 9, 9), backend="tiny").source()
except NotImplementedError as error:
    print(error)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where Python finds the package, as if it were installed."""
    installed = tmp_path / "installed"
    installed.mkdir()
    register(installed, (PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (installed, PACKAGE, ROOT)))}


def outcomes(report: Path) -> Iterator[tuple[str, str, str | None]]:
    """Of each test its name, the row that it is about, if any, and the error it ended with."""
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.attrib["name"]
        found = re.search(r"\[tiny-(\w+)", name)
        row = found[1] if found and found[1] in table() else ""
        failure = case.find("failure")
        assert case.find("error") is None and case.find("skipped") is None, name
        yield name, row, None if failure is None else failure.attrib["message"]


def test_the_kit_passes_but_for_what_is_refused(
    environment: dict[str, str], tmp_path: Path
) -> None:
    report = tmp_path / "report.xml"
    kit = ["--pyargs", "graphc.testing", "--backend", "tiny", "--junitxml", str(report)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", *kit],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    found = list(outcomes(report))
    wrong = {name: error for name, _, error in found if error and REFUSAL not in error}
    assert not wrong
    assert {row for _, row, error in found if error} == REFUSED
    assert "convolution" in REFUSED
    right = {row for name, row, error in found if name.startswith("test_value[") and not error}
    assert right == table().keys() - REFUSED


def test_a_model_is_trained_and_another_refused_by_its_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "model.py"
    script.write_text(TRAINING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line = TRAINING.splitlines().index("try:") + 2
    assert done.stdout.startswith(f"convolution: {REFUSAL}f32[8, 1, 9, 9], f32[4, 1, 3, 3]); ")
    assert done.stdout.rstrip().endswith(f"model.py:{line}")
