"""What the kernels written by hand in numpy share: blocks that fit the cache, and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.cases import Array

BLOCK = 32 * 1024
"""Floats; a handful of such buffers fit in the L2 cache."""
GELU_K = np.float32((2 / np.pi) ** 0.5)
GELU_P = np.float32(0.044715)
HALF = np.float32(0.5)


@dataclass
class Threads:
    """The threads of this process; numpy drops the interpreter's lock inside its loops."""

    count: int = 1
    pool: ThreadPoolExecutor | None = None

    def start(self, count: int) -> None:
        self.count, self.pool = count, ThreadPoolExecutor(count)

    def run(self, work: Callable[[int, int, int], Any], size: int) -> None:
        """`work(part, begin, end)` on equal parts of range(size), one to a thread."""
        assert self.pool is not None
        edges = [size * i // self.count for i in range(self.count + 1)]
        jobs = [self.pool.submit(work, i, edges[i], edges[i + 1]) for i in range(1, self.count)]
        work(0, edges[0], edges[1])
        for job in jobs:
            job.result()

    def scratch(self, buffers: int, *shape: int) -> list[list[Array]]:
        """Buffers for each thread."""
        return [[np.empty(shape, np.float32) for _ in range(buffers)] for _ in range(self.count)]


THREADS = Threads()


def blocks(begin: int, end: int, size: int) -> Iterator[slice]:
    for low in range(begin, end, size):
        yield slice(low, min(end, low + size))


def gelu_tanh_twice(u: Array, t: Array) -> None:
    """u becomes 2 · gelu(u), with t as scratch."""
    np.multiply(u, u, out=t)
    t *= GELU_K * GELU_P
    t += GELU_K
    t *= u
    np.tanh(t, out=t)
    t += 1
    u *= t


def normalize(x: Array, h: Array, eps: float) -> Array:
    """h = (x - μ) / σ along the last axis; returns 1 / σ."""
    columns = np.float32(1 / x.shape[-1])
    mean = x.sum(-1, keepdims=True)
    mean *= columns
    np.subtract(x, mean, out=h)
    inverse: Array = np.einsum("ij,ij->i", h, h)[:, None]
    inverse *= columns
    inverse += np.float32(eps)
    np.sqrt(inverse, out=inverse)
    np.divide(1, inverse, out=inverse)
    h *= inverse
    return inverse


def softmax(h: Array) -> None:
    """h becomes its own softmax along the last axis."""
    h -= h.max(-1, keepdims=True)
    np.exp(h, out=h)
    h *= 1 / h.sum(-1, keepdims=True)
