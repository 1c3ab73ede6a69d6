"""Views of views, and what is written through them, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.zeros(3, 4)
x[0].add_(1)
x[1:, 2] += torch.tensor([5., 6.])
x.T[3] = 9
x

x = torch.zeros(3, 4)
a, b = x.chunk(2, 1)
a.fill_(1)
b[0] = 2
x

x = torch.zeros(4, 3)
for i, r in enumerate(x):
    r += i
x

x = torch.zeros(4, 3)
for i, r in enumerate(x.unbind(1)):
    r.add_(i)
x

x = torch.zeros(6)
a, b, c = x.split([1, 2, 3])
b.copy_(torch.tensor([1, 2]))
c.zero_()
a.fill_(7)
x

x = torch.zeros(3)
y = x.expand(2, 3)
y[0, 0] = 1

x = torch.zeros(3)
y = x.expand(2, 3)
y.add_(1)

x = torch.zeros(1, 3)
y = x.expand(2, 3)
y += 1

x = torch.zeros(3)
y = x.expand(2, 3)
y.fill_(1)
x

x = torch.zeros(3)
y = x.expand(2, 3)
x[1] = 5
y

x = torch.arange(6.0).reshape(2, 3)
x.t_()
(x, x.shape)

x = torch.arange(6.0).reshape(2, 3)
x.transpose_(0, 1)
x

x = torch.arange(6.0)
x.unsqueeze_(0)
x.squeeze_(0)
x

x = torch.arange(4.0)
y = x.view(2, 2)
z = y.t()
z[0, 1] = 10
x[0] = -1
(x, y, z)

x = torch.arange(4.0)
y = x.reshape(2, 2)
y.zero_()
x

x = torch.arange(6.0).reshape(2, 3).t()
y = x.reshape(6)
y.zero_()
x

x = torch.arange(6.0).reshape(2, 3).t()
y = x.view(6)

x = torch.arange(6.0).reshape(2, 3)
x.flatten().zero_()
x

x = torch.arange(6.0).reshape(2, 3)
x.diagonal().fill_(9)
x

x = torch.arange(6.0).reshape(2, 3)
x.select(1, 2).fill_(9)
x.narrow(0, 1, 1).mul_(2)
x

x = torch.arange(6.0)
x.unsqueeze(0)[0, 2] = 7
x.squeeze()[1] = 8
x[None, :, None][0, 0, 0] = 9
x

x = torch.arange(6.0).reshape(2, 3)
x.permute(1, 0)[2, 1] = 99
x.movedim(0, 1)[0, 0] = 98
x

x = torch.arange(6.0).reshape(2, 3)
x.mT[0] = 4
x.swapaxes(0, 1)[1] = 5
x

x = torch.arange(12.0).reshape(3, 4)
x[x % 2 == 0] = torch.tensor(-1.0)
x[:, 0][x[:, 0] < 0] = 7
x

x = torch.arange(12.0).reshape(3, 4)
x[1][2] = 100
x[1, :][3] = 101
x

x = torch.arange(12.0).reshape(3, 4)
x[[0, 1]][0] = 100
x

x = torch.arange(6).reshape(2, 3)
x.sort()[0].zero_()
x

x = torch.rand(3)
x.swapaxes_(0, 0).shape

x = torch.ones(3, 3)
x.tril_().fill_diagonal_(5)
x

x = torch.zeros(2, 2)
rows = [x[0], x[1]]
rows[0][1] = 3
rows[1] += rows[0]
(x, rows)
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
