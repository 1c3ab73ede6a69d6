"""Every layer against PyTorch's with the same weights: results, gradients, buffers, text."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.nn import test_bags, test_rnn, test_transformer
from tests.torch_peer import Array, compare, integers, normal, same, torch

Build = Callable[[Any], Any]
"""A layer of a package's ``nn``."""
Case = tuple[Build, list[Array]]
"""A layer and its arguments."""

X1, X2, X3 = normal(2, 3, 8), normal(2, 3, 6, 7), normal(2, 2, 4, 5, 4)
ROWS = normal(4, 6)

ACTIVATIONS: dict[str, Case] = {
    "CELU": (lambda nn: nn.CELU(0.7), [ROWS]),
    "ELU": (lambda nn: nn.ELU(0.5), [ROWS]),
    "ELU, in place": (lambda nn: nn.ELU(inplace=True), [ROWS]),
    "GELU": (lambda nn: nn.GELU(), [ROWS]),
    "GELU tanh": (lambda nn: nn.GELU(approximate="tanh"), [ROWS]),
    "GLU": (lambda nn: nn.GLU(1), [ROWS]),
    "Hardshrink": (lambda nn: nn.Hardshrink(0.3), [ROWS]),
    "Hardsigmoid": (lambda nn: nn.Hardsigmoid(), [ROWS * 3]),
    "Hardswish": (lambda nn: nn.Hardswish(), [ROWS * 3]),
    "Hardtanh": (lambda nn: nn.Hardtanh(-0.5, 0.7), [ROWS]),
    "LeakyReLU": (lambda nn: nn.LeakyReLU(0.2), [ROWS]),
    "LogSigmoid": (lambda nn: nn.LogSigmoid(), [ROWS]),
    "LogSoftmax": (lambda nn: nn.LogSoftmax(dim=-1), [ROWS]),
    "Mish": (lambda nn: nn.Mish(), [ROWS]),
    "PReLU": (lambda nn: nn.PReLU(), [X2]),
    "PReLU, per channel": (lambda nn: nn.PReLU(3, init=0.1), [X2]),
    "RReLU": (lambda nn: nn.RReLU(0.1, 0.3), [ROWS]),
    "ReLU": (lambda nn: nn.ReLU(), [ROWS]),
    "ReLU6": (lambda nn: nn.ReLU6(), [ROWS * 5]),
    "SELU": (lambda nn: nn.SELU(), [ROWS]),
    "SiLU": (lambda nn: nn.SiLU(), [ROWS]),
    "Sigmoid": (lambda nn: nn.Sigmoid(), [ROWS]),
    "Softmax": (lambda nn: nn.Softmax(1), [X2]),
    "Softmax2d": (lambda nn: nn.Softmax2d(), [X2]),
    "Softmin": (lambda nn: nn.Softmin(dim=0), [ROWS]),
    "Softplus": (lambda nn: nn.Softplus(2.0, 3.0), [ROWS]),
    "Softshrink": (lambda nn: nn.Softshrink(0.3), [ROWS]),
    "Softsign": (lambda nn: nn.Softsign(), [ROWS]),
    "Tanh": (lambda nn: nn.Tanh(), [ROWS]),
    "Tanhshrink": (lambda nn: nn.Tanhshrink(), [ROWS]),
    "Threshold": (lambda nn: nn.Threshold(0.1, -2.0), [ROWS]),
}

LINEAR: dict[str, Case] = {
    "Identity": (lambda nn: nn.Identity(54, unused=1), [ROWS]),
    "Linear": (lambda nn: nn.Linear(6, 3), [ROWS]),
    "Linear, no bias": (lambda nn: nn.Linear(6, 3, bias=False), [normal(2, 3, 6)]),
    "Linear, vector": (lambda nn: nn.Linear(6, 3), [normal(6)]),
    "Bilinear": (lambda nn: nn.Bilinear(6, 3, 2), [ROWS, normal(4, 3, seed=1)]),
    "Bilinear, no bias": (
        lambda nn: nn.Bilinear(2, 2, 1, bias=False),
        [normal(3, 2), normal(3, 2, seed=1)],
    ),
    "Embedding": (lambda nn: nn.Embedding(7, 3), [integers(7, 2, 4)]),
    "Embedding, padded": (lambda nn: nn.Embedding(7, 3, padding_idx=-2), [integers(7, 9)]),
    "CosineSimilarity": (
        lambda nn: nn.CosineSimilarity(dim=1),
        [ROWS, normal(4, 6, seed=1)],
    ),
    "PairwiseDistance": (
        lambda nn: nn.PairwiseDistance(p=1.5, keepdim=True),
        [ROWS, normal(4, 6, seed=1)],
    ),
}

