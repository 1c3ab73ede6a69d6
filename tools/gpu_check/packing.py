"""What a machine without a network needs, in one folder: PyCUDA, and what is imported."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

PYCUDA = ("pycuda", "pytools", "platformdirs", "mako", "markupsafe", "siphash24")
OTHERS = {
    "execnet": "execnet",
    "hypothesis": "hypothesis",
    "iniconfig": "iniconfig",
    "jinja2": "jinja2",
    "ml_dtypes": "ml_dtypes",
    "networkx": "networkx",
    "packaging": "packaging",
    "pluggy": "pluggy",
    "pygments": "pygments",
    "pytest": "pytest",
    "sortedcontainers": "sortedcontainers",
    "typing_extensions": "typing-extensions",
    "xdist": "pytest-xdist",
}
"""Modules that graphc and its tests import beside numpy, and the packages that have them."""


def pack(folder: Path, python: str) -> list[str]:
    """Gather wheels for an interpreter like ``python``; their names.

    Raises:
        RuntimeError: there are no headers of CUDA to build PyCUDA with.
    """
    from tests.cuda import toolkit

    found = toolkit.root()
    if found is None:
        raise RuntimeError("PyCUDA is built with CUDA's headers: set CUDA_HOME")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(toolkit.pycuda(found, python), folder)
    pip = [python, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "-d", str(folder), *PYCUDA[1:], *OTHERS.values()], check=True)
    return sorted(x.name for x in folder.glob("*.whl"))


def is_here(module: str) -> bool:
    """Whether a module can be imported."""
    return importlib.util.find_spec(module) is not None


def install(wheels: Path, site: Path) -> str:
    """Put what is missing here into ``site``, from wheels alone; what pip says if it cannot."""
    names = [package for module, package in OTHERS.items() if not is_here(module)]
    if not is_here("pycuda"):
        names += PYCUDA
    if not names:
        return ""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    command = [*pip, "--find-links", str(wheels), "--target", str(site), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""
