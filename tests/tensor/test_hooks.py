"""Hooks on tensors, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.ones(2, requires_grad=True)
h = x.register_hook(lambda g: g * 10)
(x * 2).sum().backward()
h.remove()
(x * 2).sum().backward()
x.grad

x = torch.ones(2, requires_grad=True)
seen = []
y = x * 2
y.register_hook(lambda g: seen.append(g.tolist()))
(y * 3).sum().backward()
(seen, x.grad)

x = torch.ones(2, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g * 2)
y.register_hook(lambda g: g + 1)
(y * 3).sum().backward()
x.grad

x = torch.ones(2, requires_grad=True)
y = x * 2
y.retain_grad()
y.register_hook(lambda g: g * 2)
(y * 3).sum().backward()
(x.grad, y.grad)

x = torch.ones(2, requires_grad=True)
x.register_hook(lambda g: torch.ones(3))
(x * 3).sum().backward()

x = torch.ones(2, requires_grad=True)
x.register_hook(lambda g: "a")
(x * 3).sum().backward()

x = torch.ones(2)
x.register_hook(lambda g: g)

x = torch.ones(2, requires_grad=True)
x.register_hook(3)
(x * 3).sum().backward()

x = torch.ones(2, requires_grad=True)
log = []
h = x.register_post_accumulate_grad_hook(lambda p: log.append(p.grad.tolist()))
(x * 3).sum().backward()
log

x = torch.ones(2, requires_grad=True)
y = x * 2
y.register_post_accumulate_grad_hook(lambda p: None)

x = torch.ones(2, requires_grad=True)
y = x * 2
h = y.register_hook(lambda g: g * 2)
torch.autograd.grad(y.sum(), x)

x = torch.ones(2, requires_grad=True)
y = x * 2
y.register_hook(lambda g: g * 2)
torch.autograd.grad(y.sum(), y)
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
