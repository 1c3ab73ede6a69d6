"""Where NVIDIA's libraries are: within the package ``nvidia`` of wheels, or in a toolkit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from glob import glob
from importlib.util import find_spec


def files(folders: Iterable[str], pattern: str) -> list[str]:
    """The files of a name's pattern in these folders of ``nvidia``, then in a CUDA toolkit."""
    spec = find_spec("nvidia")
    bases = (spec and spec.submodule_search_locations) or ()
    found = [os.path.join(base, folder) for base in bases for folder in folders]
    found.append(os.path.join(os.environ.get("CUDA_HOME", "/usr/local/cuda"), "lib64"))
    return [path for folder in found for path in sorted(glob(os.path.join(folder, pattern)))]
