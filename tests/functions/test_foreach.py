"""``_foreach_`` functions and copies of views, against PyTorch."""

from __future__ import annotations

import pytest

import graphc
from graphc import foreach, view_copies
from tests.tensor.programs import check, lines
from tests.torch_peer import torch

OPERANDS = """
d = torch.float64
x = [torch.tensor([0.25, 0.5], dtype=d, requires_grad=True), torch.tensor([[0.75]], dtype=d)]
y = [torch.tensor([2.0, 3.0], dtype=d), torch.tensor([[0.5]], dtype=d, requires_grad=True)]
z = [torch.ones(2, dtype=d), torch.ones(1, 1, dtype=d)]
m = torch.arange(12.0, dtype=d).reshape(3, 4).requires_grad_()
"""
CALLS = [f"torch._foreach_{name}(x)" for name in foreach.UNARY] + lines("""
torch._foreach_add(x, 2)
torch._foreach_add(x, y)
torch._foreach_add(x, y, alpha=3)
torch._foreach_add(x, [1.0, 2.0])
torch._foreach_add(x, torch.tensor(2.0, dtype=d))
torch._foreach_sub(x, y, alpha=2)
torch._foreach_mul(x, y)
torch._foreach_mul(x, 0.5)
torch._foreach_div(x, y)
torch._foreach_div(x, scalars=[2.0, 3.0])
torch._foreach_pow(x, 2)
torch._foreach_pow(x, y)
torch._foreach_pow(2.0, x)
torch._foreach_lerp(x, y, 0.25)
torch._foreach_lerp(x, y, weight=0.25)
torch._foreach_lerp(x, y, z)
torch._foreach_addcmul(x, y, z)
torch._foreach_addcmul(x, y, z, 2.0)
torch._foreach_addcmul(x, y, z, value=2.0)
torch._foreach_addcdiv(x, y, z, [2.0, 3.0])

torch._foreach_maximum(x, y)
torch._foreach_minimum(x, 0.3)
torch._foreach_clamp_min(x, [0.3, 0.9])
torch._foreach_clamp_max(x, y)
torch._foreach_norm(x)
torch._foreach_norm(x, ord=1)
torch._foreach_norm(x, float("inf"))
torch._foreach_max(x)
torch._foreach_clone(x)
torch._foreach_mm([z[1]], [y[1]])
torch._foreach_add([], 1)
torch._foreach_add(x, y[:1])
torch._foreach_add(x, [1.0, 2.0, 3.0])
""")
WRITES = lines("""
torch._foreach_add_(z, 2)
torch._foreach_mul_(z, [2.0, 3.0])
torch._foreach_sub_(z, z, alpha=0.5)
torch._foreach_addcdiv_(z, z, z, value=-0.1)
torch._foreach_addcmul_(z, z, z, [1.0, 2.0])
torch._foreach_lerp_(z, z, 0.1)
torch._foreach_sqrt_(z)
torch._foreach_neg_(z)
torch._foreach_addcdiv_(z, z, z, torch.tensor([2.0, 3.0]))
torch._foreach_zero_(z)
torch._foreach_clamp_max_(z, 0.5)
torch._foreach_maximum_(z, 2.5)
torch._foreach_copy_(z, [t.detach() for t in y])
torch._foreach_pow_(z, 2)
torch._foreach_div_(z, torch.tensor(4.0, dtype=d))
""")
COPIES = lines("""
torch.alias_copy(m)
torch.as_strided_copy(m, (2, 2), (1, 2), 1)
torch.detach_copy(m.detach())
torch.diagonal_copy(m, 1)
torch.expand_copy(m, (2, 3, 4))
torch.permute_copy(m, (1, 0))
torch.select_copy(m, 1, 2)
torch.slice_copy(m, 1, 1, 3)
torch.slice_copy(m, 0, step=2)
torch.split_copy(m, 2)
torch.split_with_sizes_copy(m, [1, 2])
torch.squeeze_copy(m[:1], 0)
torch.t_copy(m)
torch.transpose_copy(m, 0, 1)
torch.unbind_copy(m, 1)
torch.unfold_copy(m, 0, 2, 1)
torch.unsqueeze_copy(m, 0)
torch.view_copy(m, (4, 3))
torch.t_copy(m.detach(), out=torch.empty(4, 3, dtype=d))
""")


def plain(call: str, gradients: str) -> str:
    """The numbers of a call, and gradients of what it was given."""
    return f"""
{OPERANDS}
found = {call}
parts = list(found) if isinstance(found, (tuple, list)) else [found]
total = sum((t * t).sum() for t in parts)
if total.requires_grad:
    total.backward()
type(found).__name__, [t.detach() for t in parts], [t.grad for t in {gradients}]
"""


@pytest.mark.parametrize("call", CALLS)
def test_of_each(call: str) -> None:
    check(plain(call, "(x[0], y[1])"), rounding=10)


@pytest.mark.parametrize("call", WRITES)
def test_writes(call: str) -> None:
    check(f"{OPERANDS}\nfound = {call}\nfound is z, z")


@pytest.mark.parametrize("call", COPIES)
def test_copies(call: str) -> None:
    check(plain(call, "(m,)"))


def test_copies_have_memory_of_their_own() -> None:
    x = graphc.ones(2, 3)
    y = graphc.t_copy(x)
    y.zero_()
    assert x.sum().item() == 6


def test_names_are_pytorchs() -> None:
    for name in (*foreach.NAMESPACE, *view_copies.NAMESPACE):
        assert hasattr(torch, name), name
    known = [n for n in dir(torch) if n.startswith("_foreach_")]
    assert sorted(set(known) - set(foreach.NAMESPACE)) == []
