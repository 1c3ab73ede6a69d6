"""``backward`` and ``grad``, leaves and histories, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, named

PROGRAMS = blocks(r"""
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x ** 3).sum()
y.backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x ** 3
y.backward(torch.tensor([1.0, 10.0]))
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x ** 3
y.backward(gradient=torch.tensor([1.0, 10.0]), retain_graph=True)
y.backward(torch.ones(2))
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x ** 3).sum()
y.backward()
y.backward()

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x + 3).sum()
y.backward()
y.backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
z = x * x
a = z.sum()
b = (z * 2).sum()
a.backward()
b.backward()

x = torch.tensor([1.0, 2.0], requires_grad=True)
z = x * x
a = z.sum()
b = (z * 2).sum()
a.backward(retain_graph=True)
b.backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x ** 3
y.backward()

x = torch.tensor([1.0, 2.0])
x.sum().backward()

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
y.backward(torch.ones(3))

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x * 2).sum()
y.backward(torch.tensor([3.0]))

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x * 2)
y.backward(3.0)

x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([3.0, 4.0], requires_grad=True)
y = (x * w).sum()
y.backward(inputs=[x])
(x.grad, w.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x * x)
z = y.sum()
z.backward(inputs=[y])
(x.grad, y.is_leaf)

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x * x)
z = y.sum()
z.backward(inputs=y)
y.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
z = x.sum()
z.backward(inputs=[])

x = torch.tensor([1.0, 2.0], requires_grad=True)
for _ in range(3):
    (x * x).sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
g = x.grad
(x * x).sum().backward()
(g, x.grad is g)

x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad.zero_()
(x * 3).sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
x.grad = None
(x * 3).sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
x.grad = torch.tensor([5.0, 5.0])
(x * 3).sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
x.grad = torch.tensor([5.0])

x = torch.tensor([1.0, 2.0], requires_grad=True)
x.grad = 3

x = torch.tensor([1.0, 2.0], requires_grad=True)
x.grad = torch.ones(2, dtype=torch.float64)

x = torch.tensor([1.0, 2.0], requires_grad=True)
x.grad = x

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
y.retain_grad()
z = (y * y).sum()
z.backward()
(x.grad, y.grad, y.retains_grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
x.retain_grad()
x.retains_grad

x = torch.tensor([1.0, 2.0])
x.retain_grad()

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
z = (y * y).sum()
z.backward()
y.grad

x = torch.tensor(2.0, requires_grad=True)
torch.autograd.grad(x ** 2, x)

x = torch.tensor(2.0, requires_grad=True)
torch.autograd.grad(x ** 2, [x])

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
torch.autograd.grad(x ** 2, [x, w])

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
torch.autograd.grad(x ** 2, [x, w], allow_unused=True)

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
torch.autograd.grad(x ** 2, [x, w], materialize_grads=True)

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0, requires_grad=True)
torch.autograd.grad(x ** 2, [x, w], allow_unused=False, materialize_grads=True)

x = torch.tensor(2.0, requires_grad=True)
w = torch.tensor(3.0)
torch.autograd.grad(x ** 2, w)

x = torch.tensor(2.0)
torch.autograd.grad(x ** 2, x)

x = torch.tensor([2.0, 3.0], requires_grad=True)
torch.autograd.grad(x ** 2, x)

x = torch.tensor([2.0, 3.0], requires_grad=True)
torch.autograd.grad(x ** 2, x, torch.ones(2))

x = torch.tensor([2.0, 3.0], requires_grad=True)
torch.autograd.grad([x ** 2, x ** 3], x, [torch.ones(2), torch.ones(2)])

x = torch.tensor([2.0, 3.0], requires_grad=True)
torch.autograd.grad([(x ** 2).sum(), x ** 3], x, [None, torch.ones(2)])

x = torch.tensor([2.0, 3.0], requires_grad=True)
torch.autograd.grad([x ** 2, x ** 3], x, [torch.ones(2)])

x = torch.tensor(2.0, requires_grad=True)
g, = torch.autograd.grad(x ** 3, x, create_graph=True)
h, = torch.autograd.grad(g, x, create_graph=True)
t, = torch.autograd.grad(h, x)
(g, h, t)

x = torch.tensor(2.0, requires_grad=True)
y = x ** 3
g, = torch.autograd.grad(y, x)
g2, = torch.autograd.grad(y, x)

x = torch.tensor(2.0, requires_grad=True)
y = x ** 3
y.backward(create_graph=True)
g = x.grad
(g.requires_grad, g)

x = torch.tensor(2.0, requires_grad=True)
y = x ** 3
y.backward(create_graph=True)
x.grad.backward()
x.grad

x = torch.randn(4, 3)
x = torch.arange(12.0).reshape(4, 3) / 10
x.requires_grad_()
w = torch.arange(6.0).reshape(3, 2).requires_grad_()
loss = ((x @ w).tanh() ** 2).sum()
g, = torch.autograd.grad(loss, x, create_graph=True)
penalty = ((g.norm(2, dim=1) - 1) ** 2).mean()
penalty.backward()
w.grad

x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
v = torch.tensor([1.0, 0.5, -1.0])
y = (x ** 3).sum() + x[0] * x[1]
g, = torch.autograd.grad(y, x, create_graph=True)
hv, = torch.autograd.grad(g, x, grad_outputs=v)
hv

