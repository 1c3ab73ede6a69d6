"""Views of memory by distances in it, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import check, lines

OPERANDS = """
x = torch.arange(12.0).reshape(3, 4).clone()
y = torch.arange(12.0).requires_grad_()
z = (y * 2).reshape(3, 4)
"""
PROGRAMS = lines("""
torch.as_strided(x, (2, 2), (1, 2))
torch.as_strided(x, size=(2, 2), stride=[1, 2], storage_offset=1)
torch.as_strided(x, (2, 2), (1, 2), 50)
torch.as_strided(x, (2, 2), (1,))
torch.as_strided(x, (2, 2), (-1, 1))
torch.as_strided(x, (-2, 2), (1, 1))
x.as_strided((), ())
x.as_strided((3, 0), (4, 1))
x.as_strided((3, 2, 2), (4, 1, 2)).stride()
x.t().as_strided((3,), (5,))
x[1].as_strided((3,), (1,)), x[1].storage_offset(), x[1:, 2:].storage_offset()
x[1].as_strided((3,), (1,), 0)
x.as_strided((3,), (5,)).fill_(100); x
x.tolist(); x.as_strided((3,), (5,)).fill_(100); x
v = x.as_strided((2, 2), (4, 1), 1); v.mul_(10); x, v
v = x.as_strided((3, 3), (1, 1)); x.add_(1); v
x[1:].as_strided((3, 2), (2, 1)).zero_(); x
v = x.as_strided_((3,), (5,)); v is x, x, x.is_contiguous()
torch.as_strided_(x, (2, 3), (1, 2), 1); x.add_(1); x
z.as_strided((3, 3), (1, 1))
z.as_strided((3, 3), (1, 1)).sum().backward(); y.grad
z[1].as_strided((2,), (3,)).square().sum().backward(); y.grad
y.as_strided((4, 3), (2, 1)).square().sum().backward(); y.grad
z.as_strided((3,), (5,)).mul_(3); z.square().sum().backward(); y.grad
y.detach().as_strided((3,), (1,))
y.as_strided_((3,), (1,))
z.as_strided_((3,), (4,), 1); z
z.as_strided_((3,), (4,), 1); z.sum().backward(); y.grad
torch.from_numpy(np.arange(6.0).reshape(2, 3).T).as_strided((3,), (2,))
""")


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str) -> None:
    check(f"{OPERANDS}\n" + program.replace("; ", "\n"))
