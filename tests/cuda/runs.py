"""One op run by CUDA kernels on the CPU: in several orders of threads, and checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Op
from tests.cuda.emulated import EmulatedBackend, run_ops

PLAIN = EmulatedBackend()
OTHERS = (EmulatedBackend(order=1), EmulatedBackend(order=5), EmulatedBackend(check=True))
"""Threads in other orders, and a check of all accesses."""


def run(backend: EmulatedBackend, op: Op, *arrays: Any) -> list[Any]:
    """The results of an op."""
    (found,) = run_ops((op, arrays), order=backend.order, check=backend.check)
    return list(found)


def same_in_all(op: Op, *arrays: Any) -> list[Any]:
    """The results, which are the same bits whatever the order of threads."""
    return all_same((op, arrays))[0]


def all_same(*uses: tuple[Op, tuple[Any, ...]]) -> list[list[Any]]:
    """Those of several ops in one program."""
    first = run_ops(*uses, order=PLAIN.order, check=PLAIN.check)
    for each in OTHERS:
        for a, b in zip(first, run_ops(*uses, order=each.order, check=each.check), strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
    return [list(x) for x in first]
