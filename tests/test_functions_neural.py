"""Activations, softmax and what is made of lengths, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphc import manual_seed
from graphc.autograd import grad
from graphc.nn import functional
from tests.torch_peer import compare, normal, ours, own_kernels, theirs, torch

MODULES = functional, torch.nn.functional

ACTIVATIONS: dict[str, Any] = {
    "relu": lambda F, x: F.relu(x),
    "relu6": lambda F, x: F.relu6(x * 5),
    "leaky_relu": lambda F, x: F.leaky_relu(x, 0.2),
    "elu": lambda F, x: F.elu(x, 0.7),
    "selu": lambda F, x: F.selu(x),
    "celu": lambda F, x: F.celu(x, 1.3),
    "gelu": lambda F, x: F.gelu(x),
    "gelu tanh": lambda F, x: F.gelu(x, approximate="tanh"),
    "silu": lambda F, x: F.silu(x),
    "mish": lambda F, x: F.mish(x),
    "softplus": lambda F, x: F.softplus(x),
    "softplus beta": lambda F, x: F.softplus(x, 2.0, 1.5),
    "softsign": lambda F, x: F.softsign(x),
    "hardtanh": lambda F, x: F.hardtanh(x, -0.5, 0.8),
    "hardswish": lambda F, x: F.hardswish(x * 3),
    "hardsigmoid": lambda F, x: F.hardsigmoid(x * 3),
    "logsigmoid": lambda F, x: F.logsigmoid(x),
    "tanhshrink": lambda F, x: F.tanhshrink(x),
    "hardshrink": lambda F, x: F.hardshrink(x),
    "softshrink": lambda F, x: F.softshrink(x, 0.3),
    "threshold": lambda F, x: F.threshold(x, 0.1, 20.0),
    "glu": lambda F, x: F.glu(x, 0),
    "softmax": lambda F, x: F.softmax(x, 1),
    "softmax first": lambda F, x: F.softmax(x, dim=0),
    "softmin": lambda F, x: F.softmin(x, -1),
    "log_softmax": lambda F, x: F.log_softmax(x, -1),
    "log_softmax first": lambda F, x: F.log_softmax(x, dim=0),
    "normalize": lambda F, x: F.normalize(x),
    "normalize p=1": lambda F, x: F.normalize(x, p=1, dim=0),
    "normalize p=3": lambda F, x: F.normalize(x, p=3.0, dim=-1),
    "normalize max": lambda F, x: F.normalize(x, p=float("inf"), dim=0),
    "sigmoid": lambda F, x: F.sigmoid(x),
    "tanh": lambda F, x: F.tanh(x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activation(name: str, dtype: str) -> None:
    twice = dtype == "float64" and name != "hardsigmoid"
    compare(ACTIVATIONS[name], MODULES, [normal(4, 6, dtype=dtype)], twice=twice)


def test_hardsigmoid_has_no_second_derivative() -> None:
    makes, grads = (ours, theirs), (grad, torch.autograd.grad)
    for F, make, differentiate in zip(MODULES, makes, grads, strict=True):
        x = make(normal(3), requires_grad=True)
        (slope,) = differentiate(F.hardsigmoid(x).sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="aten::hardsigmoid_backward is not implemented"):
            differentiate(slope.sum(), x)


EXTREMES = np.array([-np.inf, -200.0, -3.0, -1.0, -0.0, 0.0, 1.0, 3.0, 6.0, 200.0, np.inf, np.nan])


OF_ROWS = ("max", "softmin", "normalize")


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if not any(x in n for x in OF_ROWS)])
def test_activation_at_extremes(name: str) -> None:
    array = EXTREMES.astype(np.float32)
    finite = array[np.abs(array) < 1e3][1:]
    with own_kernels():
        compare(ACTIVATIONS[name], MODULES, [array], gradient=False)
        compare(ACTIVATIONS[name], MODULES, [finite])


@pytest.mark.parametrize("name", ["gelu", "silu", "softmax", "log_softmax", "softplus", "mish"])
def test_half_precision_is_rounded_once(name: str) -> None:
    array = normal(40, 30).astype(np.float32)
    mine, peer = ours(array).to(_half()), theirs(array).to(torch.bfloat16)
    found, expected = ACTIVATIONS[name](functional, mine), ACTIVATIONS[name](MODULES[1], peer)
    assert found.dtype is _half()
    difference = np.abs(found.float().numpy() - expected.float().numpy())
    assert (difference > 0).mean() < 0.02


def _half() -> Any:
    from graphc.ir.dtype import bfloat16

    return bfloat16


@pytest.mark.parametrize(
    ("shape", "count"),
    [((5,), 1), ((2, 5), 1), ((2, 5, 3), 1), ((), 1), ((2, 5), 5), ((2, 5, 3), 5)],
)
def test_prelu(shape: tuple[int, ...], count: int) -> None:
    compare(
        lambda F, x, w: F.prelu(x, w), MODULES, [normal(*shape), normal(count, seed=1)], twice=True
    )


def test_distances() -> None:
    x, y = normal(4, 6), normal(4, 6, seed=1)
    compare(lambda F, a, b: F.cosine_similarity(a, b), MODULES, [x, y], twice=True)
    compare(lambda F, a, b: F.cosine_similarity(a, b, dim=-1), MODULES, [x, y[:1]], twice=True)
    compare(lambda F, a, b: F.pairwise_distance(a, b), MODULES, [x, y], twice=True)
    compare(lambda F, a, b: F.pairwise_distance(a, b, 1.0, 0.0, True), MODULES, [x, y])
    compare(lambda F, a, b: F.pairwise_distance(a, b, eps=0.0), MODULES, [x, x])


def test_gumbel_softmax_draws_classes() -> None:
    manual_seed(0)
    logits = np.log([[0.1, 0.2, 0.7]] * 4000)
    x = ours(logits, requires_grad=True)
    drawn = functional.gumbel_softmax(x, hard=True)
    assert drawn.grad_fn.name() == "AddBackward0"
    assert set(np.unique(drawn.detach().numpy())) == {0.0, 1.0}
    np.testing.assert_array_equal(drawn.detach().numpy().sum(1), 1)
    np.testing.assert_allclose(drawn.detach().numpy().mean(0), [0.1, 0.2, 0.7], atol=0.03)
    soft = functional.gumbel_softmax(x, tau=0.5)
    np.testing.assert_allclose(soft.detach().numpy().sum(1), 1)
    (slope,) = grad((soft * ours(np.array([1.0, 0.0, 0.0]))).sum(), x)
    assert slope is not None
    first = soft.detach().numpy()[:, :1]
    eye = np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(slope.numpy(), 2 * first * (eye - soft.detach().numpy()), rtol=1e-9)


def test_inplace() -> None:
    x = ours(normal(3, 3))
    expected = torch.nn.functional.relu(torch.tensor(normal(3, 3)))
    assert functional.relu(x, inplace=True) is x
    np.testing.assert_array_equal(x.numpy(), expected.numpy())
    assert functional.hardtanh(x, 0.0, 0.1, True) is x
    assert x.numpy().max() == 0.1


def test_errors() -> None:
    whole = ours(np.arange(4))
    with pytest.raises(RuntimeError, match="\"GeluKernelImpl\" not implemented for 'Long'"):
        functional.gelu(whole)
    with pytest.raises(RuntimeError, match="Halving dimension must be even"):
        functional.glu(ours(normal(3)))
    with pytest.raises(RuntimeError, match="approximate argument must be either none or tanh"):
        functional.gelu(ours(normal(3)), approximate="sigmoid")
    with pytest.raises(IndexError, match="Dimension out of range"):
        functional.softmax(ours(normal(3)), 1)
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        functional.softmax(ours(normal(3)))
