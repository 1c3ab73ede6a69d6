"""Functions whose result has a size that depends on values, against PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import graphc
from graphc.errors import GraphcRuntimeError
from tests.tensor.programs import check, lines

OPERANDS = """
f = torch.tensor([3.0, 1, 2, 1, 3, 3], requires_grad=True)
m = torch.tensor([[1.0, 2, 1], [1, 2, 1], [0, 5, 0]], dtype=torch.float64, requires_grad=True)
i = torch.tensor([3, 1, 1, 2, 3])
u = torch.tensor([2, 0, 1, 0, 1, 1], dtype=torch.uint8)
b = torch.tensor([True, False, True])
c = torch.tensor([[0.0, 1.5], [float("nan"), 0]])
h = torch.tensor([1.5, 1.5, -2, 0.25], dtype=torch.bfloat16)
"""
CALLS = lines("""
torch.nonzero(i)
torch.nonzero(c)
torch.nonzero(c, as_tuple=True)
torch.nonzero(input=c > 1, as_tuple=False)
torch.nonzero(m)
torch.nonzero(torch.tensor(3))
torch.nonzero(torch.tensor(0))
torch.nonzero(torch.tensor(3), as_tuple=True)
torch.nonzero(torch.zeros(2, 0))
torch.nonzero(b, True)
torch.nonzero(3)
i.nonzero()
c.nonzero(as_tuple=True)
torch.argwhere(c)
torch.argwhere(torch.tensor(3))
c.argwhere()
torch.where(b)
torch.where(c > 1)
torch.where(torch.tensor(1))
torch.where(b, 1)
torch.where(b, m, 0)
torch.masked_select(f, f > 1)
torch.masked_select(m, mask=m > 1)
m.masked_select(b)
torch.masked_select(m, b[:, None])
torch.masked_select(f[:3], torch.eye(3, dtype=torch.bool))
torch.masked_select(torch.tensor(1.0, requires_grad=True), torch.tensor(True))
torch.masked_select(f, f > 9)
torch.masked_select(f, f)
torch.masked_select(f, b)
torch.masked_select(f)
torch.masked_select(m.t(), m > 1)
torch.unique(f)
torch.unique(i)
torch.unique(u, return_counts=True)
torch.unique(b, return_inverse=True)
torch.unique(h, True, True, True)
torch.unique(i, sorted=False, return_inverse=True)
torch.unique(m, return_inverse=True, return_counts=True)
torch.unique(m, dim=0, return_inverse=True, return_counts=True)
torch.unique(m, dim=-1, return_inverse=True, return_counts=True)
torch.unique(torch.stack([i, i]), dim=1, return_inverse=True)
torch.unique(c, return_inverse=True, return_counts=True)
torch.unique(torch.tensor(3.0), return_inverse=True)
torch.unique(torch.tensor([]), return_inverse=True, return_counts=True)
torch.unique(torch.zeros(0, 2), return_inverse=True)
torch.unique(torch.zeros(0, 3), dim=0)
torch.unique(torch.zeros(0, 3), dim=1)
torch.unique(torch.tensor(3.0), dim=0)
torch.unique(i, dim=2)
torch.unique(i, dim=0.5)
torch.unique(3)
i.unique()
i.unique(True, True, True)
m.unique(dim=0)
torch.unique_consecutive(f)
torch.unique_consecutive(i, True, True)
torch.unique_consecutive(m, return_inverse=True, return_counts=True)
torch.unique_consecutive(m, dim=0, return_inverse=True, return_counts=True)
torch.unique_consecutive(m, dim=1, return_counts=True)
torch.unique_consecutive(c, return_inverse=True, return_counts=True)
torch.unique_consecutive(torch.zeros(2, 0), True, True)
torch.unique_consecutive(torch.zeros(2, 0), dim=0)
torch.unique_consecutive(torch.zeros(2, 0), dim=1)
torch.unique_consecutive(torch.tensor(3.0), True, True)
torch.unique_consecutive(torch.tensor(3.0), dim=0)
i.unique_consecutive(return_counts=True)
torch.bincount(i)
torch.bincount(u)
torch.bincount(i, torch.arange(5.0))
torch.bincount(i, weights=torch.arange(5), minlength=7)
torch.bincount(i, torch.arange(5).half())
torch.bincount(i, f[:5])
torch.bincount(i, torch.ones(4))
torch.bincount(i, torch.ones(5, 1))
torch.bincount(i, minlength=2)
torch.bincount(i, minlength=-1)
torch.bincount(i - 5)
torch.bincount(f)
torch.bincount(b)
torch.bincount(i[None])
torch.bincount(i[:0])
torch.bincount(i[:0], minlength=3)
torch.bincount(i[:0], torch.ones(0), minlength=3)
torch.bincount(i, minlength="a")
i.bincount(minlength=5)
torch.repeat_interleave(f, 2)
torch.repeat_interleave(m, 2)
torch.repeat_interleave(m, 2, 0)
torch.repeat_interleave(m, 3, dim=-1)
torch.repeat_interleave(f, 0)
torch.repeat_interleave(f, -1)
torch.repeat_interleave(f, 2.0)
torch.repeat_interleave(f, "a")
torch.repeat_interleave(f, [1, 2])
torch.repeat_interleave(f, torch.tensor(2))
torch.repeat_interleave(f, torch.tensor([2]))
torch.repeat_interleave(f, torch.tensor([2, 0, 1, 0, 1, 1]))
torch.repeat_interleave(m, torch.tensor([2, 0, 1]), 1)
torch.repeat_interleave(m, torch.tensor([2, 0, 1], dtype=torch.int32), dim=0)
torch.repeat_interleave(m, torch.tensor([2, 0]), dim=0)
torch.repeat_interleave(m, torch.tensor([2, 0, 1]))
torch.repeat_interleave(m, torch.tensor([[2]]), dim=0)
torch.repeat_interleave(m, torch.tensor([2.0, 0, 1]), dim=0)
torch.repeat_interleave(f, torch.tensor([-1, 1, 1, 1, 1, 1]))
torch.repeat_interleave(f, 2, 3)
torch.repeat_interleave(f, torch.tensor([1, 1, 1, 1, 1, 1]), 3)
torch.repeat_interleave(f, 2, output_size=12)
torch.repeat_interleave(f, 2, output_size=6)
torch.repeat_interleave(f[:2], torch.tensor([1, 3]), output_size=4)
torch.repeat_interleave(f[:2], torch.tensor([1, 3]), output_size=5)
torch.repeat_interleave(i)
torch.repeat_interleave(repeats=i)
torch.repeat_interleave(i.int())
torch.repeat_interleave(i[None])
torch.repeat_interleave(f)
torch.repeat_interleave(f.sum(), 2)
torch.repeat_interleave(f.sum(), 2, dim=0)
torch.repeat_interleave(f.sum(), torch.tensor(2))
torch.repeat_interleave(f[:0], torch.tensor([], dtype=torch.int64))
m.repeat_interleave(2, dim=1)
m.repeat_interleave(repeats=torch.tensor([1, 2, 0]), dim=0)
i.repeat_interleave()
""")


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    check(f"{OPERANDS}\n{call}")


@pytest.mark.parametrize(
    "call",
    lines("""
