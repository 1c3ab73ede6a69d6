"""The genuine PyCUDA runs programs, on a driver whose device is the CPU."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cuda import toolkit

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(toolkit.root() is None, reason="there is no CUDA toolkit"),
]
CHOSEN = "float32 and (value or gradient) and (matmul or softmax or gather or max_pool or sum-)"


def in_session(*arguments: str) -> str:
    """What a Python process prints there."""
    command = [sys.executable, "-m", "tests.cuda.session", sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_kit_runs_through_pycuda() -> None:
    kit = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--backend", "cuda"]
    assert " passed" in in_session(*kit, "graphc/testing/test_contract.py")
    assert " passed" in in_session(*kit, "graphc/testing", "-k", CHOSEN)


def test_what_there_is_is_told() -> None:
    said = in_session("-c", "from graphc import backends; print(backends.status()['cuda'])")
    assert said.startswith("works with CPU stand-in (sm_90), compiled for by")


def test_memory_that_is_not_there() -> None:
    """The error says what was asked for and what is free; the process goes on."""
    program = """
import numpy as np
from graphc.backends import find
from graphc.compiler import Program
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import make_input
from graphc.ir.types import TensorType
def doubled(n):
    x = make_input("x", TensorType((n,), float32))
    return Program(Graph((x,), (x * 2.0,)), find("cuda")).executable
try:
    doubled(2 ** 31).bind([])
except RuntimeError as error:
    print(error)
print(doubled(3).bind([])(np.array([1, 2, 3], np.float32)))
"""
    said = in_session("-c", program)
    assert "CUDA out of memory" in said
    assert "17,179,869,184 bytes on device 0" in said
    assert "[array([2., 4., 6.], dtype=float32)]" in said