CONVOLUTIONS: dict[str, Case] = {
    "Conv1d": (lambda nn: nn.Conv1d(3, 4, 3), [X1]),
    "Conv1d, same": (lambda nn: nn.Conv1d(3, 4, 4, padding="same", dilation=2), [X1]),
    "Conv1d, circular": (
        lambda nn: nn.Conv1d(3, 4, 3, padding=2, padding_mode="circular"),
        [X1],
    ),
    "Conv1d, no batch": (lambda nn: nn.Conv1d(3, 4, 3), [X1[0]]),
    "Conv2d": (lambda nn: nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0)), [X2]),
    "Conv2d, dilated": (lambda nn: nn.Conv2d(3, 4, 3, dilation=2, bias=False), [X2]),
    "Conv2d, groups": (lambda nn: nn.Conv2d(3, 6, 3, groups=3, padding=1), [X2]),
    "Conv2d, valid": (lambda nn: nn.Conv2d(3, 2, 3, padding="valid"), [X2]),
    "Conv2d, reflect": (
        lambda nn: nn.Conv2d(3, 2, 3, padding=(2, 1), padding_mode="reflect"),
        [X2],
    ),
    "Conv2d, replicate": (
        lambda nn: nn.Conv2d(3, 2, (3, 5), padding="same", padding_mode="replicate"),
        [X2],
    ),
    "Conv3d": (lambda nn: nn.Conv3d(2, 3, 2, stride=(1, 2, 1), padding=1), [X3]),
    "Conv3d, circular": (
        lambda nn: nn.Conv3d(2, 2, 3, padding=1, padding_mode="circular"),
        [X3],
    ),
    "ConvTranspose1d": (lambda nn: nn.ConvTranspose1d(3, 4, 3, stride=2), [X1]),
    "ConvTranspose2d": (
        lambda nn: nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1),
        [X2],
    ),
    "ConvTranspose2d, groups": (
        lambda nn: nn.ConvTranspose2d(3, 6, (2, 3), dilation=2, groups=3, bias=False),
        [X2],
    ),
    "ConvTranspose3d": (lambda nn: nn.ConvTranspose3d(2, 3, 2, stride=2), [X3]),
}

NORMS: dict[str, Case] = {
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(6), [ROWS]),
    "BatchNorm1d, sequences": (lambda nn: nn.BatchNorm1d(3, eps=1e-3, momentum=0.3), [X1]),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(3), [X2]),
    "BatchNorm2d, no samples": (lambda nn: nn.BatchNorm2d(3), [X2[:0]]),
    "BatchNorm2d, plain": (lambda nn: nn.BatchNorm2d(3, affine=False), [X2]),
    "BatchNorm2d, untracked": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False),
        [X2],
    ),
    "BatchNorm2d, averaging": (lambda nn: nn.BatchNorm2d(3, momentum=None), [X2]),
    "BatchNorm3d": (lambda nn: nn.BatchNorm3d(2), [X3]),
    "GroupNorm": (lambda nn: nn.GroupNorm(3, 6), [normal(2, 6, 5)]),
    "GroupNorm, plain": (lambda nn: nn.GroupNorm(1, 3, eps=1e-3, affine=False), [X2]),
    "InstanceNorm1d": (lambda nn: nn.InstanceNorm1d(3), [X1]),
    "InstanceNorm2d": (
        lambda nn: nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
        [X2],
    ),
    "InstanceNorm2d, no batch": (lambda nn: nn.InstanceNorm2d(3), [X2[0]]),
    "InstanceNorm3d": (lambda nn: nn.InstanceNorm3d(2, affine=True), [X3]),
    "LayerNorm": (lambda nn: nn.LayerNorm(6), [ROWS]),
    "LayerNorm, two axes": (lambda nn: nn.LayerNorm([6, 7], eps=1e-3, bias=False), [X2]),
    "LayerNorm, plain": (lambda nn: nn.LayerNorm((6,), elementwise_affine=False), [ROWS]),
    "LocalResponseNorm": (lambda nn: nn.LocalResponseNorm(2, alpha=0.1, k=2.0), [X2]),
    "RMSNorm": (lambda nn: nn.RMSNorm(6), [ROWS]),
    "RMSNorm, plain": (
        lambda nn: nn.RMSNorm((6, 7), eps=1e-4, elementwise_affine=False),
        [X2],
    ),
}

