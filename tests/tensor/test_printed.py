"""What tensors print, against PyTorch."""

from __future__ import annotations

import pytest

from tests.tensor.programs import blocks, check, lines, named

LINES = lines(r"""
repr(torch.tensor([]))
repr(torch.zeros(0, 3))
repr(torch.zeros(2, 0))
repr(torch.tensor([], dtype=torch.int64))
repr(torch.zeros(0, 2, dtype=torch.bool))
repr(torch.tensor([], requires_grad=True))
repr(torch.tensor(1.0))
repr(torch.tensor(1e10))
repr(torch.tensor(1e-10))
repr(torch.tensor(float("nan")))
repr(torch.tensor([float("nan"), 1.5, float("inf")]))
repr(torch.tensor([float("nan"), float("inf"), -float("inf")]))
repr(torch.tensor([float("inf"), 1.0, 2.0]))
repr(torch.tensor([1e-5, 1.0]))
repr(torch.tensor([1e5, 1.5]))
repr(torch.tensor([1e8, 1.0]))
repr(torch.tensor([1e9, 2e9]))
repr(torch.tensor([123456.789]))
repr(torch.tensor([0.1, 0.22, 0.333]))
repr(torch.tensor([1, 10, 100]))
repr(torch.tensor([-1, 10, -100]))
repr(torch.tensor([True, False]))
repr(torch.tensor(True))
repr(torch.tensor([1, 2], dtype=torch.int8))
repr(torch.tensor([1, 2], dtype=torch.uint8))
repr(torch.tensor([1.5], dtype=torch.float64))
repr(torch.tensor([1.5, 2.25], dtype=torch.float16))
repr(torch.tensor([1.5, 2.25], dtype=torch.bfloat16))
repr(torch.tensor(0.1, dtype=torch.bfloat16))
repr(torch.tensor(65504.0, dtype=torch.float16))
repr(torch.arange(1001))
repr(torch.arange(1000))
repr(torch.arange(2000).reshape(40, 50))
repr(torch.arange(8000).reshape(20, 20, 20))
repr(torch.arange(24.0).reshape(2, 3, 4))
repr(torch.zeros(1, 1, 1, 1))
repr(torch.zeros(2, 1, 2, 1))
repr(torch.zeros(5000, 1))
repr(torch.zeros(1, 5000))
repr(torch.zeros(2, 2, requires_grad=True))
repr(torch.zeros(2, 2, requires_grad=True) * 2)
repr(torch.zeros(2, 2, requires_grad=True).sum())
repr(torch.zeros(20, requires_grad=True) + 1)
repr(torch.zeros(2, dtype=torch.float64, requires_grad=True) * 2)
repr(torch.nn.Parameter(torch.ones(2)))
repr(torch.nn.Parameter(torch.ones(2), requires_grad=False))
str(torch.ones(2, 3).shape)
repr([torch.ones(2), torch.tensor(1)])
repr({"a": torch.ones(2)})
repr((torch.ones(1),))
repr(torch.tensor([0.0, -0.0]))
repr(torch.tensor([-0.0, 1.5]))
repr(torch.tensor([1.0, 2.0, 3.5e-5]))
repr(torch.tensor([99999.5, 1.0]))
repr(torch.tensor([1e4, 1e-4]))
repr(torch.tensor([1000.5, 1.0]))
repr(torch.tensor([0.99999, 1.0]))
repr(torch.tensor([[1.0, 2.5], [1e6, 3.0]]))
repr(torch.max(torch.tensor([[1.0, 2.0]]), dim=1))
repr(torch.sort(torch.tensor([3, 1])))
repr(torch.topk(torch.tensor([3.0, 1.0]), 1))
str(torch.float16)
repr(torch.device("cpu"))
repr(torch.Size([1, 2]))
repr(torch.strided)
repr(torch.contiguous_format)
isinstance(torch.contiguous_format, torch.memory_format)
torch.GradScaler is torch.amp.GradScaler
torch.set_anomaly_enabled(False)
torch.distributed.is_initialized()
repr(torch.preserve_format)
torch.tensor([1.0]).__str__()
torch.tensor([1.0]).__repr__()
f"{torch.tensor([[1.0]])!r}"
torch._tensor_str.get_printoptions() if False else 1
""")
PROGRAMS = blocks(r"""
torch.set_printoptions(precision=2)
r = repr(torch.tensor([1.23456, 2]))
torch.set_printoptions(profile="default")
r

torch.set_printoptions(sci_mode=True)
r = repr(torch.tensor([1.23456, 2]))
torch.set_printoptions(profile="default")
r

torch.set_printoptions(sci_mode=False)
r = repr(torch.tensor([1.23456e-8, 2e10]))
torch.set_printoptions(profile="default")
r

torch.set_printoptions(threshold=5, edgeitems=1)
r = repr(torch.arange(20).reshape(4, 5))
torch.set_printoptions(profile="default")
r

torch.set_printoptions(linewidth=30)
r = repr(torch.arange(20.0))
torch.set_printoptions(profile="default")
r

torch.set_printoptions(profile="full")
r = repr(torch.arange(1200))
torch.set_printoptions(profile="default")
r

torch.set_printoptions(edgeitems=0, threshold=2)
r = repr(torch.arange(20))
torch.set_printoptions(profile="default")
r

with torch.set_printoptions(precision=1):
    pass

x = torch.ones(2, requires_grad=True)
y = x[0]
z = x.view(2, 1)
w = x.exp().detach()
[repr(v) for v in (x, y, z, w)]

x = torch.ones(2, requires_grad=True).clone()
y = x[:1]
y += 1
[repr(v) for v in (x, y)]

x = torch.ones(2, requires_grad=True)
with torch.no_grad():
    y = x + 1
repr(y)
""")


@pytest.mark.parametrize("program", LINES)
def test_line(program: str) -> None:
    check(program)


@pytest.mark.parametrize("program", PROGRAMS, ids=named)
def test_program(program: str) -> None:
    check(program)
