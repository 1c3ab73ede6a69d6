"""Writes in place to tensors without a gradient, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.arange(6.0)
y = x[2:5]
y[1] = 100
z = y[1:]
z += 1
(x, y, z)

x = torch.arange(4)
v0 = x._version
x.add_(1)
x[0] = 5
(v0, x._version)

x = torch.arange(4)
y = x[1:]
y.add_(1)
(x._version, y._version)

x = torch.arange(4.0)
x.clamp_(1, 2)
x

x = torch.arange(4.0)
x.masked_fill_(x > 1, 0)
x

x = torch.zeros(3, 2)
x.index_add_(0, torch.tensor([0, 2, 0]), torch.ones(3, 2))
x

x = torch.zeros(3, 2)
x.scatter_(1, torch.tensor([[0], [1], [0]]), 5.0)
x

x = torch.zeros(3, 2)
x.scatter_add_(1, torch.tensor([[0, 0], [1, 1], [0, 1]]), torch.ones(3, 2))
x

x = torch.zeros(3, 2)
x.index_fill_(1, torch.tensor([1]), 3)
x.index_copy_(0, torch.tensor([2]), torch.ones(1, 2))
x

x = torch.zeros(3, 2)
x.index_put_((torch.tensor([0, 0]), torch.tensor([1, 1])), torch.tensor([1., 2.]), accumulate=True)
x

x = torch.zeros(3, 2)
x.index_put((torch.tensor([0, 0]), torch.tensor([1, 1])), torch.tensor([1., 2.]))

x = torch.zeros(3, 2)
x.index_put_((torch.tensor([0, 2]),), torch.tensor(1.0))
x

x = torch.arange(6.0)
x.resize_(2, 3)
x

x = torch.arange(6.0)
x.resize_(2, 2)
x

x = torch.arange(6.0)
x.set_(torch.ones(2))
x

x = torch.ones(2, dtype=torch.int64)
x.add_(1.5)

x = torch.ones(2, dtype=torch.int64)
x += 1.5

x = torch.ones(2, dtype=torch.int64)
x /= 2

x = torch.ones(2, dtype=torch.int64)
x //= 2
x

x = torch.ones(2)
x += torch.ones(2, dtype=torch.float64)
x

x = torch.ones(2, dtype=torch.bool)
x += 1

x = torch.ones(2, dtype=torch.bool)
x |= True
x

x = torch.ones(2)
x += torch.ones(3, 2)

x = torch.ones(2)
x += torch.ones(3)

x = torch.ones(2)
x.copy_(torch.ones(3))

x = torch.ones(2)
x.copy_(torch.tensor([1, 2]))
x

x = torch.ones(2)
x.copy_(3)

x = torch.ones(2, dtype=torch.int64)
x.copy_(torch.tensor([1.7, -1.7]))
x

x = torch.ones(2)
x.fill_(torch.tensor(3))
x

x = torch.ones(2)
x.fill_(torch.tensor([3]))

x = torch.ones(2)
x.fill_("a")

x = torch.arange(4.0)
y = x
x += 1
(y is x, y)

x = torch.arange(4.0)
y = x
x = x + 1
(y, x)

x = torch.arange(4.0)
x.contiguous().zero_()
x

x = torch.arange(4.0)
x.clone().zero_()
x

x = torch.arange(4.0)
x.float().zero_()
x

x = torch.arange(4.0)
x.to(torch.float32).zero_()
x

x = torch.arange(4.0)
x.to(torch.float64).zero_()
x

x = torch.arange(4.0)
x.real.zero_()
x

x = torch.arange(4.0)
torch.add(x, 1, out=x)
x

x = torch.arange(4.0)
y = torch.empty(4)
r = torch.add(x, 1, out=y)
(r is y, y)

x = torch.arange(4.0)
x[1:] = x[:-1].clone()
x

x = torch.arange(4.0)
x[:] = x.flip(0)
x

x = torch.arange(4.0)
x[x > 1] += 10
x

x = torch.arange(4.0)
x[[0, 0, 1]] += 1
x

x = torch.arange(4.0)
x[torch.tensor([3, 1])] *= 2
x

x = torch.arange(3.0)
x.apply_(lambda v: v + 1)
x

x = torch.arange(3.0)
x.map_(torch.ones(3), lambda a, b: a + b)
x

x = torch.arange(4.0)
x.neg_().abs_().sqrt_().pow_(2).round_()
x

x = torch.arange(4.0)
x.lt_(2)
x

x = torch.arange(4)
x.bitwise_and_(1)
x

x = torch.arange(4.0)
o = torch.ones(4)
x.addcmul_(o, o, value=2).addcdiv_(o, o).lerp_(o, 0.5)
x

x = torch.arange(4.0)
x.tril_()

x = torch.arange(4.0)
x.cumsum_(0)
x

x = torch.ones(2, 2)
x.addmm_(torch.ones(2, 2), torch.ones(2, 2))
x

x = torch.ones(3)
x.masked_scatter_(torch.tensor([True, False, True]), torch.tensor([5., 6.]))
x

x = torch.ones(3)
x.put_(torch.tensor([0, 2]), torch.tensor([5., 6.]))
x

x = torch.ones(3)
x.clip_(max=0.5)
x

x = torch.tensor([3., 1.])
x.exp_().log_().sin_().nan_to_num_()
x

x = torch.ones(3).sub_(1, alpha=2).rsub(1)
x

x = torch.ones(3)
x.where(torch.tensor([True, False, True]), torch.tensor(0.0))

x = torch.zeros(4)
v = x[1:3]
del x
v += 1
v
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
