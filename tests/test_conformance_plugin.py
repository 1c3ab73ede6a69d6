"""The conformance kit as other packages start it: from any folder, beside options of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


def started(folder: Path, *arguments: str) -> tuple[int, str]:
    """What pytest says when it is started in ``folder``, with its exit status."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_graphc"]
    found = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    return found.returncode, found.stdout + found.stderr


def test_the_kit_runs_from_any_folder(tmp_path: Path) -> None:
    status, said = started(
        tmp_path, "--pyargs", "graphc.testing.test_contract", "--backend", "numpy", "-v"
    )
    assert status == 0, said
    assert "test_inputs_are_left_alone[numpy] PASSED" in said


def test_an_unknown_backend_is_one_error(tmp_path: Path) -> None:
    status, said = started(tmp_path, "--pyargs", "graphc.testing", "--backend", "none")
    assert status != 0
    assert "--backend: unknown backend 'none': there are " in said
    assert "1 error" in said


@pytest.mark.parametrize("action", ["store", "append"])
def test_other_packages_may_have_the_option_too(tmp_path: Path, action: str) -> None:
    option = f"parser.addoption('--backend', action={action!r})"
    (tmp_path / "conftest.py").write_text(f"def pytest_addoption(parser):\n    {option}\n")
    (tmp_path / "test_own.py").write_text(
        "def test_own(pytestconfig):\n    assert pytestconfig.getoption('--backend')\n"
    )
    status, said = started(tmp_path, "--backend", "numpy")
    assert status == 0, said
    assert "1 passed" in said
    status, said = started(
        tmp_path, "--pyargs", "graphc.testing.test_contract", "--backend", "numpy", "-v"
    )
    assert status == 0, said
    assert "test_inputs_are_left_alone[numpy] PASSED" in said
