"""The generated text: the same every time, and whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from graphc.backend import Backend
from graphc.backends import find
from graphc.testing import texts
from graphc.testing.table import Row, table


@pytest.mark.parametrize("row", table().values(), ids=lambda row: row.name)
def test_text_is_the_same_every_time(row: Row, backend: Backend) -> None:
    """Built twice from samples made anew, so that no identity of an object can show."""
    firsts, seconds = texts.sources(row, backend), texts.sources(row, backend)
    for first, second in zip(firsts, seconds, strict=True):
        assert first.text == second.text
        assert first.kernels == second.kernels
        assert first.arena_bytes == second.arena_bytes
        assert first.text.strip(), "a program has a text"


def test_text_is_the_same_in_every_process(backend: Backend) -> None:
    """Python orders its sets by hashes, which differ from process to process."""
    assert find(backend.name) is backend, "a backend is registered under its name"
    command = [sys.executable, "-m", texts.__name__, backend.name]
    path = os.pathsep.join(filter(None, sys.path))
    children = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    first, second = (json.loads(child.communicate()[0]) for child in children)
    assert first == second


def test_every_kernel_has_a_name_of_its_own(backend: Backend) -> None:
    (first, *_) = texts.sources(table()["sum"], backend)
    names = [kernel.name for kernel in first.kernels]
    assert len(names) == len(set(names))
