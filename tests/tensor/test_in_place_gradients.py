"""Writes in place to tensors that take part in differentiation, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.ones(3, requires_grad=True)
x.add_(1)

x = torch.ones(3, requires_grad=True)
x[0] = 1

x = torch.ones(3, requires_grad=True)
y = x[0:2]
y.add_(1)

x = torch.ones(3, requires_grad=True)
with torch.no_grad():
    x.add_(1)
    x[0] = 5
x

x = torch.ones(3, requires_grad=True)
y = x * 2
y.add_(1)
y.sum().backward()
x.grad

x = torch.ones(3, requires_grad=True)
y = torch.zeros(5)
y[1:4] = x * x
(y * torch.arange(5.0)).sum().backward()
(y, x.grad)

x = torch.ones(3, requires_grad=True)
w = torch.ones(3)
y = x + w
w.add_(1)
y.sum().backward()
x.grad

x = torch.ones(2, 3, requires_grad=True)
y = x * 1
y[0].mul_(3)
y[:, 1].add_(2)
y.sum().backward()
(y, x.grad)

x = torch.ones(2, 3, requires_grad=True)
y = x * 2
v = y[0]
v *= 3
(v.grad_fn.name(), y.grad_fn.name(), v, y)

x = torch.ones(2, 3, requires_grad=True)
y = x * 2
v = y[0]
y *= 3
(v.grad_fn.name(), y.grad_fn.name(), v, y)

x = torch.ones(2, 3, requires_grad=True)
y = x * 2
v = y.view(6)
v[2:4] = 0
y.sum().backward()
(v, y, x.grad)

x = torch.ones(2, 2, requires_grad=True)
y = x.clone()
y[0, 0] = 5
y[1].zero_()
(y * y).sum().backward()
x.grad

x = torch.ones(4, requires_grad=True)
y = x * 2
y[y > 1] = 0
y.sum().backward()
(y, x.grad)

x = torch.ones(4, requires_grad=True)
y = x * 2
a, b = y.chunk(2)
a.mul_(2)

x = torch.ones(4, requires_grad=True)
y = x * 2
a, b = y.split(2)
a += 1

x = torch.ones(4, requires_grad=True)
y = x * 2
a = y.unbind(0)[0]
a += 1

x = torch.zeros(2, 3)
x[0, 1] = torch.tensor(2.0, requires_grad=True)
(x.requires_grad, x)

x = torch.zeros(2, 3)
v = x[0]
v.copy_(torch.ones(3, requires_grad=True))
(x.requires_grad, v.requires_grad)

x = torch.zeros(3)
w = torch.ones(3, requires_grad=True)
x += w
x.sum().backward()
(w.grad, x)

x = torch.ones(3, requires_grad=True)
y = x.view(3)
with torch.no_grad():
    y.add_(1)
(x, y)

x = torch.ones(3, requires_grad=True)
with torch.no_grad():
    y = x.view(3)
y.add_(1)

x = torch.ones(3, requires_grad=True)
x.requires_grad_(False)
x.add_(1)
x

x = torch.ones(3)
y = x * 2
x.requires_grad_()
y.requires_grad

x = torch.ones(3, requires_grad=True)
y = x * 2
y.requires_grad = False

x = torch.ones(3, requires_grad=True)
y = x * 2
y.requires_grad_(True)
y.is_leaf

x = torch.ones(3, dtype=torch.int64)
x.requires_grad_()

x = torch.ones(3)
x.requires_grad = "a"
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