POOLING: dict[str, Case] = {
    "AdaptiveAvgPool1d": (lambda nn: nn.AdaptiveAvgPool1d(3), [X1]),
    "AdaptiveAvgPool2d": (lambda nn: nn.AdaptiveAvgPool2d((2, None)), [X2]),
    "AdaptiveAvgPool3d": (lambda nn: nn.AdaptiveAvgPool3d((2, 3, 1)), [X3]),
    "AdaptiveMaxPool1d": (lambda nn: nn.AdaptiveMaxPool1d(3), [X1]),
    "AdaptiveMaxPool2d": (lambda nn: nn.AdaptiveMaxPool2d(2), [X2]),
    "AdaptiveMaxPool3d": (lambda nn: nn.AdaptiveMaxPool3d(2, return_indices=True), [X3]),
    "AvgPool1d": (lambda nn: nn.AvgPool1d(3, stride=2, padding=1), [X1]),
    "AvgPool2d": (
        lambda nn: nn.AvgPool2d(3, stride=2, ceil_mode=True, count_include_pad=False, padding=1),
        [X2],
    ),
    "AvgPool2d, divisor": (lambda nn: nn.AvgPool2d((2, 3), divisor_override=4), [X2]),
    "AvgPool3d": (lambda nn: nn.AvgPool3d(2), [X3]),
    "LPPool1d": (lambda nn: nn.LPPool1d(2.0, 3, stride=2), [X1]),
    "LPPool2d": (lambda nn: nn.LPPool2d(3.0, (2, 3), ceil_mode=True), [np.abs(X2)]),
    "MaxPool1d": (lambda nn: nn.MaxPool1d(3, stride=2, padding=1, dilation=2), [X1]),
    "MaxPool2d": (lambda nn: nn.MaxPool2d((3, 2), stride=2, ceil_mode=True), [X2]),
    "MaxPool2d, indices": (lambda nn: nn.MaxPool2d(2, return_indices=True), [X2]),
    "MaxPool3d": (lambda nn: nn.MaxPool3d(2, padding=1), [X3]),
}

SHAPES: dict[str, Case] = {
    "ChannelShuffle": (lambda nn: nn.ChannelShuffle(2), [normal(2, 6, 2, 3)]),
    "Flatten": (lambda nn: nn.Flatten(), [X2]),
    "Flatten, some": (lambda nn: nn.Flatten(0, -2), [X2]),
    "Fold": (lambda nn: nn.Fold((4, 5), (2, 3), padding=1), [normal(2, 12, 25)]),
    "PixelShuffle": (lambda nn: nn.PixelShuffle(2), [normal(2, 8, 2, 3)]),
    "PixelUnshuffle": (lambda nn: nn.PixelUnshuffle(2), [normal(2, 2, 4, 6)]),
    "Unflatten": (lambda nn: nn.Unflatten(1, (2, 3)), [ROWS]),
    "Unfold": (lambda nn: nn.Unfold((2, 3), dilation=2, padding=1, stride=2), [X2]),
    "Upsample": (lambda nn: nn.Upsample(scale_factor=2), [X2]),
    "Upsample, bilinear": (
        lambda nn: nn.Upsample(size=(5, 9), mode="bilinear", align_corners=True),
        [X2],
    ),
    "UpsamplingBilinear2d": (lambda nn: nn.UpsamplingBilinear2d(scale_factor=2), [X2]),
    "UpsamplingNearest2d": (lambda nn: nn.UpsamplingNearest2d(size=(8, 5)), [X2]),
    "CircularPad1d": (lambda nn: nn.CircularPad1d(2), [X1]),
    "CircularPad2d": (lambda nn: nn.CircularPad2d((1, 2, 0, 1)), [X2]),
    "CircularPad3d": (lambda nn: nn.CircularPad3d(1), [X3]),
    "ConstantPad1d": (lambda nn: nn.ConstantPad1d((1, -2), 3.5), [X1]),
    "ConstantPad2d": (lambda nn: nn.ConstantPad2d(1, -1.0), [X2]),
    "ConstantPad3d": (lambda nn: nn.ConstantPad3d((1, 0, 2, 0, 0, 1), 0.5), [X3]),
    "ReflectionPad1d": (lambda nn: nn.ReflectionPad1d((3, 1)), [X1]),
    "ReflectionPad2d": (lambda nn: nn.ReflectionPad2d(2), [X2]),
    "ReflectionPad3d": (lambda nn: nn.ReflectionPad3d(1), [X3]),
    "ReplicationPad1d": (lambda nn: nn.ReplicationPad1d(2), [X1]),
    "ReplicationPad2d": (lambda nn: nn.ReplicationPad2d((0, 2, 1, 3)), [X2]),
    "ReplicationPad3d": (lambda nn: nn.ReplicationPad3d(1), [X3]),
    "ZeroPad1d": (lambda nn: nn.ZeroPad1d(2), [X1]),
    "ZeroPad2d": (lambda nn: nn.ZeroPad2d((1, 0, 2, 3)), [X2]),
    "ZeroPad3d": (lambda nn: nn.ZeroPad3d(1), [X3]),
}

