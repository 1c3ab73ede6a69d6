"""Shapes changed in place, and what views, histories and writes make of it, against PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import graphc
from graphc.errors import GraphcRuntimeError
from tests.tensor.programs import check, lines

OPERANDS = """
x = torch.arange(6.0).reshape(2, 3)
y = torch.ones(2, 1, 3, requires_grad=True)
z = y * 2
p = torch.ones(2, 3, requires_grad=True)
"""
PROGRAMS = lines("""
x.t_(); x
x.t_() is x
z.t_(); z
z[0].t_(); z
z.squeeze_(); z
z.squeeze_(1); z
z.squeeze_((0, 1)); z
x.squeeze_(5); x
x.squeeze_(dim=0); x
z.unsqueeze_(0); z
z.unsqueeze_(7); z
z.unsqueeze_(); z
z.transpose_(0, 1); z
z.transpose_(0, 8); z
x.transpose_(dim0=0, dim1=1); x
z.swapaxes_(0, 1); z
z.swapdims_(-1, 1); z
p.t_(); p
p[0].unsqueeze_(0); p
v = p.view(-1); v.unsqueeze_(0); v
p.data.t_(); p
v = x[0]; x.t_(); x.add_(1); v, x
v = x[0]; x.tolist(); x.t_(); x.add_(1); v, x
v = x[0]; x.t_(); v.add_(1); v, x
v = x[0]; x.t_(); w = x[0]; w.mul_(10); v, x
v = x[0]; x.tolist(); x.t_(); w = x[0]; w.mul_(10); v, x, x.stride()
v = x[0]; x.add_(1); x.t_(); x.unsqueeze_(0); v.zero_(); x, x.stride(), x.is_contiguous()
v = x.view(6); v.unsqueeze_(0); v.zero_(); x, v
v = x.view(6); x.t_(); x[0] = 9; v, x
x.add_(1); x.t_(); x.mul_(2); x
x.unsqueeze_(0); x._version
x.unsqueeze_(0).mul_(2).squeeze_(); x
z.squeeze_(); (z * z).sum().backward(); y.grad
z.unsqueeze_(0); z.add_(1); z.mul_(3); z.sum().backward(); y.grad
w = z * 3; z.squeeze_(); (w.sum() + z.sum()).backward(); y.grad
z.squeeze_(); z.tolist(); z.t_(); (z * z).sum().backward(); y.grad
x.resize_(3, 2); x
x.resize_(2); x
x.resize_((3, 3)); x[:2]
x.resize_(2, 2); x.fill_(7); x
x.resize_(-1); x
x.t().resize_(3, 2)
x.t().resize_(6)
z.resize_(2); z
p.resize_(2); p
x.resize_as_(torch.ones(6)); x
torch.resize_as_(x, torch.ones(3, 2)); x
x.set_(torch.ones(4)); x
w = torch.ones(4); x.set_(w); w[0] = 5; x
x.set_(); x
x.set_(torch.ones(4, dtype=torch.int64)); x
p.set_(x); p
""")


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str) -> None:
    check(f"{OPERANDS}\n" + program.replace("; ", "\n"))


def test_a_leaf_without_a_graph() -> None:
    def program(torch: Any) -> Any:
        p = torch.arange(6.0).reshape(2, 3).requires_grad_()
        with torch.no_grad():
            p.t_()
        (p * p).sum().backward()
        return p, p.grad

    check(program)


def test_a_tensor_made_in_a_compiled_function() -> None:
    @graphc.compile
    def step(x: Any) -> Any:
        return (x * 2).unsqueeze_(0).mul_(3)

    assert step(graphc.tensor([1.0, 2.0])).tolist() == [[6.0, 12.0]]


def test_a_tensor_outside_a_compiled_function() -> None:
    with pytest.raises(GraphcRuntimeError, match="cannot change the shape"):
        graphc.compile(lambda x: x.t_())(graphc.ones(2, 3))
