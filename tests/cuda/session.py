"""Runs a command where PyCUDA finds a device: this machine's processor.

python -m tests.cuda.session python -m pytest graphc/testing --backend cuda
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from graphc.backends import disk
from tests.cuda import toolkit

NEEDED = ("pytools", "platformdirs", "mako", "markupsafe", "siphash24", "typing-extensions")
"""What PyCUDA imports, beside numpy, which is that of this environment."""
NVCC = """#!/bin/sh
PYTHONPATH="{path}" exec "{python}" -m tests.cuda.nvcc "$@"
"""


def environment() -> dict[str, str]:
    """The variables under which ``pycuda.driver`` imports and has a device."""
    found = toolkit.root()
    if found is None:
        raise RuntimeError("there is no CUDA toolkit whose headers could be used")
    folder = disk.folder() / "cuda-session"
    packages = folder / f"packages-{toolkit.PYCUDA}-{sys.version_info[0]}{sys.version_info[1]}"
    if not (packages / "pycuda").exists():
        wheel = toolkit.pycuda(found)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(packages)]
        subprocess.run([*pip, str(wheel), *NEEDED], check=True)
    library = folder / toolkit.driver(found).stem
    library.mkdir(parents=True, exist_ok=True)
    link = library / "libcuda.so.1"
    if not link.exists():
        link.symlink_to(toolkit.driver(found))
    here = str(Path(__file__).resolve().parents[2])
    compiler = library / "nvcc"
    disk.write(compiler, NVCC.format(path=here, python=sys.executable).encode())
    compiler.chmod(0o755)
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "GRAPHC_NVCC": str(compiler),
        "LD_LIBRARY_PATH": str(library),
        "PYTHONPATH": os.pathsep.join([*paths, str(packages)]),
    }


if __name__ == "__main__":
    sys.exit(subprocess.run(sys.argv[1:], env=environment(), check=False).returncode)