x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
v = torch.tensor([1.0, 0.5, -1.0])
y = (x.sin() * x).sum()
g, = torch.autograd.grad(y, x, create_graph=True)
(g * v).sum().backward()
x.grad

x = torch.ones(2, requires_grad=True)
y = x * 2
(x.is_leaf, y.is_leaf, torch.ones(2).is_leaf, (torch.ones(2) * 2).is_leaf, x.detach().is_leaf)

x = torch.ones(2, requires_grad=True)
y = x * 2 + 1
steps = y.grad_fn.next_functions
(y.grad_fn.name(), [f and f.name() for f, _ in steps], steps[0][0].next_functions[0][0].name())

x = torch.ones(2, requires_grad=True)
y = x * 2
(y.grad_fn.next_functions[0][0].variable is x)

x = torch.ones(2, requires_grad=True)
y = torch.ones(2)
z = x * y
[f[0].name() if f[0] else None for f in z.grad_fn.next_functions]

x = torch.ones(2, 2, requires_grad=True)
names = []
results = [x.sum(), x.mean(), x @ x, x.t(), x.relu(), x.exp(), x.view(4), x.reshape(4), x[0]]
results += [x[0, 1], x[:, 1], x.transpose(0, 1), torch.cat([x, x]), torch.stack([x, x])]
results += [x.softmax(0), x.max(), x.max(0)[0], x.clone(), x.to(torch.float64), x.expand(3, 2, 2)]
results += [x.unsqueeze(0), x.pow(2), x.sqrt(), x / 2, 2 / x, -x, x - 1, 1 - x, x.abs()]
results += [x.clamp(0, 1), x.std(), x.norm(), x[x > 0], x.prod(), x.cumsum(0)]
for y in results:
    names.append(y.grad_fn.name())
names

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = torch.tensor([1.0, 2.0], requires_grad=True)
torch.autograd.backward([(x * 2).sum(), (y * x).sum()])
(x.grad, y.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
torch.autograd.backward([x * 2, x * 3], [torch.ones(2), torch.ones(2)])
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
a = repr(y)
y.sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
w = torch.tensor([1.0, 2.0])
y = x + w
a = y.tolist()
w.add_(1)
y.sum().backward()
x.grad

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
a = y.tolist()
with torch.no_grad():
    x.add_(1)
y.sum().backward()
(x, x.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x * 2
z = y.detach()
z.add_(100)
y.sum().backward()
(y, x.grad)

x = torch.tensor([1.0, 2.0], requires_grad=True)
y = (x * 2).sum()
y.backward()
a = x.grad.tolist()
y2 = (x * 3).sum()
y2.backward()
(a, x.grad)

x = torch.tensor(1.0, requires_grad=True)
for i in range(5):
    y = (x - 3) ** 2
    y.backward()
    with torch.no_grad():
        x -= 0.1 * x.grad
        x.grad.zero_()
x

x = torch.tensor(1.0, requires_grad=True)
for i in range(5):
    y = (x - 3) ** 2
    y.backward()
    with torch.no_grad():
        x -= 0.1 * x.grad
    x.grad = None
    a = y.item()
(x, a)

x = torch.tensor(1.0, requires_grad=True)
for i in range(5):
    y = (x - 3) ** 2
    g, = torch.autograd.grad(y, x)
    x = (x - 0.1 * g).detach().requires_grad_()
x

x = torch.tensor([1., 2.], requires_grad=True)
h = torch.zeros(2)
hs = []
for t in range(4):
    h = (h * 0.5 + x).tanh()
    hs.append(h)
    if t == 1:
        h = h.detach()
torch.stack(hs).sum().backward()
x.grad

x = torch.ones(2, requires_grad=True)
y = x.clone()
y.requires_grad, y.grad_fn.name()

x = torch.ones(2, requires_grad=True)
torch.autograd.grad(x.sum(), x, is_grads_batched=False)

x = torch.ones(3, requires_grad=True)
(x.sum() * 0 + float("nan")).backward()
x.grad

x = torch.ones(3, requires_grad=True, dtype=torch.float64)
y = x.float() * 2
y.sum().backward()
x.grad

x = torch.ones(3, requires_grad=True)
y = x.argmax()
y.requires_grad

x = torch.ones(3, requires_grad=True)
y = (x > 0)
y.requires_grad

x = torch.ones(3, requires_grad=True)
y = x.long()
y.requires_grad

x = torch.ones(3, requires_grad=True)
y = x.round().sum()
y.backward()
x.grad

x = torch.ones(3, requires_grad=True)
y = torch.tensor(5.0)
y = y + x.sum()
y.backward()
y.grad

x = torch.ones(2, requires_grad=True)
y = torch.zeros(2)
y.requires_grad_()
z = x + y
z.sum().backward()
(x.grad is y.grad, x.grad, y.grad)

x = torch.ones(2, requires_grad=True)
x.sum().backward()
x.grad.requires_grad

x = torch.ones(2, requires_grad=True)
x.sum().backward()
x.grad.add_(1)
y = x.grad
x.sum().backward()
(x.grad, y)

torch.autograd.is_tensor if hasattr(torch.autograd, "is_tensor") else 1
""")


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
