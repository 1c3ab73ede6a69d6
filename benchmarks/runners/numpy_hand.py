"""What a careful person writes in plain numpy: out= buffers, cache-sized blocks, two threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.cases import Array, Case
from benchmarks.runners import Job, Unsupported
from benchmarks.runners.numpy_common import (
    BLOCK,
    GELU_K,
    GELU_P,
    HALF,
    THREADS,
    blocks,
    gelu_tanh_twice,
    normalize,
    softmax,
)
from benchmarks.runners.numpy_training import mlp_mnist, mlp_seed

DISTRIBUTIONS = ("numpy",)


def start(threads: int) -> dict[str, Any]:
    THREADS.start(threads)
    return {"numpy": np.__version__, "threads": threads}


def constants(case: Case) -> list[np.float32]:
    return [np.float32(case.config[k]) for k in ("a", "b", "c", "y0")]


def ew_chain(case: Case) -> Job:
    x = case.inputs["x"]
    a, b, c, y0 = constants(case)
    y = np.empty_like(x)
    scratch = THREADS.scratch(2, BLOCK)

    def part(i: int, begin: int, end: int) -> None:
        for block in blocks(begin, end, BLOCK):
            xs, ys = x[block], y[block]
            u, t = (s[: xs.size] for s in scratch[i])
            np.multiply(xs, a, out=u)
            u += b
            gelu_tanh_twice(u, t)
            np.multiply(xs, HALF, out=t)  # sigmoid(x) = (1 + tanh(x/2)) / 2
            np.tanh(t, out=t)
            t += 1
            u *= t
            u *= np.float32(0.25)
            np.multiply(xs, c, out=t)
            t -= y0
            np.tanh(t, out=t)
            np.add(u, t, out=ys)

    return Job(lambda: THREADS.run(part, x.size), lambda _: [y])


def gelu_with_slope(u: Array, slope: Array, t: Array, r: Array) -> None:
    """u becomes gelu(u); slope gelu'(u) = (1+T)/2 + u/2 · (1-T²) · k · (1 + 3p·u²)."""
    np.multiply(u, u, out=slope)
    np.multiply(slope, GELU_K * GELU_P, out=t)
    t += GELU_K
    t *= u
    np.tanh(t, out=t)  # T
    slope *= GELU_K * GELU_P * 3
    slope += GELU_K
    slope *= u
    np.multiply(t, t, out=r)
    np.subtract(1, r, out=r)
    slope *= r
    t += 1
    slope += t
    slope *= HALF
    u *= t
    u *= HALF


def ew_chain_bwd(case: Case) -> Job:
    x = case.inputs["x"]
    a, b, c, y0 = constants(case)
    gx = np.empty_like(x)
    scratch = THREADS.scratch(5, BLOCK)
    totals = np.zeros(THREADS.count)

    def part(i: int, begin: int, end: int) -> None:
        total = 0.0
        for block in blocks(begin, end, BLOCK):
            xs = x[block]
            u, slope, t, s, r = (buffer[: xs.size] for buffer in scratch[i])
            np.multiply(xs, a, out=u)
            u += b
            gelu_with_slope(u, slope, t, r)
            np.multiply(xs, HALF, out=s)
            np.tanh(s, out=s)
            s += 1
            s *= HALF  # S = sigmoid(x)
            np.multiply(u, s, out=t)  # gelu · S
            slope *= s
            slope *= a  # a · gelu' · S
            np.multiply(xs, c, out=r)
            r -= y0
            np.tanh(r, out=r)  # R
            np.subtract(1, s, out=s)
            s *= t
            slope += s  # + gelu · S · (1-S)
            t += r
            total += float(t.sum())
            r *= r
            np.subtract(1, r, out=r)
            r *= c
            np.add(slope, r, out=gx[block])
        totals[i] = total

    def step() -> Any:
        THREADS.run(part, x.size)
        return totals.sum()

    return Job(step, lambda total: [np.asarray(total, np.float32), gx])


def norm_softmax(case: Case) -> Job:
    x, (gamma, beta) = case.inputs["x"], case.params.values()
    y = np.empty_like(x)
    rows = BLOCK // x.shape[1]

    def part(_: int, begin: int, end: int) -> None:
        for block in blocks(begin, end, rows):
            h = y[block]
            normalize(x[block], h, case.config["eps"])
            h *= gamma
            h += beta
            softmax(h)

    return Job(lambda: THREADS.run(part, len(x)), lambda _: [y])


def norm_backward(g: Array, h: Array, inverse: Array) -> None:
    """g becomes the gradient of the rows that were normalised to h."""
    columns = np.float32(1 / g.shape[-1])
    mean = g.sum(-1, keepdims=True)
    mean *= columns
    product: Array = np.einsum("ij,ij->i", g, h)[:, None]
    product *= columns
    h *= product
    g -= mean
    g -= h
    g *= inverse


def norm_softmax_bwd(case: Case) -> Job:
    x, ct, (gamma, beta) = case.inputs["x"], case.inputs["ct"], case.params.values()
    rows = BLOCK // x.shape[1]
    gx = np.empty_like(x)
    scratch = THREADS.scratch(2, rows, x.shape[1])
    totals = np.zeros(THREADS.count)
    g_gamma = np.zeros((THREADS.count, x.shape[1]), np.float32)
    g_beta = np.zeros_like(g_gamma)

    def part(i: int, begin: int, end: int) -> None:
        totals[i] = g_gamma[i] = g_beta[i] = 0
        for block in blocks(begin, end, rows):
            g, c = gx[block], ct[block]
            h, s = (buffer[: len(g)] for buffer in scratch[i])
            inverse = normalize(x[block], h, case.config["eps"])
            np.multiply(h, gamma, out=s)
            s += beta
            softmax(s)
            dot = np.einsum("ij,ij->i", s, c)[:, None]
            totals[i] += float(dot.sum())
            np.subtract(c, dot, out=g)  # the gradient of the softmax's input
            g *= s
            g_beta[i] += g.sum(0)
            np.multiply(g, h, out=s)
            g_gamma[i] += s.sum(0)
            g *= gamma  # the gradient of the normalised rows
            norm_backward(g, h, inverse)

    def step() -> list[Array]:
        THREADS.run(part, len(x))
        return [np.asarray(totals.sum()), gx, g_gamma.sum(0), g_beta.sum(0)]

    return Job(step, lambda arrays: arrays)


def matmul(case: Case) -> Job:
    x, w, b = case.inputs["x"], case.params["w"], case.params["b"]
    y = np.empty((len(x), len(b)), np.float32)
    rows = max(1, BLOCK // len(b))
    scratch = THREADS.scratch(1, rows, len(b))

    def part(i: int, begin: int, end: int) -> None:
        for block in blocks(begin, end, rows):
            u = y[block]
            u += b
            gelu_tanh_twice(u, scratch[i][0][: len(u)])
            u *= HALF

    def step() -> None:
        np.matmul(x, w, out=y)
        THREADS.run(part, len(x))

    return Job(step, lambda _: [y])


BUILDERS = {
    "mlp_seed": mlp_seed,
    "mlp_mnist": mlp_mnist,
    "ew_chain": ew_chain,
    "ew_chain_bwd": ew_chain_bwd,
    "norm_softmax": norm_softmax,
    "norm_softmax_bwd": norm_softmax_bwd,
    "matmul_512": matmul,
    "matmul_2048": matmul,
}


def build(name: str, case: Case) -> Job:
    if name not in BUILDERS:
        raise Unsupported("not written by hand")
    return BUILDERS[name](case)
