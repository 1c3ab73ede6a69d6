"""The functions that generated kernels share, and what they import."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
        if _calls(text, name):
            texts.append(render(template, threads=threads).strip("\n"))
            if name in IMPORTS:
                imports.append(IMPORTS[name])
    texts.extend(_called(text, getattr(spelling, "PRELUDE_FUNCTIONS", {})))
    if "bfloat16" in text and re.search(r"(?<![\w.])bfloat16\b", text):
        imports.append("from ml_dtypes import bfloat16")
    return imports, texts


def _calls(text: str, name: str) -> bool:
    """Whether ``text`` calls the function ``name``; most texts do not so much as name it."""
    return f"{name}(" in text and bool(re.search(rf"(?<![\w.]){name}\(", text))


def _called(text: str, functions: Mapping[str, str]) -> list[str]:
    """The functions that ``text`` calls, and those that these call."""
    chosen: dict[str, None] = {}
    waiting = [text]
    while waiting:
        caller = waiting.pop()
        for name, function in functions.items():
            if name not in chosen and (_calls(caller, name) or f"halves({name}," in caller):
                chosen[name] = None
                waiting.append(function)
    return [function.strip("\n") for name, function in functions.items() if name in chosen]
