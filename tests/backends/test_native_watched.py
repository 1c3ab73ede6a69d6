"""Some of the conformance kit under sanitizers, and that these find what is wrong in programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.backends.native_watched import watched

PLANTED = """
import numpy as np
import pytest

from graphc.backends import find
from graphc.backends.native import emit
from graphc.backends.native.made import Made, Stage
from graphc.compiler import Program
from graphc.ir.dtype import float32
from graphc.ir.graph import Graph
from graphc.ir.node import Item, make_input
from graphc.ir.types import TensorType
from graphc.ops.scan import CumSum
from graphc.ops.sort import Sort

rightly = emit.maker_of
STATEMENTS = [
    "y[task] = x[task];",
    "y[96] = x[task];",
    "y[task] = x[96];",
    "y[task] = (float)(1 / (long)(x[0] * 0));",
    "y[0] += x[task];",
]


def maker_of(node):
    return wrongly if node.op.name == "cumsum" else rightly(node)


def wrongly(name, setting):
    parameters = "long task, const float *x, float *y"
    return Made(f"static void {name}({parameters}) {{ {STATEMENT} }}", (Stage(name, 96),))


@pytest.mark.parametrize("number", range(len(STATEMENTS)))
def test(number, monkeypatch):
    monkeypatch.setattr(emit, "maker_of", maker_of)
    monkeypatch.setitem(globals(), "STATEMENT", STATEMENTS[number])
    x = make_input("x", TensorType((96,), float32))
    graph = Graph((x,), (Item(0)(Sort(0, False)(CumSum(0)(x))),))
    Program(graph, find("native")).executable.bind([])(np.ones(96, np.float32))
"""
"""A program whose first kernel, each task of which has an element, does what a statement says; its
result lies in the arena."""

VALUES = ("graphc/testing/test_values.py", "--backend", "native")
SOME = "exp sum matmul convolution cumsum scatter_add"
"""Rows of the kit, of most ways to make a kernel one each."""


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_nothing_is_found_in_some_of_the_kit(kind: str) -> None:
    chosen = " or ".join(f"[native-{name}-float32]" for name in SOME.split())
    done = watched(kind, [*VALUES, "-k", chosen], capture=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "messages"),
    [
        ("address", {1: "global-buffer-overflow", 2: "heap-buffer-overflow", 3: "division by"}),
        ("thread", {1: "data race", 4: "data race"}),
    ],
)
def test_what_is_wrong_is_found(
    kind: str, messages: dict[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an intermediate value, too, which has no bounds that a sanitizer would know of."""
    path = tmp_path / "test_planted.py"
    path.write_text(PLANTED, encoding="utf-8")
    # Only these: what lies beyond an array's end may be another thread's, or nobody's.
    chosen = " or ".join(f"test[{number}]" for number in (0, *messages))
    if kind == "address":  # which need not tell of two threads at once
        monkeypatch.setenv("GRAPHC_NUM_THREADS", "1")
    done = watched(kind, [str(path), "-rA", "-k", chosen], capture=True)
    said = done.stdout
    assert "PASSED" in said, (done.returncode, said, done.stderr)
    failed = {int(number) for number in re.findall(r"FAILED \S+::test\[(\d)\]", said)}
    assert failed == messages.keys(), said
    for message in messages.values():
        assert message in said
