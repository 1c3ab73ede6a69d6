"""Runs a command where PyCUDA finds a device: this machine's processor.

python -m tests.cuda.session python -m pytest graphc/testing --backend cuda
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from graphc.backends import disk
from tests.cuda import toolkit
from tests.cuda.translation import take_over

NEEDED = ("pytools", "platformdirs", "mako", "markupsafe", "siphash24", "typing-extensions")
"""What PyCUDA imports, beside numpy, which is that of this environment."""
NVCC = """#!/bin/sh
PYTHONPATH="{path}" exec "{python}" -S -m tests.cuda.nvcc "{cache}" "$@"
"""


def packages(found: Path) -> Path:
    """A folder with PyCUDA and what it imports, which appears whole."""
    python = f"{sys.version_info[0]}{sys.version_info[1]}"
    key = disk.key_of([toolkit.PYCUDA, python, str(found), *NEEDED])[:16]
    folder = disk.folder() / f"cuda-packages-{key}"
    if not folder.exists():
        wheel, place = toolkit.pycuda(found), disk.building()
        try:
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
            subprocess.run([*pip, "--target", str(place), str(wheel), *NEEDED], check=True)
            take_over(place, folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return folder


def programs(found: Path) -> Path:
    """A folder with the driver and libraries, by the names that are looked for, and a compiler."""
    here = Path(__file__).resolve().parents[2]
    made = {"libcuda.so.1": toolkit.driver(found)}
    made |= {x.soname: toolkit.stand_in(x, found) for x in (toolkit.CUBLAS, toolkit.CUDNN)}
    cache = disk.folder()
    text = NVCC.format(path=here, python=sys.executable, cache=cache)
    folder = cache / f"cuda-session-{disk.key_of([*map(str, made.values()), text])[:16]}"
    if not folder.exists():
        place = disk.building()
        try:
            for name, library in made.items():
                (place / name).symlink_to(library)
            (place / "nvcc").write_text(text, encoding="utf-8")
            (place / "nvcc").chmod(0o755)
            take_over(place, folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return folder


def environment() -> dict[str, str]:
    """The variables under which ``pycuda.driver`` imports and has a device."""
    found = toolkit.root()
    if found is None:
        raise RuntimeError("there is no CUDA toolkit whose headers could be used")
    here = str(Path(__file__).resolve().parents[2])
    folder = programs(found)
    paths = [here, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "GRAPHC_NVCC": str(folder / "nvcc"),
        "LD_LIBRARY_PATH": str(folder),
        "PYTHONPATH": os.pathsep.join([*paths, str(packages(found))]),
    }


if __name__ == "__main__":
    sys.exit(subprocess.run(sys.argv[1:], env=environment(), check=False).returncode)
