"""Whether there is a CUDA compiler, as the backend finds one."""

from __future__ import annotations

import pytest

from graphc.backends.cuda import compilation
from graphc.errors import GraphcRuntimeError


def has_compiler() -> bool:
    """Whether NVRTC or nvcc is here."""
    try:
        compilation.compiler()
    except GraphcRuntimeError:
        return False
    return True


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="there is no CUDA compiler")
