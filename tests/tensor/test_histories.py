"""What can still be differentiated once numbers were read, written or drawn, against PyTorch."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.recording import session
from tests.tensor.programs import blocks, check, named
from tests.torch_peer import torch

PROGRAMS = blocks("""
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x * x).exp()
y.tolist()
y.sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)
y = x * w
y.tolist()
with torch.no_grad():
    w.add_(1)
w.tolist()
y.sum().backward()

x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0])
y = x * w
y.tolist()
w.add_(1)
w.tolist()
y.sum().backward()

x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0])
y = x + w
y.tolist()
w.add_(1)
w.tolist()
y.sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 3
y.tolist()
with torch.no_grad():
    x.add_(1)
x.tolist()
y.sum().backward()
(x, x.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 3
with torch.no_grad():
    x.add_(1)
z = (x * x).sum() + y.sum()
z.tolist()
z.backward()
(x, x.grad)

w = torch.tensor([1.0, 2.0], requires_grad=True)
total = 0.0
for step in range(3):
    loss = (w * w).sum()
    total += loss.item()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
(w, total)

w = torch.tensor([1.0, 2.0], requires_grad=True)
losses = []
for step in range(3):
    loss = (w * w).sum()
    losses.append(loss)
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
losses + [w]

w = torch.tensor([1.0, 2.0], requires_grad=True)
loss = (w * w).sum()
loss.backward()
loss.tolist()
(loss * 2).backward()

w = torch.tensor([1.0, 2.0], requires_grad=True)
y = w * 2
y.sum().backward()
y.tolist()
(y * 3).sum().backward()
w.grad

w = torch.tensor([1.0, 2.0], requires_grad=True)
y = w * w
y.sum().backward(retain_graph=True)
y.tolist()
(y * 3).sum().backward()
w.grad

def make():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    return w * w
y = make()
y.tolist()
z = y * 2
z.sum().backward()
z

h = torch.zeros(2)
w = torch.tensor([0.5, -0.5], requires_grad=True)
for step in range(4):
    h = (h + w).tanh()
    h.tolist()
h.sum().backward()
w.grad

x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
y = x * 2
v = y[1:]
v.mul_(3)
v.tolist()
y[0] = 7
y.tolist()
(v.sum() + y.sum()).backward()
(v, y, x.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * x
g, = torch.autograd.grad(y.sum(), x, create_graph=True)
g.tolist()
(g * g).sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad.tolist()
(x * x).sum().backward()
x.grad

x = torch.ones(3, requires_grad=True)
m = torch.nn.BatchNorm1d(3)
y = m(torch.arange(6.0).reshape(2, 3) * x).pow(3).sum()
y.tolist()
y.backward()
(x.grad, m.running_mean, m.weight.grad)
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program, rounding=10)


def test_what_was_drawn_is_differentiated_after_it_was_read() -> None:
    graphc.manual_seed(0)
    x = graphc.ones(1000, requires_grad=True)
    y = graphc.nn.functional.dropout(x * 2, 0.5)
    total = y.sum()
    kept = total.item() / 4
    graphc.rand(3).tolist()
    total.backward()
    assert x.grad is not None
    assert x.grad.tolist() == y.tolist()
    assert x.grad.sum().item() / 4 == kept


def test_what_attention_drew_is_differentiated_after_it_was_read() -> None:
    graphc.manual_seed(0)
    x = graphc.eye(40)
    value = graphc.eye(40, requires_grad=True)
    weights = graphc.nn.functional.scaled_dot_product_attention(x, x, value, dropout_p=0.5)
    seen = weights.detach().numpy().copy()
    graphc.rand(3).tolist()
    weights.sum().backward()
    assert value.grad is not None
    assert 0.4 < (seen == 0).mean() < 0.6
    np.testing.assert_allclose(value.grad.numpy(), seen.sum(0)[:, None] * np.ones(40), rtol=1e-5)


def test_a_value_overwritten_before_it_was_computed_has_its_own_gradient() -> None:
    # PyTorch refuses this one: it keeps no copy. Here the old value is a node like any other.
    x = graphc.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y.add_(1)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([2.7182817, 7.389056])


def test_a_loss_that_is_kept_does_not_keep_the_data_alive() -> None:
    w = graphc.ones(4, requires_grad=True)
    losses, batches = [], []
    for i in range(3):
        batch = graphc.full((4,), float(i))
        batch.tolist()
        batches.append(weakref.ref(batch._storage.array))
        loss = (w * batch * w).sum()
        loss.backward()
        losses.append(loss)
        loss.tolist()
    del batch, loss
    gc.collect()
    graphc.ones(1).add(1).tolist()
    assert [loss.requires_grad for loss in losses] == [True] * 3
    assert sum(reference() is not None for reference in batches) <= 1


def _programs_after(step: Any) -> list[int]:
    counts = []
    for _ in range(6):
        step()
        counts.append(len(session.programs))
    return counts


def test_a_step_with_hooks_is_compiled_once() -> None:
    w = graphc.tensor([0.5, 0.25], requires_grad=True)

    def step() -> None:
        y = w.sin()
        y.register_hook(lambda gradient: gradient * 2)
        y.sum().backward()
        assert w.grad is not None
        with graphc.no_grad():
            w.sub_(w.grad * 0.1)
        w.grad = None
        w.tolist()

    counts = _programs_after(step)
    assert counts[-1] == counts[-3]


def test_a_step_with_a_function_of_the_users_is_compiled_once() -> None:
    calls = []

    class Double(graphc.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            calls.append(len(ctx.saved_tensors))
            return gradient * 2

    w = graphc.tensor([0.5, 0.25], requires_grad=True)

    def step() -> None:
        Double.apply(w).sin().sum().backward()
        assert w.grad is not None
        with graphc.no_grad():
            w.sub_(w.grad * 0.1)
        w.grad = None
        w.tolist()

    counts = _programs_after(step)
    assert counts[-1] == counts[-3]
    assert calls == [1] * 6


def test_numbers_held_by_numpy_leave_the_history() -> None:
    """Of a result, of a view of it, and of a loss; each is read again afterwards."""
    found = []
    for package in (graphc, torch):
        x = package.tensor([0.5, -1.0, 2.0], dtype=package.float64, requires_grad=True)
        y = (x * 2).exp()
        held = y.detach().numpy()
        first = y[:1]
        also_held = first.detach().numpy()
        loss = (y * y.detach()).sum() + first.sum()
        value = loss.detach().numpy()
        loss.backward(retain_graph=True)
        (again,) = package.autograd.grad(y.detach() @ y + y.view(3, 1).sum(), x)
        found += [
            [x.grad.tolist(), again.tolist(), held.tolist(), also_held.tolist(), float(value)]
        ]
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
