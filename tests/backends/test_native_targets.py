"""Kernels compile without warnings for machines other than this one."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.backends.native.compilers import Compiler, compiler
from graphc.backends.native.flags import FLAGS
from graphc.backends.native.targets import TARGETS, Target
from tests.backends.native_samples import Use, claimed_uses, samples_by_module, text_of

WARNINGS = ("-Wall", "-Werror", "-Wno-unused", "-Wno-pass-failed")
"""All but that a loop was not vectorised, which costs time and is not wrong."""
FAMILIES = {"avx512": "x86_64", "neon": "aarch64"}
"""The processors that have them."""


def command_for(target: Target) -> list[str]:
    """The compiler of a target with its flags, but for files."""
    family = FAMILIES[target.name]
    if platform.machine() != family:
        pytest.importorskip("ziglang", reason="the extra native brings a cross compiler")
        zig = Compiler("ziglang", (sys.executable, "-m", "ziglang", "cc"), "")
        made = [*zig.command, "-target", f"{family}-linux-gnu"]
        return [*made, *zig.spelled((*FLAGS, *target.flags))]
    found = compiler()
    return [*found.command, *found.spelled((*FLAGS, *target.flags))]


@pytest.mark.parametrize(("module", "dtype"), samples_by_module(("float32",)))
@pytest.mark.parametrize("target", ["avx512", "neon"])
def test_kernels_compile(target: str, module: str, dtype: str, tmp_path: Path) -> None:
    uses: list[Use] = [use for *_, use in claimed_uses(module, dtype)]
    mades = [use.made(f"kernel{i}", TARGETS[target]) for i, use in enumerate(uses)]
    counts = [len(use.operands) + len(use.results) for use in uses]
    path = tmp_path / "kernels.c"
    path.write_text(text_of(mades, counts), encoding="utf-8")
    # At -O3 it would take several times as long, to find nothing more that is wrong.
    made = [*command_for(TARGETS[target]), "-O1", *WARNINGS, "-c", str(path), "-o"]
    done = subprocess.run([*made, str(tmp_path / "kernels.o")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