DROPOUTS: dict[str, Case] = {
    "Dropout": (lambda nn: nn.Dropout(0.3, inplace=True), [ROWS]),
    "Dropout1d": (lambda nn: nn.Dropout1d(0.3), [X1]),
    "Dropout2d": (lambda nn: nn.Dropout2d(0.3), [X2]),
    "Dropout3d": (lambda nn: nn.Dropout3d(), [X3]),
    "AlphaDropout": (lambda nn: nn.AlphaDropout(0.3), [ROWS]),
    "FeatureAlphaDropout": (lambda nn: nn.FeatureAlphaDropout(0.3), [X2]),
}

SINGLE = ("CELU", "Hardsigmoid")
"""PyTorch's gradient has a constant in single precision, whatever the type of the operands."""

LAYERS = {**ACTIVATIONS, **LINEAR, **CONVOLUTIONS, **NORMS, **POOLING, **SHAPES, **DROPOUTS}


def pair(build: Build) -> tuple[Any, Any]:
    """The layer of both packages, in double precision, with the same weights."""
    peer = build(torch.nn).double()
    mine = build(nn).double()
    saved = {name: graphc.tensor(x.numpy().copy()) for name, x in peer.state_dict().items()}
    assert list(mine.state_dict()) == list(saved)
    mine.load_state_dict(saved)
    return mine, peer


def same_gradients(mine: Any, peer: Any) -> None:
    for (name, p), (other, q) in zip(mine.named_parameters(), peer.named_parameters(), strict=True):
        assert name == other
        same(p.grad, q.grad)


def same_buffers(mine: Any, peer: Any) -> None:
    for (name, a), (other, b) in zip(mine.named_buffers(), peer.named_buffers(), strict=True):
        assert name == other
        same(a, b)


def check(case: str, layers: tuple[Any, Any]) -> None:
    """Both layers give the same results and gradients, of arguments and of parameters."""
    _, arrays = LAYERS[case]
    in_place = getattr(layers[1], "inplace", False)
    compare(
        lambda layer, *xs: layer(*[x * 1 if in_place else x for x in xs]),
        layers,
        arrays,
        scale=100 if case in SINGLE else 1,
    )
    for layer, package in zip(layers, (graphc, torch), strict=True):
        parameters = list(layer.parameters())
        if not parameters:
            return
        layer.zero_grad()
        result = layer(*[package.tensor(x) for x in arrays])
        (result * result.detach().cos()).sum().backward()
    same_gradients(*layers)


@pytest.mark.parametrize("case", LAYERS)
def test_results_and_gradients_in_evaluation(case: str) -> None:
    mine, peer = pair(LAYERS[case][0])
    check(case, (mine.eval(), peer.eval()))
    same_buffers(mine, peer)


@pytest.mark.parametrize("case", [case for case in LAYERS if case not in (*DROPOUTS, "RReLU")])
def test_results_and_gradients_in_training(case: str) -> None:
    mine, peer = pair(LAYERS[case][0])
    check(case, (mine.train(), peer.train()))
    same_buffers(mine, peer)
    check(case, (mine.eval(), peer.eval()))


@pytest.mark.parametrize("case", LAYERS)
def test_layers_print_as_in_pytorch(case: str) -> None:
    build, _ = LAYERS[case]
    assert repr(build(nn)) == repr(build(torch.nn))


@pytest.mark.parametrize("case", [*NORMS, "Conv2d", "Linear", "Embedding", "PReLU, per channel"])
def test_a_compiled_layer_is_the_same(case: str) -> None:
    build, arrays = LAYERS[case]
    mine, peer = pair(build)
    compiled = graphc.compile(mine)
    for _ in range(2):
        with graphc.no_grad(), torch.no_grad():
            same(compiled(*map(graphc.tensor, arrays)), peer(*map(torch.tensor, arrays)))
        same_buffers(mine, peer)


def test_no_layer_is_missing() -> None:
    elsewhere = {**test_rnn.LAYERS, **test_rnn.CELLS, **test_transformer.LAYERS}
    elsewhere |= test_bags.BAG_LAYERS
    tested = {case.split(",")[0].split()[0] for case in (*LAYERS, *elsewhere)}
    tested |= {*test_rnn.BASES, "MultiheadAttention"}
    layers = {name for name in nn.modules.__all__ if not name.endswith("Loss")}
    containers = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList"}
    assert layers - tested == containers | {"Sequential"}


