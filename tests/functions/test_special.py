"""``special``: values and gradients against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import polynomials
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
S.i0(w)
S.i0e(x)
S.i1(x)
S.i1e(w)
S.ndtri(x)
S.erfcx(w)
S.log_ndtr(x)
S.zeta(w.detach(), w)
S.zeta(2.0, x)
S.zeta(x.detach() * 9, 0.5)
S.zeta(e, 2.0)
S.zeta(3.0, e)
S.polygamma(2, x)
S.polygamma(0, w.float())
S.airy_ai(w.detach())
S.airy_ai(i)
S.bessel_j0(w.detach().half())
S.bessel_y1(i)
S.chebyshev_polynomial_t(w.detach(), 3)
S.hermite_polynomial_he(x.detach(), torch.tensor([2.0, 3.0, 4.0]))
S.legendre_polynomial_p(0.5, torch.tensor([2.0, 3.0, 4.0]))
S.laguerre_polynomial_l(i, 2)
""")
SHAPES = (
    *("i0", "i0e", "i1", "i1e", "ndtri", "erfcx", "log_ndtr", "modified_bessel_i0"),
    *("modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "bessel_j0", "bessel_j1"),
    *("scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "bessel_y0", "bessel_y1"),
    *("spherical_bessel_j0", "airy_ai"),
)
PLACES = np.concatenate(
    [
        np.linspace(-30, 30, 241),
        np.linspace(0, 1, 51),
        [-0.0, 1e-20, 1e-6, 2.09, -2.09, 8.3203353, 1e3, -1e3, np.inf, -np.inf, np.nan],
    ]
)

GRADIENTS = lines("""
S.entr(x)
S.xlog1py(x, w)
S.ndtr(w)
S.multigammaln(w, 3)
S.i0(w)
S.i0e(x)
S.i1(w)
S.i1e(x)
S.ndtri(x)
S.erfcx(w)
S.log_ndtr(x)
S.zeta(2.5, w)
S.polygamma(0, x)
S.polygamma(1, x)
S.polygamma(2, x)
""")


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str) -> None:
    check(OPERANDS + call)


@pytest.mark.parametrize("call", GRADIENTS)
def test_gradient(call: str) -> None:
    check(f"{OPERANDS}torch.autograd.grad(({call}).sum(), [x, w], allow_unused=True)", rounding=100)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHAPES)
def test_values(name: str, dtype: str) -> None:
    """Up to the rounding of the operand, of which large functions make more."""
    places = PLACES.astype(dtype)
    mine = getattr(graphc.special, name)(graphc.tensor(places)).numpy()
    peer = getattr(torch.special, name)(torch.tensor(places)).numpy()
    np.testing.assert_array_equal(np.isnan(mine), np.isnan(peer))
    np.testing.assert_array_equal(np.isinf(mine), np.isinf(peer))
    finite = np.isfinite(peer)
    size = 1 + np.abs(places[finite].astype(np.float64))
    error = np.abs(mine[finite] - peer[finite].astype(np.float64))
    # 64 units in the last place, and as many more as the argument of an exponential is off.
    assert (error <= 64 * np.finfo(dtype).eps * size * (np.abs(peer[finite]) + 1e-3)).all()


@pytest.mark.parametrize("order", [-1, 0, 1, 2, 5, 7, 9, 20])
@pytest.mark.parametrize("name", sorted(polynomials.NAMES))
def test_polynomials(name: str, order: int) -> None:
    places = np.concatenate([np.linspace(-2, 2, 81), [1.0, -1.0, 0.0]])
    mine = getattr(graphc.special, name)(graphc.tensor(places), order).numpy()
    peer = getattr(torch.special, name)(torch.tensor(places), order).numpy()
    np.testing.assert_allclose(mine, peer, rtol=1e-11, atol=1e-11)
    orders = np.array([0.0, 3, 7, 2.7, -1, 130, 600])
    mine = getattr(graphc.special, name)(graphc.tensor(orders * 0 + 0.3), graphc.tensor(orders))
    peer = getattr(torch.special, name)(torch.tensor(orders * 0 + 0.3), torch.tensor(orders))
    np.testing.assert_allclose(mine.numpy(), peer.numpy(), rtol=1e-9)


@pytest.mark.parametrize("power", [1.0, 0.5, 1.1, 2.0, 10.0, 60.0])
def test_zeta(power: float) -> None:
    places = np.concatenate([np.linspace(-10.3, 30, 200), [0, -1, 1e-5, 1e5, np.inf, np.nan]])
    mine = graphc.special.zeta(power, graphc.tensor(places)).numpy()
    peer = torch.special.zeta(power, torch.tensor(places)).numpy()
    np.testing.assert_allclose(mine, peer, rtol=1e-13)


def test_second_derivatives_and_compiled() -> None:
    def call(x: graphc.Tensor) -> graphc.Tensor:
        return graphc.i0(x) + graphc.special.i1e(x) + graphc.special.erfcx(x)  # type: ignore[no-any-return]

    x = graphc.tensor([0.3, -1.2, 0.0], dtype=graphc.float64, requires_grad=True)
    y = torch.tensor([0.3, -1.2, 0.0], dtype=torch.float64, requires_grad=True)
    peer = torch.i0(y) + torch.special.i1e(y) + torch.special.erfcx(y)
    (first,) = torch.autograd.grad(peer.sum(), y, create_graph=True)
    (second,) = torch.autograd.grad(first[:2].sum(), y)
    mine: Any
    (mine,) = graphc.autograd.grad(call(x).sum(), x, create_graph=True)
    again: Any
    (again,) = graphc.autograd.grad(mine[:2].sum(), x)
    np.testing.assert_allclose(mine.detach().numpy(), first.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(again.numpy()[:2], second.numpy()[:2], rtol=1e-12)
    compiled = graphc.compile(call)(x.detach())
    np.testing.assert_allclose(compiled.numpy(), peer.detach().numpy(), rtol=1e-12)


def test_the_rest_is_the_packages_own() -> None:
    for name in graphc.special.__all__:
        assert hasattr(torch.special, name)
    assert graphc.special.erf is graphc.erf
