"""Operators by their own names, histograms, stretches, random counts, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from tests.tensor.programs import check, lines
from tests.torch_peer import torch

OPERANDS = """
d = torch.float64
x = ((torch.arange(2 * 4 * 3 * 3, dtype=d) * 7) % 31).sin().reshape(2, 4, 3, 3).requires_grad_()
w = torch.tensor([1.0, 0.5, -2.0, 3.0], dtype=d, requires_grad=True)
b = torch.tensor([0.0, 1.0, 2.0, -1.0], dtype=d, requires_grad=True)
m, v = torch.zeros(4, dtype=d), torch.ones(4, dtype=d)
s = torch.tensor([1.0, 3.0, 2.0, 5.0, 4.0], dtype=d, requires_grad=True)
t = ((torch.arange(20, dtype=d) * 7) % 13).reshape(2, 5, 2).requires_grad_()
g = torch.linspace(-1.2, 1.1, 2 * 2 * 2 * 2, dtype=d).reshape(2, 2, 2, 2)
h = torch.tensor([1.0, 2.5, 2.0, 0.0, 3.0, 1.0, 2.999])
p = ((torch.arange(24.0) * 7) % 11).reshape(4, 3, 2)
"""
CALLS = lines("""
torch.native_layer_norm(x, (3, 3), None, None, 1e-5)
torch.native_group_norm(x, w, b, 2, 4, 9, 2, 1e-5)
torch.native_batch_norm(x, w, b, m, v, True, 0.1, 1e-5), m, v
torch.native_batch_norm(x, w, None, m, v, False, 0.1, 1e-5)
torch.batch_norm(x, w, b, m, v, True, 0.1, 1e-5, True), m, v
torch.instance_norm(x, w, b, None, None, True, 0.1, 1e-5, False)
torch.dropout(x, 0.5, False)
torch.dropout(x, 1.0, True)
torch.alpha_dropout(x, 0.5, False)
torch.feature_alpha_dropout(x, 0.5, False)
torch.rrelu(x)
torch.rrelu_(x * 1)
torch.embedding(t[0], torch.tensor([[1, 0], [4, 1]]))
torch.embedding(t[0], torch.tensor([1, 0]), 1)
torch.constant_pad_nd(x, (1, 2), 3.0)
torch.convolution(x, x[:, :, :2, :2].detach(), None, (1, 1), (1, 0), (1, 1), False, (0, 0), 1)
torch.convolution(x, w[:, None, None, None], b, (2, 2), (0, 0), (1, 1), True, (1, 0), 4)
torch.grid_sampler(x, g, 0, 0, False)
torch.grid_sampler_2d(x, g, 1, 1, True)
torch.affine_grid_generator(t[:, :3].mT.detach(), (2, 1, 2, 2), False)
torch.norm_except_dim(x, 2, 1)
torch._weight_norm(x, x[:, :1, :1, :1].detach(), 0)
torch.segment_reduce(s, "sum", lengths=torch.tensor([2, 0, 3]))
torch.segment_reduce(s, "mean", lengths=torch.tensor([2, 0, 3]))
torch.segment_reduce(s, "mean", lengths=torch.tensor([2, 0, 3]), initial=1.0)
torch.segment_reduce(s, "max", lengths=torch.tensor([2, 3]))
torch.segment_reduce(s, "min", offsets=torch.tensor([0, 1, 1, 5]), initial=2)
torch.segment_reduce(s, "prod", offsets=torch.tensor([0, 1, 5]))
torch.segment_reduce(t, "sum", lengths=torch.tensor([1, 1]))
torch.segment_reduce(t, "max", lengths=torch.tensor([[1, 4], [2, 3]]), axis=1)
torch.segment_reduce(s, "sum", lengths=torch.tensor([2, 2]))
torch.segment_reduce(s, "sum", lengths=torch.tensor([6, -1]))
torch.segment_reduce(s, "sum")
torch.segment_reduce(s, "foo", lengths=torch.tensor([2, 3]))
torch.nonzero_static(torch.tensor([[1, 0, 2], [0, 3, 0]]), size=5)
torch.nonzero_static(torch.tensor([[1, 0, 2], [0, 3, 0]]), size=2, fill_value=9)
torch.tensor([0.0, 1.0]).nonzero_static(size=4, fill_value=7)
torch.ones(5, 0, 3).nonzero_static(size=0)
torch.ones(5, 0, 3).nonzero_static(size=2)
torch.histogram(h, 4)
torch.histogram(h, bins=5, range=(0.5, 2.5))
torch.histogram(h, torch.tensor([0.0, 0.5, 2.0, 3.0]))
torch.histogram(h, 3, weight=h * 2, density=True)
h.histogram(2, density=True)
torch.histogram(h[:0], 3)
torch.histogram(torch.ones(3), 2)
torch.histogram(h, 3, weight=h[:2])
torch.histogram(torch.arange(3), 3)
torch.histogramdd(p, (2, 3))
torch.histogramdd(p, 2, range=(0.0, 8.0, 1.0, 10.0))
torch.histogramdd(p, [torch.tensor([0.0, 4.0, 9.0]), torch.tensor([0.0, 8.0])], density=True)
torch.histogramdd(p, (2, 2), weight=p[..., 0])
torch.histogramdd(p, (2, 3, 4))
torch.pca_lowrank(t, 5)
torch.pca_lowrank(t, niter=-1)
torch.poisson(torch.tensor([-1.0]))
torch.poisson(torch.tensor([1]))
torch.binomial(torch.tensor([1]), torch.tensor([0.5]))
""")


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    check(
        f"""
{OPERANDS}
found = {call}
parts, todo = [], [found]
while todo:
    x_ = todo.pop(0)
    todo += list(x_) if isinstance(x_, (tuple, list)) else []
    parts += [x_] if isinstance(x_, torch.Tensor) else []
