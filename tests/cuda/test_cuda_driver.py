"""The genuine PyCUDA runs programs, on a driver whose device is the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cuda import toolkit

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(toolkit.root() is None, reason="there is no CUDA toolkit"),
]
ROOT = Path(__file__).parents[2]


def in_session(*arguments: str, **settings: str) -> str:
    """What a Python process prints there."""
    command = [sys.executable, "-m", "tests.cuda.session", sys.executable, *arguments]
    environment = {**os.environ, **settings}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_contract_holds_through_pycuda() -> None:
    """The whole kit is run by ``.ci/run``."""
    kit = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--backend", "cuda"]
    assert " passed" in in_session(*kit, "graphc/testing/test_contract.py")


def test_tensors_and_trainings() -> None:
    """What a machine with a device runs as it is."""
    quiet = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto"]
    said = in_session(*quiet, "tests/cuda/on_device")
    assert " passed" in said
    assert "skipped" not in said


def test_two_devices() -> None:
    program = """
import graphc
a, b = (graphc.arange(3.0, device=f"cuda:{i}") + i for i in range(2))
print(graphc.cuda.device_count(), a.device, b.device, b.to(a.device).tolist())
print((a + b.to("cuda:0") + a).tolist(), (b * 2).to("cpu").tolist(), (a * 2).tolist())
try:
    a + b
except RuntimeError as error:
    print(str(error).splitlines()[0])
with graphc.cuda.device(1):
    print(graphc.ones(1, device="cuda").device, graphc.cuda.current_device())
step = graphc.compile(lambda a, b: (a.to(b.device) + b, a.sum()))
for _ in range(3):
    mixed, total = step(a, b)
print(mixed, total)
"""
    said = in_session("-c", program, GRAPHC_TEST_DEVICES="2").splitlines()
    assert said == [
        "2 cuda:0 cuda:1 [1.0, 2.0, 3.0]",
        "[1.0, 4.0, 7.0] [2.0, 4.0, 6.0] [0.0, 2.0, 4.0]",
        "add: expected all tensors to be on the same device, but found at least two devices, "
        "cuda:0 and cuda:1!",
        "cuda:1 1",
        "tensor([1., 3., 5.], device='cuda:1') tensor(3., device='cuda:0')",
    ]


@pytest.mark.parametrize(("capability", "grouped"), [("80", False), ("90", True)])
def test_products_are_those_of_the_device(capability: str, grouped: bool) -> None:
    """Maps are encoded by the driver, and are of where each operand lies, again and again."""
    program = """
import graphc
x = graphc.arange(512.0).reshape(512, 1) % 7 + graphc.arange(256.0) % 5
w = graphc.arange(256.0).reshape(256, 1) % 3 - graphc.arange(768.0) % 2
x, w = (t.to(graphc.float16).to("cuda") for t in (x, w))
step = graphc.compile(lambda a, b: a @ b)
right = x.to(graphc.float64) @ w.to(graphc.float64)
for _ in range(3):
    print(bool((step(x, w).to(graphc.float64) - right).abs().max() <= right.abs().max() / 2048))
print("a warpgroup on tensor cores" in step.source())
"""
    said = in_session("-c", program, GRAPHC_TEST_CAPABILITY=capability)
    assert said.split() == ["True"] * 3 + [str(grouped)]


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
