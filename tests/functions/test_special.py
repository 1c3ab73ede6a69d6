"""``special``: values and gradients against PyTorch."""

from __future__ import annotations

import pytest

import graphc
from tests.tensor.programs import check, lines
from tests.torch_peer import torch

OPERANDS = """
S = torch.special
inf, nan = float("inf"), float("nan")
d = torch.float64
x = torch.tensor([0.25, 0.5, 0.75], dtype=d, requires_grad=True)
w = torch.tensor([3.0, 2.5, 7.25], dtype=d, requires_grad=True)
e = torch.tensor([0.0, -0.0, -1.0, inf, -inf, nan, 1.0, -5.0, 5.0])
i = torch.tensor([1, 2, 3])
"""
CALLS = lines("""
S.entr(x)
S.entr(e)
S.entr(i)
S.xlog1py(x, w)
S.xlog1py(0.0, e)
S.xlog1py(e, 1.0)
S.xlog1py(i, i)
S.ndtr(w)
S.ndtr(e)
S.ndtr(i)
S.multigammaln(w, 3)
S.multigammaln(w.float(), 1)
S.expit(x)
S.psi(w)
S.gammaln(w)
S.logsumexp(x, 0)
S.log_softmax(x, 0)
S.softmax(x, dim=-1)
""")

GRADIENTS = lines("""
S.entr(x)
S.xlog1py(x, w)
S.ndtr(w)
S.multigammaln(w, 3)
""")


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    check(OPERANDS + call)


@pytest.mark.parametrize("call", GRADIENTS)
def test_gradient(call: str) -> None:
    check(f"{OPERANDS}torch.autograd.grad(({call}).sum(), [x, w], allow_unused=True)", rounding=100)


def test_the_rest_is_the_packages_own() -> None:
    for name in graphc.special.__all__:
        assert hasattr(torch.special, name)
    assert graphc.special.erf is graphc.erf