needing = [q for q in parts[:1] if q.requires_grad]
if needing:
    (needing[0] * needing[0]).sum().backward()
[q.detach() for q in parts], [q.grad for q in (x, w, b, s, t)]
""",
        rounding=10,
    )


def test_low_rank() -> None:
    def program(m: Any) -> Any:
        m.manual_seed(0)
        a = (m.arange(30.0, dtype=m.float64) * 7 % 11).reshape(6, 5)
        a = a[:, :2] @ a[:2]
        found = []
        for u, s, v in (m.svd_lowrank(a, q=2), m.svd_lowrank(a.T, 3), m.pca_lowrank(a, 2)):
            found += [s[:2], (u * s) @ v.mT]
        return [*found, (m.svd_lowrank(a, 2, M=a * 0.5)[0]).shape]

    check(program, rounding=1000)


@pytest.mark.parametrize("name", ["poisson", "binomial"])
def test_random_counts(name: str) -> None:
    graphc.manual_seed(3)
    rates = graphc.tensor([0.0, 0.5, 4.0, 30.0]).repeat(4000, 1)
    if name == "poisson":
        drawn, mean, variance = graphc.poisson(rates), [0, 0.5, 4, 30], [0, 0.5, 4, 30]
    else:
        chances = graphc.tensor([0.3, 0.5, 0.25, 1.0]).expand(4000, 4)
        drawn = graphc.binomial(rates, chances)
        mean, variance = [0, 0, 1, 30], [0, 0, 0.75, 0]
    assert drawn.dtype is graphc.float32
    assert graphc.equal(drawn, drawn.round())
    np.testing.assert_allclose(drawn.mean(0).numpy(), mean, atol=0.4)
    np.testing.assert_allclose(drawn.var(0).numpy(), variance, rtol=0.15)
    generator = graphc.Generator().manual_seed(1)
    call = getattr(graphc, name)
    given = (rates,) if name == "poisson" else (rates, chances)
    first, second = call(*given, generator=generator), call(*given, generator=generator)
    assert not graphc.equal(first, second)
    assert graphc.equal(call(*given, generator=generator.manual_seed(1)), first)


def test_embedding_rows_are_scaled() -> None:
    def program(m: Any) -> Any:
        rows = m.arange(6.0).reshape(3, 2)
        return m.embedding_renorm_(rows, m.tensor([1, 2]), 1.0, 2.0), rows

    check(program)


def test_ctc_loss_by_numbers() -> None:
    def program(m: Any) -> Any:
        scores = m.log_softmax(m.arange(24.0).reshape(4, 2, 3).sin(), 2)
        lengths = m.tensor([4, 3]), m.tensor([2, 1])
        targets = m.tensor([[1, 2], [2, 1]])
        return [m.ctc_loss(scores, targets, *lengths, 0, how) for how in (0, 1, 2)]

    check(program)


def test_compiled() -> None:
    x = graphc.tensor([1.0, 0.0, 2.0, 2.5])

    def call(x: Any) -> Any:
        return graphc.nonzero_static(x, size=3), graphc.histogram(x, 3).hist, graphc.frexp(x)[1]

    for mine, again in zip(graphc.compile(call)(x), call(x), strict=True):
        assert graphc.equal(mine, again)
    assert torch is not None


def test_numbers_are_added_up_often() -> None:
    """Where many numbers meet in few places, they are sorted first."""
    cells, numbers = graphc.arange(300) % 2, graphc.ones(300)
    for backend in ("numpy", "auto"):
        call = graphc.compile(lambda c, x: graphc.zeros(2).index_add(0, c, x), backend=backend)
        assert call(cells, numbers).tolist() == [150.0, 150.0]
