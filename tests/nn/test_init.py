"""Initial values: distributions of nn.init and of each layer's defaults, as PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.torch_peer import numbers, torch

DRAWS: dict[str, Callable[[Any, Any], Any]] = {
    "uniform": lambda init, x: init.uniform_(x, -0.5, 2.0),
    "normal": lambda init, x: init.normal_(x, 1.0, 0.3),
    "truncated normal": lambda init, x: init.trunc_normal_(x, 0.5, 2.0, -1.0, 1.5),
    "truncated tail": lambda init, x: init.trunc_normal_(x, 0.0, 1.0, 1.5, 2.5),
    "xavier uniform": lambda init, x: init.xavier_uniform_(x, gain=1.5),
    "xavier normal": lambda init, x: init.xavier_normal_(x),
    "kaiming uniform": lambda init, x: init.kaiming_uniform_(x, a=0.3),
    "kaiming uniform, out": lambda init, x: init.kaiming_uniform_(
        x, mode="fan_out", nonlinearity="relu"
    ),
    "kaiming normal": lambda init, x: init.kaiming_normal_(x, nonlinearity="tanh"),
    "kaiming normal, selu": lambda init, x: init.kaiming_normal_(x, nonlinearity="selu"),
}
SHAPES = [(60, 80), (24, 10, 4, 5)]


def same_distribution(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> None:
    """Both samples, of some thousand numbers, agree in their quantiles."""
    scale = b.max() - b.min()
    levels = np.linspace(0.02, 0.98, 25)
    difference = np.abs(np.quantile(a, levels) - np.quantile(b, levels)).max()
    assert difference < 0.035 * scale
    assert abs(a.max() - b.max()) < 0.25 * scale
    assert abs(a.min() - b.min()) < 0.25 * scale


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("case", DRAWS)
def test_draws_are_distributed_as_in_pytorch(case: str, shape: tuple[int, ...]) -> None:
    graphc.manual_seed(1)
    torch.manual_seed(1)
    x, y = graphc.empty(*shape), torch.empty(*shape)
    assert DRAWS[case](nn.init, x) is x
    DRAWS[case](torch.nn.init, y)
    same_distribution(numbers(x), numbers(y))


def test_bounds_are_kept() -> None:
    graphc.manual_seed(0)
    x = nn.init.trunc_normal_(graphc.empty(5000), 0.0, 1.0, -0.5, 0.7).numpy()
    assert x.min() >= -0.5
    assert x.max() <= 0.7
    x = nn.init.uniform_(graphc.empty(5000), 2.0, 3.0).numpy()
    assert x.min() >= 2.0
    assert x.max() <= 3.0


def test_the_same_seed_draws_the_same() -> None:
    graphc.manual_seed(5)
    first = nn.init.normal_(graphc.empty(10)).numpy().copy()
    second = nn.init.normal_(graphc.empty(10)).numpy().copy()
    graphc.manual_seed(5)
    assert (nn.init.normal_(graphc.empty(10)).numpy() == first).all()
    assert (first != second).any()
    mine, again = (graphc.Generator().manual_seed(3) for _ in range(2))
    a = nn.init.xavier_normal_(graphc.empty(3, 4), generator=mine)
    b = nn.init.xavier_normal_(graphc.empty(3, 4), generator=again)
    assert (a.numpy() == b.numpy()).all()


FILLS: dict[str, Callable[[Any, Any], Any]] = {
    "constant": lambda init, x: init.constant_(x, 2.5),
    "ones": lambda init, x: init.ones_(x),
    "zeros": lambda init, x: init.zeros_(x),
}


@pytest.mark.parametrize("case", FILLS)
def test_constants(case: str) -> None:
    x = FILLS[case](nn.init, graphc.empty(2, 3))
    assert x.tolist() == FILLS[case](torch.nn.init, torch.empty(2, 3)).tolist()


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_eye(shape: tuple[int, int]) -> None:
    x, y = nn.init.eye_(graphc.empty(*shape)), torch.nn.init.eye_(torch.empty(*shape))
    assert x.tolist() == y.tolist()


@pytest.mark.parametrize(
    ("shape", "groups"), [((4, 2, 3), 2), ((3, 5, 4, 3), 1), ((4, 1, 1, 2, 3), 4)]
)
def test_dirac(shape: tuple[int, ...], groups: int) -> None:
    x = nn.init.dirac_(graphc.empty(*shape), groups)
    assert x.tolist() == torch.nn.init.dirac_(torch.empty(*shape), groups).tolist()


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    x = nn.init.orthogonal_(graphc.empty(*shape), gain=2.0).numpy().reshape(shape[0], -1)
    square = x @ x.T if shape[0] < x.shape[1] else x.T @ x
    np.testing.assert_allclose(square, 4 * np.eye(len(square)), atol=1e-5)


def test_sparse() -> None:
    x = nn.init.sparse_(graphc.empty(20, 30), sparsity=0.33, std=0.5).numpy()
    assert ((x == 0).sum(0) == 7).all()
    assert abs(x[x != 0].std() - 0.5) < 0.08


GAINS = ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "selu", "leaky_relu")


@pytest.mark.parametrize(("name", "argument"), [*((n, None) for n in GAINS), ("leaky_relu", 0.3)])
def test_gains(name: str, argument: float | None) -> None:
    mine = nn.init.calculate_gain(name, argument)
    assert mine == torch.nn.init.calculate_gain(name, argument)


WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "gain": lambda m, init: init.calculate_gain("round"),
    "slope": lambda m, init: init.calculate_gain("leaky_relu", "steep"),
    "fan": lambda m, init: init.xavier_uniform_(m.empty(3)),
    "mode": lambda m, init: init.kaiming_normal_(m.empty(3, 3), mode="fan"),
    "eye": lambda m, init: init.eye_(m.empty(3)),
    "dirac": lambda m, init: init.dirac_(m.empty(3, 3)),
    "dirac's groups": lambda m, init: init.dirac_(m.empty(3, 3, 3), 2),
    "orthogonal": lambda m, init: init.orthogonal_(m.empty(3)),
    "sparse": lambda m, init: init.sparse_(m.empty(3), 0.5),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises(ValueError) as theirs:
        WRONG[case](torch, torch.nn.init)
    with pytest.raises(graphc.GraphcError) as ours:
        WRONG[case](graphc, nn.init)
    assert str(ours.value).partition("\n  in ")[0] == str(theirs.value)


DEFAULTS: dict[str, Callable[[Any], Any]] = {
    "Linear": lambda nn: nn.Linear(50, 70),
    "Bilinear": lambda nn: nn.Bilinear(9, 16, 25),
    "Embedding": lambda nn: nn.Embedding(40, 60),
    "Conv1d": lambda nn: nn.Conv1d(20, 40, 5),
    "Conv2d": lambda nn: nn.Conv2d(12, 36, 3, groups=3),
    "Conv3d": lambda nn: nn.Conv3d(6, 20, 3),
    "ConvTranspose1d": lambda nn: nn.ConvTranspose1d(20, 40, 5),
    "ConvTranspose2d": lambda nn: nn.ConvTranspose2d(24, 60, 3, groups=3),
    "BatchNorm2d": lambda nn: nn.BatchNorm2d(4),
    "GroupNorm": lambda nn: nn.GroupNorm(2, 4),
    "LayerNorm": lambda nn: nn.LayerNorm((3, 4)),
    "RMSNorm": lambda nn: nn.RMSNorm(4),
    "PReLU": lambda nn: nn.PReLU(3, init=0.3),
}


@pytest.mark.parametrize("case", DEFAULTS)
def test_a_layer_begins_as_in_pytorch(case: str) -> None:
    graphc.manual_seed(2)
    torch.manual_seed(2)
    mine = dict(DEFAULTS[case](nn).named_parameters())
    peer = dict(DEFAULTS[case](torch.nn).named_parameters())
    assert mine.keys() == peer.keys()
    for name, p in mine.items():
        a, b = numbers(p), numbers(peer[name])
        if a.size > 1000:
            same_distribution(a, b)
        elif b.std() == 0:
            assert (a == b).all()
        else:
            assert np.abs(a).max() <= 1.1 * np.abs(b).max()
            assert math.isclose(a.std(), b.std(), rel_tol=0.3)


def test_an_embedding_has_a_row_of_zeros_for_padding() -> None:
    assert nn.Embedding(4, 3, padding_idx=2).weight[2].tolist() == [0.0, 0.0, 0.0]
