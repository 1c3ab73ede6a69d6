"""Memory shared with numpy, and by detached tensors and ``data``, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.ones(3, requires_grad=True)
x.data.add_(1)
x

x = torch.ones(3, requires_grad=True)
for i in range(3):
    x.grad = None
    (x ** 2).sum().backward()
    x.data.mul_(0.5)
(x, x.grad, x.is_leaf)

x = torch.ones(3, requires_grad=True)
x.detach()[0] = 5
x.data.add_(1)
x.data.clamp_(max=4)
(x ** 2).sum().backward()
(x, x.grad, x.is_leaf)

x = torch.ones(3, requires_grad=True)
y = (x ** 2).sum()
x.data.mul_(2)
((x * 3).sum() + 0 * y.detach()).backward()
(x, x.grad)

x, z = torch.ones(2, 2, requires_grad=True), torch.ones(2, requires_grad=True)
held = x.detach().numpy()
(torch.ones(2).mul_(3) * x).sum().item()
y = (z * 2).sum()
x.detach().fill_(7)
with torch.no_grad():
    x.view(-1)[0] = 5
    x[1].mul_(2)
(x, held.tolist(), y)

x, z = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
seen = []
for i in range(4):
    (x * z).sum().backward()
    seen.append(x.detach().numpy())
    with torch.no_grad():
        x.sub_(x.grad)
(x, [array.tolist() for array in seen])

x = torch.ones(3, requires_grad=True)
d = x.detach()
d.add_(1)
(x, d)

x = torch.ones(3, requires_grad=True)
d = x.data
d[0] = 7
(x, d, d.requires_grad)

x = torch.ones(3)
y = x.detach()
y[0] = 3
x[1] = 4
(x, y)

x = torch.arange(4)
y = x.detach()
y.add_(1)
(x._version, y._version)

x = torch.ones(3, requires_grad=True)
y = (x * 2).detach_()
(y, y.requires_grad)

x = torch.ones(3, requires_grad=True)
x.detach_()
x

x = torch.zeros(3)
y = torch.ones(3)
x.data = y
y.add_(1)
x

x = torch.zeros(3)
x.data = torch.ones(2, 2)
x

x = torch.zeros(3, requires_grad=True)
x.data = torch.ones(3, dtype=torch.float64)
x

x = torch.zeros(3)
x.data = 3

x = torch.zeros(3)
y = x.numpy()
y[0] = 5
x.add_(1)
(x, y)

x = np.zeros(3, np.float32)
y = torch.from_numpy(x)
y[1] = 4
x[0] = 3
(x, y)

x = torch.zeros(3)
y = x[1:].numpy()
x += 1
y[0] = 9
(x, y)

x = np.zeros((2, 3))
y = torch.from_numpy(x).T
z = y * 2
x[0, 0] = 5
(z, y)

x = torch.zeros(3)
n = x.numpy()
y = x + 1
n[0] = 100
y

x = torch.zeros(3)
n = np.asarray(x)
n[1] = 3
x
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