@pytest.mark.parametrize("case", DROPOUTS)
def test_dropout_keeps_what_it_keeps(case: str) -> None:
    build, _ = DROPOUTS[case]
    graphc.manual_seed(0)
    layer = build(nn)
    x = graphc.ones(
        *{"Dropout1d": (40, 50, 4), "Dropout3d": (40, 50, 2, 2, 2)}.get(case, (40, 50, 2, 2))
    )
    result = layer(x.clone()).numpy().reshape(40, 50, -1)
    whole = "d" in case[-1] or "Feature" in case
    assert (result == result[:, :, :1]).all() == whole
    values, counts = np.unique(result, return_counts=True)
    assert len(values) == 2
    kept = counts[values.argmax()] / counts.sum()
    assert abs(kept - (1 - layer.p)) < 0.06
    if "Alpha" not in case:
        np.testing.assert_allclose(values, [0.0, 1 / (1 - layer.p)], rtol=1e-6)


def test_rrelu_draws_its_slopes() -> None:
    graphc.manual_seed(0)
    slopes = -nn.RReLU(0.2, 0.4)(-graphc.ones(5000)).numpy()
    assert slopes.min() >= 0.2
    assert slopes.max() <= 0.4
    assert abs(slopes.mean() - 0.3) < 0.01
    assert abs(slopes.std() - 0.2 / 12**0.5) < 0.01


WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "dropout": lambda m, nn: nn.Dropout(1.5),
    "groups": lambda m, nn: nn.Conv2d(3, 4, 3, groups=2),
    "output groups": lambda m, nn: nn.Conv2d(4, 3, 3, groups=2),
    "no groups": lambda m, nn: nn.Conv1d(4, 3, 3, groups=0),
    "same with a stride": lambda m, nn: nn.Conv2d(3, 4, 3, padding="same", stride=2),
    "transposed padding": lambda m, nn: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
    "group norm": lambda m, nn: nn.GroupNorm(2, 3),
    "batch norm's rank": lambda m, nn: nn.BatchNorm2d(3)(m.ones(2, 3)),
    "batch norm of sequences": lambda m, nn: nn.BatchNorm1d(3)(m.ones(3)),
    "batch norm's channels": lambda m, nn: nn.BatchNorm2d(3)(m.ones(2, 4, 1, 1)),
    "batch norm of one": lambda m, nn: nn.BatchNorm1d(3)(m.ones(1, 3)),
    "instance norm's rank": lambda m, nn: nn.InstanceNorm1d(3)(m.ones(3)),
    "layer norm's shape": lambda m, nn: nn.LayerNorm(4)(m.ones(2, 3)),
    "linear": lambda m, nn: nn.Linear(4, 2)(m.ones(3, 5)),
    "convolution's channels": lambda m, nn: nn.Conv2d(3, 4, 3)(m.ones(1, 2, 5, 5)),
    "softshrink": lambda m, nn: nn.Softshrink(-1.0)(m.ones(2)),
    "hardtanh": lambda m, nn: nn.Hardtanh(1.0, -1.0),
    "embedding": lambda m, nn: nn.Embedding(3, 2)(m.ones(2)),
    "embedding's padding": lambda m, nn: nn.Embedding(3, 2, padding_idx=3),
    "linear's type": lambda m, nn: nn.Linear(2, 2)(m.ones(1, 2, dtype=m.float64)),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises(Exception) as theirs:
        WRONG[case](torch, torch.nn)
    with pytest.raises((graphc.GraphcError, AssertionError)) as ours:
        WRONG[case](graphc, nn)
    words = str(theirs.value).split("\n")[0].rstrip(".")
    assert words in str(ours.value)
    assert isinstance(ours.value, type(theirs.value))


def test_a_padding_that_is_none() -> None:
    with pytest.raises(ValueError, match="Invalid padding string 'all', should be one of"):
        nn.Conv2d(3, 4, 3, padding="all")
    with pytest.raises(ValueError, match=r"padding_mode must be one of \{'zeros', 'reflect', "):
        nn.Conv2d(3, 4, 3, padding_mode="all")


def test_a_copied_layer_has_weights_of_its_own() -> None:
    layer = nn.BatchNorm1d(3)
    other = copy.deepcopy(layer)
    layer(graphc.randn(4, 3))
    assert layer.num_batches_tracked.item() == 1
    assert other.num_batches_tracked.item() == 0
