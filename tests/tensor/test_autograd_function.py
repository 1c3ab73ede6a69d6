"""Functions with a gradient of the user's own, Jacobians and Hessians, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return 3 * g * x
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = Square.apply(x)
y.sum().backward()
(y, x.grad)

class Mul(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y, k):
        ctx.save_for_backward(x, y)
        ctx.k = k
        return x * y * k, x + y
    @staticmethod
    def backward(ctx, g, h):
        x, y = ctx.saved_tensors
        of_x = g * y * ctx.k + h if ctx.needs_input_grad[0] else None
        return of_x, g * x * ctx.k + h if ctx.needs_input_grad[1] else None, None
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([3.0, 4.0])
a, b = Mul.apply(x, y, 5)
(a.sum() + b.sum()).backward()
(a, b, x.grad, y.grad)

class F(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x.round()
    @staticmethod
    def setup_context(ctx, inputs, output):
        pass
    @staticmethod
    def backward(ctx, g):
        return g
x = torch.tensor([1.2, 2.7], requires_grad=True)
y = F.apply(x)
y.sum().backward()
(y, x.grad)

class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        r = x.exp()
        ctx.save_for_backward(r)
        return r
    @staticmethod
    def backward(ctx, g):
        r, = ctx.saved_tensors
        return g * r
x = torch.tensor([1.0, 2.0], requires_grad=True)
g, = torch.autograd.grad(Exp.apply(x).sum(), x, create_graph=True)
h, = torch.autograd.grad(g.sum(), x)
(g, h)

class Bad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, g):
        return g, g
x = torch.ones(2, requires_grad=True)
Bad.apply(x).sum().backward()

class Sort(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        v, i = x.sort()
        ctx.mark_non_differentiable(i)
        ctx.save_for_backward(i)
        return v, i
    @staticmethod
    def backward(ctx, g, _):
        i, = ctx.saved_tensors
        r = torch.zeros_like(g)
        r.scatter_(0, i, g)
        return r
x = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
v, i = Sort.apply(x)
(v * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
(v.requires_grad, i.requires_grad, i, x.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
torch.autograd.functional.jacobian(lambda x: x ** 2, x)

x = torch.tensor([1.0, 2.0])
torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), x)

x = torch.tensor([1.0, 2.0])
torch.autograd.functional.vjp(lambda x: x ** 3, x, torch.ones(2))

x = torch.tensor([1.0, 2.0])
torch.autograd.functional.hvp(lambda x: (x ** 3).sum(), x, torch.ones(2))

x = torch.tensor([1.0, 2.0], requires_grad=True, dtype=torch.float64)
torch.autograd.gradcheck(lambda x: x ** 3, (x,))
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
