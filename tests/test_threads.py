"""Threads that share the work of a kernel: how many there are, in forked processes too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import graphc
from graphc.errors import GraphcRuntimeError

LARGE = 1 << 22

FORKED = f"""
import os
import graphc

x = graphc.ones({LARGE})
step = graphc.compile(lambda x: (x * 2 + 1).sigmoid() * x)
first = step(x).numpy()
assert "parallel(" in step.source()
child = os.fork()
if child == 0:
    os._exit(0 if (step(x).numpy() == first).all() else 1)
assert os.waitpid(child, 0)[1] == 0
assert (step(x).numpy() == first).all()
"""


def test_programs_follow_the_number_of_threads() -> None:
    before = graphc.get_num_threads()
    x = graphc.linspace(-1, 1, LARGE)
    step = graphc.compile(lambda x: (x * 2 + 1).sigmoid() * x, backend="numpy")
    results = []
    try:
        for count in (1, 2, 3, 2):
            graphc.set_num_threads(count)
            assert graphc.get_num_threads() == count
            results += [step(x).numpy(), ((x * 2 + 1).sigmoid() * x).numpy()]
            assert ("parallel(" in step.source()) == (count > 1)
    finally:
        graphc.set_num_threads(before)
    assert len(step.compilations) == 3
    assert all((found == results[0]).all() for found in results)


def test_a_number_of_threads_is_positive() -> None:
    with pytest.raises(GraphcRuntimeError, match="set_num_threads expects a positive integer"):
        graphc.set_num_threads(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    environment = dict(os.environ, PYTHONWARNINGS="ignore::DeprecationWarning")
    done = subprocess.run(
        [sys.executable, "-c", "import graphc; graphc.set_num_threads(2)\n" + FORKED],
        env=environment,
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
