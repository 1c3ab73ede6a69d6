"""Functions over choices of elements, against PyTorch."""

from __future__ import annotations

import pytest

import graphc
from tests.tensor.programs import check, lines

OPERANDS = """
i = torch.tensor([3, 1, 1, 2, 3])
f = torch.tensor([3.0, 1, 2, 1, 3], requires_grad=True)
m = torch.tensor([[3.0, 1, 2], [1, 3, 0], [3, 1, 2], [5, 2, 2]], requires_grad=True)
"""
CALLS = lines("""
torch.combinations(i)
torch.combinations(f, 3, True)
torch.combinations(f, r=2, with_replacement=True)
torch.combinations(i, 0)
torch.combinations(f, 1)
torch.combinations(i, 7)
torch.combinations(i, -1)
torch.combinations(m)
torch.combinations(f * 2, 2).prod(1)
torch.pdist(m)
torch.pdist(m, 1)
torch.pdist(m, p=1.5)
torch.pdist(m, 0)
torch.pdist(m, float("inf"))
torch.nn.functional.pdist(m, 3.0)
torch.pdist(m.detach()[:1])
torch.pdist(m.detach()[:0])
torch.pdist(m.detach()[:, :0])
torch.pdist(m, -1)
torch.pdist(f)
torch.pdist(i[None])
torch.pdist(f.sum())
""")


@pytest.mark.parametrize("call", CALLS)
def test_call_and_gradients(call: str) -> None:
    check(f"{OPERANDS}\n{call}")
    check(
        f"""
{OPERANDS}
y = {call}
if y.requires_grad:
    (y * torch.arange(1.0, 1 + y.numel()).reshape(y.shape)).sum().backward()
(f.grad, m.grad)
"""
    )


def test_compiled() -> None:
    step = graphc.compile(lambda x: (graphc.combinations(x), graphc.pdist(x[:, None])))
    pairs, distances = step(graphc.tensor([1.0, 4.0, 6.0]))
    assert pairs.tolist() == [[1, 4], [1, 6], [4, 6]]
    assert distances.tolist() == [3, 5, 2]
