"""The functions that generated kernels share, and what they import."""

from __future__ import annotations

import re

from graphc.backends.numpy import spelling
from graphc.kernels_templates import render

IMPORTS = {
    "recycled": "import sys",
    "parallel": "from concurrent.futures import ThreadPoolExecutor",
}
"""Which of numpy's neighbours a helper needs."""


def helpers(text: str, threads: int) -> tuple[list[str], list[str]]:
    """The imports and the texts of the helpers that ``text`` calls."""
    own = {
        "view": "_view.numpy.j2",
        "recycled": "_recycled.numpy.j2",
        "parallel": "_parallel.numpy.j2",
    }
    imports, texts = [], []
    for name, template in own.items():
        if re.search(rf"(?<![\w.]){name}\(", text):
            texts.append(render(template, threads=threads).strip("\n"))
            if name in IMPORTS:
                imports.append(IMPORTS[name])
    for name, function in getattr(spelling, "PRELUDE_FUNCTIONS", {}).items():
        if re.search(rf"(?<![\w.]){name}\(", text):
            texts.append(function.strip("\n"))
    if re.search(r"(?<![\w.])bfloat16\b", text):
        imports.append("from ml_dtypes import bfloat16")
    return imports, texts
