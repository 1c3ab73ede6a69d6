"""Random tensors and generators: shapes, types, errors and reproducibility, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, lines, named

LINES = lines(r"""
type(torch.seed()).__name__
torch.manual_seed(2**64)
torch.manual_seed("a")
torch.Generator("cpu").device
torch.rand(2, 3).dtype
torch.rand((2, 3)).shape
torch.rand(2, dtype=torch.float64).dtype
torch.rand(2, dtype=torch.int64)
torch.rand(2, dtype=torch.float16).dtype
torch.rand().shape
torch.rand(()).shape
torch.rand(0).shape
torch.rand(-1)
torch.rand(2.5)
torch.rand(size=(2, 3)).shape
torch.randn(size=(2, 3)).shape
torch.rand("a")
torch.rand(2, requires_grad=True).requires_grad
torch.randn(2, dtype=torch.int64)
torch.randn([2, 3]).shape
torch.randint(5, (3,)).dtype
torch.randint(2, 5, (3,)).shape
torch.randint(5, 2, (3,))
torch.randint(5, 5, (3,))
torch.randint(high=5, size=(3,)).shape
torch.randint(low=2, high=5, size=(3,)).shape
torch.randint(0, 5, 3)
torch.randint(5, (3,), dtype=torch.float32).dtype
torch.randint(0, 2, (3,), dtype=torch.bool).dtype
torch.randint(0, 300, (3,), dtype=torch.uint8)
torch.randint(0, 2**40, (3,), dtype=torch.int32)
torch.randint(3, 4, (3,))
torch.randint(-5, -4, (2,))
torch.randint((3,))
torch.randint(5)
torch.randint(1.5, (2,))
torch.randperm(5).sort()[0]
torch.randperm(0)
torch.randperm(-1)
torch.randperm(5, dtype=torch.int32).dtype
torch.randperm(5, dtype=torch.float32).sort()[0]
torch.randperm(1)
torch.randperm(2.5)
torch.rand_like(torch.ones(2, 3)).shape
torch.rand_like(torch.tensor([1, 2]))
torch.rand_like(torch.tensor([1, 2]), dtype=torch.float32).dtype
torch.randn_like(torch.ones(2, 3), dtype=torch.float64).dtype
torch.randint_like(torch.ones(2, 3), 5).shape
torch.randint_like(torch.ones(2, 3), 2, 5).dtype
torch.randint_like(torch.tensor([1, 2]), 3, 4)
torch.randint_like(torch.ones(2), low=3, high=4)
torch.normal(0.0, 1.0, (2, 3)).shape
torch.normal(torch.zeros(3), torch.ones(3)).shape
torch.normal(torch.zeros(3), 0.0)
torch.normal(5.0, torch.zeros(3))
torch.normal(0.0, -1.0, (2,))
torch.normal(torch.zeros(3), torch.tensor([1.0, -1.0, 1.0]))
torch.normal(0, 1, (2,)).dtype
torch.normal(mean=0.0, std=1.0, size=(2,)).shape
torch.normal(0.0, 1.0)
torch.bernoulli(torch.tensor([0.0, 1.0]))
torch.bernoulli(torch.tensor([0, 1]))
torch.bernoulli(torch.ones(3), 0.0)
torch.bernoulli(torch.ones(3), 1.5)
torch.multinomial(torch.tensor([0.0, 1.0]), 1)
torch.multinomial(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), 1)
torch.multinomial(torch.tensor([0.0, 1.0]), 3, replacement=True)
torch.multinomial(torch.tensor([0.0, 1.0]), 2)
torch.multinomial(torch.tensor([0.5, 0.5]), 3)
torch.multinomial(torch.tensor([0.5, 0.5]), 0)
torch.multinomial(torch.tensor([-0.5, 0.5]), 1)
torch.multinomial(torch.tensor([float("nan"), 0.5]), 1)
torch.multinomial(torch.tensor([0.0, 0.0]), 1)
torch.multinomial(torch.tensor([1, 1]), 1)
torch.multinomial(torch.ones(2, 2, 2), 1)
torch.multinomial(torch.tensor([0.0, 1.0, 2.0]), 2).sort()[0]
torch.ones(3).uniform_().shape
torch.ones(3).uniform_(2, 2)
torch.ones(3).uniform_(3, 2)
torch.ones(3, dtype=torch.int64).uniform_()
torch.ones(3).normal_(5, 0)
torch.ones(3).normal_(5, -1)
torch.ones(3).bernoulli_(1.0)
torch.ones(3).bernoulli_(torch.tensor([0., 1., 0.]))
torch.ones(3).bernoulli_(2.0)
torch.ones(3).exponential_().shape
torch.ones(3).exponential_(-1)
torch.ones(3).random_(3, 4)
torch.ones(3).random_(1)
torch.ones(3, dtype=torch.int64).random_(5).shape
torch.ones(3).random_(5, 2)
torch.ones(3, dtype=torch.uint8).random_(0, 300)
torch.ones(3).geometric_(0.5).dtype
torch.ones(3).geometric_(1.5)
torch.ones(3).cauchy_(0, -1)
torch.ones(3).log_normal_(0, -1)
torch.ones(3, requires_grad=True).uniform_()
torch.rand(2, generator=3)
torch.random.initial_seed() == torch.initial_seed()
torch.random.manual_seed(3).initial_seed()
torch.rand(2, out=torch.zeros(2)).shape
""")
PROGRAMS = blocks(r"""
torch.manual_seed(0)
a = torch.rand(3, 4)
torch.manual_seed(0)
b = torch.rand(3, 4)
(bool((a == b).all()), a.shape, str(a.dtype), bool(((a >= 0) & (a < 1)).all()))

torch.manual_seed(0)
a = torch.rand(3)
b = torch.rand(3)
bool((a == b).all())

g = torch.Generator().manual_seed(7)
h = torch.Generator().manual_seed(7)
a, b = torch.randn(5, generator=g), torch.randn(5, generator=h)
bool((a == b).all())

s = torch.get_rng_state()
a = torch.rand(3)
torch.set_rng_state(s)
b = torch.rand(3)
bool((a == b).all())

torch.manual_seed(3)
torch.initial_seed()

g = torch.Generator()
g.initial_seed()

g = torch.Generator()
g.manual_seed(-1).initial_seed()

g = torch.Generator().manual_seed(5)
s = g.get_state()
a = torch.randint(0, 10, (5,), generator=g)
g.set_state(s)
b = torch.randint(0, 10, (5,), generator=g)
(bool((a == b).all()), str(s.dtype))

with torch.random.fork_rng():
    torch.manual_seed(1)
1

torch.manual_seed(0)
a = torch.rand(3)
with torch.random.fork_rng():
    torch.rand(10)
b = torch.rand(3)
torch.manual_seed(0)
torch.rand(3)
bool((b == torch.rand(3)).all())

torch.manual_seed(0)
x = torch.randn(100000, dtype=torch.float64)
(abs(x.mean().item()) < 0.02, abs(x.std().item() - 1) < 0.02)

torch.manual_seed(0)
a = torch.rand(4)
a.tolist()
torch.manual_seed(0)
b = torch.rand(2)
c = torch.rand(2)
a.shape == torch.cat([b, c]).shape
""")


@pytest.mark.parametrize("program", LINES)
def test_line(program: str) -> None:
    check(program)


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
