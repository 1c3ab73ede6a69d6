"""The examples run; the tour prints exactly what PyTorch prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.backends.native.compilers import compiler
from graphc.backends.native.flags import FLAGS

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"

SAME_WEIGHTS = """\
import numpy as np


def reset_parameters(self):
    random = np.random.default_rng(self.out_features)
    with torch.no_grad():
        for p in self.parameters():
            values = random.uniform(-0.05, 0.05, tuple(p.shape)).astype(np.float32)
            p.copy_(torch.from_numpy(values))


nn.Linear.reset_parameters = reset_parameters
"""
"""Put behind the imports: PyTorch's random numbers and graphc's are not the same."""


def run(script: Path, timeout: float | None = None) -> str:
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="error")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tour(package: str, folder: Path) -> str:
    """What the tour prints with ``package`` in PyTorch's place."""
    text = (EXAMPLES / "pytorch_tour.py").read_text(encoding="utf-8")
    imports = "import graphc as torch\nimport graphc.nn as nn\n"
    assert text.count(imports) == 1
    imported = f"import {package} as torch\nimport {package}.nn as nn\n"
    script = folder / f"tour_{package}.py"
    script.write_text(text.replace(imports, imported + SAME_WEIGHTS), encoding="utf-8")
    return run(script)


def test_the_tour_runs_as_it_stands() -> None:
    assert "Epoch [100/100], Loss: " in run(EXAMPLES / "pytorch_tour.py")


def test_the_tour_prints_what_pytorch_prints(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    assert tour("graphc", tmp_path) == tour("torch", tmp_path)


def test_digits_are_learned() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("tqdm")
    printed = run(EXAMPLES / "train_digits.py", timeout=60)
    found = re.search(r"test accuracy: ([\d.]+)%", printed)
    assert found is not None, printed
    assert float(found[1]) >= 97.0
    kernel = printed[printed.index("\nThe step is ") :].split("\n\n", 1)[1]
    assert "cross_entropy_" in kernel
    if "def cross_entropy_" in kernel:
        compile(kernel, "the kernel that was shown", "exec")
    else:
        check = [*compiler().command, *compiler().spelled(FLAGS), "-fsyntax-only", "-x", "c", "-"]
        subprocess.run(check, input=kernel, text=True, check=True)
