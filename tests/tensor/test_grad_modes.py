"""Contexts and decorators that switch gradients, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    y = x * 2
(y.requires_grad, y.grad_fn, torch.is_grad_enabled())

x = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    with torch.enable_grad():
        y = x * 2
    z = x * 3
(y.requires_grad, z.requires_grad)

@torch.no_grad()
def f(x):
    return x * 2
f(torch.ones(2, requires_grad=True)).requires_grad

@torch.no_grad
def f(x):
    return x * 2
f(torch.ones(2, requires_grad=True)).requires_grad

@torch.enable_grad()
def f(x):
    return x * 2
with torch.no_grad():
    r = f(torch.ones(2, requires_grad=True)).requires_grad
r

with torch.inference_mode():
    x = torch.ones(2, requires_grad=True) * 2
x.requires_grad

with torch.inference_mode(False):
    x = torch.ones(2, requires_grad=True) * 2
x.requires_grad

with torch.set_grad_enabled(False):
    a = torch.is_grad_enabled()
(a, torch.is_grad_enabled())

torch.set_grad_enabled(False)
x = torch.ones(2, requires_grad=True) * 2
torch.set_grad_enabled(True)
x.requires_grad

@torch.set_grad_enabled(False)
def f(x):
    return x * 2
(f(torch.ones(2, requires_grad=True)).requires_grad, torch.is_grad_enabled())

@torch.no_grad()
def gen():
    yield torch.is_grad_enabled()
    yield torch.is_grad_enabled()
g = gen()
a = next(g)
b = torch.is_grad_enabled()
(a, b, next(g))

try:
    with torch.no_grad():
        raise ValueError("x")
except ValueError:
    pass
torch.is_grad_enabled()

torch.is_inference_mode_enabled()

with torch.inference_mode():
    r = torch.is_inference_mode_enabled(), torch.is_grad_enabled()
r
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
