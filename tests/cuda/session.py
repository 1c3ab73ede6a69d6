"""Programs run with PyCUDA on the CPU: ``python -m tests.cuda.session COMMAND...``.

In the command's environment ``libcuda.so.1`` is the stand-in, ``pycuda`` the genuine one, and
GRAPHC_NVCC a compiler for the CPU. ``driver/state.h`` lists the variables that change its devices;
EMULATOR_CHECK=1 has all accesses of kernels checked.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from graphc.backends.native import cache as disk
from tests.cuda.driver_library import driver_folder
from tests.cuda.pycuda_install import installed

ROOT = Path(__file__).resolve().parents[2]


@cache
def nvcc() -> Path:
    """An executable that stands in for nvcc."""
    before = f"PYTHONPATH={shlex.quote(str(ROOT))}${{PYTHONPATH:+:$PYTHONPATH}}"
    call = f'exec {shlex.quote(sys.executable)} -m tests.cuda.nvcc "$@"'
    text = f"#!/bin/sh\nexport {before}\n{call}\n"
    path = disk.folder() / f"nvcc-{disk.key_of([text])[:16]}"
    if not path.exists():
        made = disk.building() / "nvcc"
        made.write_text(text, encoding="utf-8")
        made.chmod(0o755)
        os.replace(made, path)
        made.parent.rmdir()
    return path


def environment(**settings: str) -> dict[str, str]:
    """The variables under which PyCUDA runs on the stand-in, and these settings."""

    def before(name: str, *places: Path) -> str:
        known = os.environ.get(name)
        return os.pathsep.join([*map(str, places), *([known] if known else [])])

    return {
        **os.environ,
        "LD_LIBRARY_PATH": before("LD_LIBRARY_PATH", driver_folder()),
        "PYTHONPATH": before("PYTHONPATH", ROOT, installed()),
        "GRAPHC_NVCC": str(nvcc()),
        **settings,
    }


def run(program: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Python's answer to a program run so."""
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(**settings)
    )


def main(command: Sequence[str]) -> int:
    """What the command answers."""
    if not command:
        print("a command is expected", file=sys.stderr)
        return 2
    return subprocess.run(command, env=environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
