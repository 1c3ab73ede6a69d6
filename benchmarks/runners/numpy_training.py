"""Training steps written by hand in numpy: every gradient spelt out, every buffer reused."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.cases import Array, Arrays, Case
from benchmarks.runners import Job
from benchmarks.runners.numpy_common import BLOCK, THREADS, blocks


def mlp_seed(case: Case) -> Job:
    x, y = case.inputs["x"], case.inputs["y"]
    initial = list(case.params.values())
    w1, b1, w2, b2 = params = [p.copy() for p in initial]
    gw1, gb1, gw2, gb2 = (np.empty_like(p) for p in params)
    h, e, gh = (np.empty((1, n), np.float32) for n in (5, 1, 5))
    active = np.empty((1, 5), bool)
    lr = np.float32(case.config["lr"])
    x0, h0, gh0 = x[0], h[0], gh[0]

    def step() -> float:
        np.dot(w1, x0, out=h0)
        np.add(h0, b1, out=h0)
        np.maximum(h, 0, out=h)
        np.dot(h, w2.T, out=e)
        np.add(e, b2, out=e)
        np.subtract(e, y, out=e)
        error = float(e[0, 0])
        scale = 2 * error
        np.multiply(w2, scale, out=gh)  # the gradients
        np.multiply(h, scale, out=gw2)
        np.greater(h, 0, out=active)
        np.multiply(gh, active, out=gh)
        np.multiply(gh0[:, None], x, out=gw1)
        gb2[0] = scale
        np.multiply(gw1, lr, out=gw1)  # the update
        np.subtract(w1, gw1, out=w1)
        np.multiply(gh0, lr, out=gb1)
        np.subtract(b1, gb1, out=b1)
        np.multiply(gw2, lr, out=gw2)
        np.subtract(w2, gw2, out=w2)
        np.multiply(gb2, lr, out=gb2)
        np.subtract(b2, gb2, out=b2)
        return error * error

    def reset() -> None:
        for p, first in zip(params, initial, strict=True):
            p[...] = first

    def weights() -> Arrays:
        return {k: p.copy() for k, p in zip(case.params, params, strict=True)}

    return Job(step, lambda loss: [np.asarray(loss)], reset, weights)


class Adam:
    """All parameters in one array, so that the update is one loop over blocks."""

    def __init__(self, case: Case) -> None:
        self.config = case.config
        self.shapes = {k: p.shape for k, p in case.params.items()}
        self.initial = np.concatenate([p.ravel() for p in case.params.values()])
        self.flat, self.grad, self.m, self.v = (np.zeros_like(self.initial) for _ in range(4))
        self.scratch = THREADS.scratch(1, BLOCK)
        self.reset()

    def views(self, store: Array) -> Arrays:
        out, at = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            out[name] = store[at : at + size].reshape(shape)
            at += size
        return out

    def reset(self) -> None:
        self.flat[...] = self.initial
        self.m[...] = self.v[...] = 0
        self.count = 0

    def update(self) -> None:
        self.count += 1
        THREADS.run(self._part, self.flat.size)

    def _part(self, i: int, begin: int, end: int) -> None:
        c = self.config
        b1, b2 = c["betas"]
        rate = np.float32(c["lr"] / (1 - b1**self.count))
        root = np.float32((1 - b2**self.count) ** -0.5)
        for block in blocks(begin, end, BLOCK):
            g, m, v = self.grad[block], self.m[block], self.v[block]
            t = self.scratch[i][0][: g.size]
            m *= np.float32(b1)
            np.multiply(g, np.float32(1 - b1), out=t)
            m += t
            v *= np.float32(b2)
            g *= g
            g *= np.float32(1 - b2)
            v += g
            np.sqrt(v, out=t)
            t *= root
            t += np.float32(c["eps"])
            np.divide(m, t, out=t)
            t *= rate
            self.flat[block] -= t


class Mlp:
    """Linear layers with ReLU between them, and cross-entropy behind the last."""

    def __init__(self, case: Case, optimizer: Adam) -> None:
        self.labels = case.inputs["y"]
        self.rows = np.arange(len(self.labels))
        weights = list(optimizer.views(optimizer.flat).values())
        grads = list(optimizer.views(optimizer.grad).values())
        self.w, self.b, self.gw, self.gb = weights[::2], weights[1::2], grads[::2], grads[1::2]
        shapes = [(len(self.rows), len(b)) for b in self.b]
        self.acts = [case.inputs["x"], *(np.empty(s, np.float32) for s in shapes)]
        self.deltas = [self.acts[0], *(np.empty(s, np.float32) for s in shapes)]
        self.masks = [np.empty(a.shape, bool) for a in self.acts]

    def forward(self) -> Any:
        last = len(self.w) - 1
        for i, (w, b) in enumerate(zip(self.w, self.b, strict=True)):
            out = self.acts[i + 1]
            np.matmul(self.acts[i], w.T, out=out)
            out += b
            if i < last:
                np.maximum(out, 0, out=out)
        d, logits = self.deltas[-1], self.acts[-1]
        np.subtract(logits, logits.max(1, keepdims=True), out=d)
        picked = d[self.rows, self.labels]
        np.exp(d, out=d)
        total = d.sum(1, keepdims=True)
        loss = (np.log(total[:, 0]) - picked).mean()
        d /= total
        d[self.rows, self.labels] -= 1
        d *= np.float32(1 / len(self.rows))
        return loss

    def backward(self) -> None:
        for i in reversed(range(len(self.w))):
            d, below = self.deltas[i + 1], self.acts[i]
            np.matmul(d.T, below, out=self.gw[i])
            np.sum(d, axis=0, out=self.gb[i])
            if i:
                np.matmul(d, self.w[i], out=self.deltas[i])
                np.greater(below, 0, out=self.masks[i])
                self.deltas[i] *= self.masks[i]


def mlp_mnist(case: Case) -> Job:
    optimizer = Adam(case)
    model = Mlp(case, optimizer)

    def step() -> Any:
        loss = model.forward()
        model.backward()
        optimizer.update()
        return loss

    def weights() -> Arrays:
        return {k: p.copy() for k, p in optimizer.views(optimizer.flat).items()}

    return Job(step, lambda loss: [np.asarray(loss)], optimizer.reset, weights)
