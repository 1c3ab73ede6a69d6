"""The CUDA compilers that are here."""

from __future__ import annotations

import shutil
from functools import cache

import pytest

from graphc.backends.cuda import nvrtc
from graphc.backends.cuda.compilation import Nvcc


@cache
def compilers() -> tuple[Nvcc | nvrtc.Nvrtc, ...]:
    """NVRTC and nvcc, as far as they are installed."""
    library, program = nvrtc.find(), shutil.which("nvcc")
    found = [library, Nvcc(program, "") if program else None]
    return tuple(x for x in found if x is not None)


needs_compiler = pytest.mark.skipif(not compilers(), reason="there is no CUDA compiler")
