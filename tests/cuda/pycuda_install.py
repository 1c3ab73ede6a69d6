"""PyCUDA, built from its source once and kept in graphc's cache folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from graphc.backends.native import cache as disk
from tests.cuda.driver_library import driver_folder, include_folder, settle

VERSION = "2026.1"
NEEDS = ("pytools", "siphash24", "platformdirs", "mako", "markupsafe", "typing-extensions")
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"


def _pip(arguments: Sequence[str], environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def wheel() -> Path:
    """The wheel; to build it takes two minutes."""
    folder = disk.folder() / f"pycuda-{TAG}.wheel"
    if not folder.exists():
        settle(_build(), folder)
    (found,) = folder.glob("*.whl")
    return found


def _build() -> Path:
    """A new folder with the wheel."""
    include, place = include_folder(), disk.building()
    # The settings are looked for at home, so that the source need not be unpacked and changed.
    home = disk.building()
    settings = {
        "CUDA_ROOT": str(include.parent),
        "CUDA_ENABLE_CURAND": False,  # its library may be missing, and graphc has no use for it
        "CXXFLAGS": ["-O1", "-g0", "-w"],
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in settings.items())
    (home / ".aksetup-defaults.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "HOME": str(home), "LIBRARY_PATH": str(driver_folder())}
    source = ["--no-deps", "--no-binary", "pycuda", "--no-build-isolation"]
    _pip(["wheel", *source, "-w", str(place), f"pycuda=={VERSION}"], environment)
    return place


def installed() -> Path:
    """The folder, for PYTHONPATH, in which PyCUDA and what it needs are installed."""
    folder = disk.folder() / f"pycuda-{TAG}.installed"
    if not folder.exists():
        place = disk.building()
        _pip(["install", "--no-deps", "--target", str(place), str(wheel()), *NEEDS])
        settle(place, folder)
    return folder
