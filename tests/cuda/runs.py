"""One op run by CUDA kernels on the CPU: in several orders of threads, and checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.compiler import Program
from graphc.ir.dtype import dtype_of_numpy
from graphc.ir.graph import Graph
from graphc.ir.node import Item, Op, make_input
from graphc.ir.types import TensorType
from tests.cuda.emulated import EmulatedBackend

PLAIN = EmulatedBackend()
OTHERS = (EmulatedBackend(order=1), EmulatedBackend(order=5), EmulatedBackend(check=True))
"""Threads in other orders, and a check of all accesses."""


def run(backend: EmulatedBackend, op: Op, *arrays: Any) -> list[Any]:
    """The results of an op."""
    inputs = []
    for i, x in enumerate(arrays):
        dtype = dtype_of_numpy(x.dtype)
        assert dtype is not None
        inputs.append(make_input(f"x{i}", TensorType(x.shape, dtype)))
    node = op(*inputs)
    count = len(node.types)
    results = tuple(Item(i)(node) for i in range(count)) if count > 1 else (node,)
    return list(Program(Graph(tuple(inputs), results), backend).executable.bind([])(*arrays))


def same_in_all(op: Op, *arrays: Any) -> list[Any]:
    """The results, which are the same bits whatever the order of threads."""
    first = run(PLAIN, op, *arrays)
    for each in OTHERS:
        for a, b in zip(first, run(each, op, *arrays), strict=True):
            np.testing.assert_array_equal(a, b)
    return first