f * 2 > 2
f[torch.nonzero(f > 2)[:, 0]]
m[torch.where(m > 1)]
m[torch.nonzero(m * 2 > 2, as_tuple=True)]
torch.masked_select(f * 2, f > 1)
torch.masked_select(m.t() * 2, b)
torch.masked_select(f[:3], torch.eye(3, dtype=torch.bool)) ** 2
torch.repeat_interleave(f * f, torch.tensor([2, 0, 1, 0, 1, 1]))
torch.repeat_interleave(m, torch.tensor([2, 0, 1]), 1)
torch.repeat_interleave(m, 2, 0)
f.index_select(0, torch.unique(i))
f.masked_select(f > 9)
torch.unique(f)
torch.unique(m, dim=0)
torch.unique_consecutive(f)
torch.bincount(i, f[:5])
"""),
)
def test_gradients(call: str) -> None:
    check(
        f"""
{OPERANDS}
y = {call}
if y.requires_grad:
    weights = torch.arange(1.0, 1 + y.numel()).reshape(y.shape)
    (y.double() * weights).sum().backward()
(f.grad, m.grad)
"""
    )


@pytest.mark.parametrize(
    "name",
    ["nonzero", "argwhere", "unique", "unique_consecutive", "repeat_interleave", "where"],
)
def test_a_compiled_function_knows_no_values(name: str) -> None:
    @graphc.compile
    def step(x: Any) -> Any:
        return getattr(graphc, name)(x)  # here

    with pytest.raises(GraphcRuntimeError, match="depends on values") as caught:
        step(graphc.tensor([1, 0, 2]))
    line = step_line("# here")
    assert f"test_data_dependent.py:{line}" in str(caught.value)


def step_line(mark: str) -> int:
    """The line of this file that ends with a mark."""
    with open(__file__, encoding="utf-8") as file:
        return next(n for n, text in enumerate(file, 1) if text.rstrip().endswith(f"  {mark}"))


def test_a_mask_as_an_index_within_a_compiled_function() -> None:
    mask = graphc.tensor([True, False])
    with pytest.raises(GraphcRuntimeError, match=r"indexing.*depends on values"):
        graphc.compile(lambda x: x[mask])(graphc.ones(2))


def test_repetition_by_a_number_is_compiled() -> None:
    step = graphc.compile(lambda x: graphc.repeat_interleave(x, 2, 1))
    assert step(graphc.tensor([[1, 2]])).tolist() == [[1, 1, 2, 2]]
