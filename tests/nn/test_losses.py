"""Losses as modules against PyTorch's: every reduction, gradients, text, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import nn
from tests.torch_peer import Array, compare, integers, normal, torch

Build = Callable[..., Any]
X, Y, Z = normal(4, 5), normal(4, 5, seed=1), normal(4, 5, seed=2)
SHARES = 1 / (1 + np.exp(-X))
SIGNS = np.sign(Y)
WEIGHTS = np.abs(normal(5, seed=3))


def weights(module: Any) -> Any:
    return (graphc if module is nn else torch).tensor(WEIGHTS.copy())


LOSSES: dict[str, tuple[Build, list[Array]]] = {
    "BCELoss": (lambda nn, **k: nn.BCELoss(**k), [SHARES, np.abs(SIGNS)]),
    "BCELoss, weighted": (lambda nn, **k: nn.BCELoss(weights(nn), **k), [SHARES, SHARES[::-1]]),
    "BCEWithLogitsLoss": (
        lambda nn, **k: nn.BCEWithLogitsLoss(pos_weight=weights(nn), **k),
        [X, SHARES],
    ),
    "CosineEmbeddingLoss": (
        lambda nn, **k: nn.CosineEmbeddingLoss(margin=0.2, **k),
        [X, Y, SIGNS[:, 0]],
    ),
    "CrossEntropyLoss": (
        lambda nn, **k: nn.CrossEntropyLoss(weights(nn), label_smoothing=0.1, **k),
        [X, integers(5, 4)],
    ),
    "CrossEntropyLoss, shares": (lambda nn, **k: nn.CrossEntropyLoss(**k), [X, SHARES]),
    "CrossEntropyLoss, images": (
        lambda nn, **k: nn.CrossEntropyLoss(ignore_index=2, **k),
        [normal(2, 5, 3, 3), integers(5, 2, 3, 3)],
    ),
    "GaussianNLLLoss": (lambda nn, **k: nn.GaussianNLLLoss(full=True, **k), [X, Y, SHARES]),
    "HingeEmbeddingLoss": (lambda nn, **k: nn.HingeEmbeddingLoss(margin=0.5, **k), [X, SIGNS]),
    "HuberLoss": (lambda nn, **k: nn.HuberLoss(delta=0.7, **k), [X, Y]),
    "KLDivLoss": (lambda nn, **k: nn.KLDivLoss(**k), [np.log(SHARES), SHARES[::-1]]),
    "KLDivLoss, logarithms": (
        lambda nn, **k: nn.KLDivLoss(log_target=True, **k),
        [np.log(SHARES), np.log(SHARES[::-1])],
    ),
    "L1Loss": (lambda nn, **k: nn.L1Loss(**k), [X, Y]),
    "MSELoss": (lambda nn, **k: nn.MSELoss(**k), [X, Y]),
    "MarginRankingLoss": (lambda nn, **k: nn.MarginRankingLoss(margin=0.1, **k), [X, Y, SIGNS]),
    "MultiLabelMarginLoss": (
        lambda nn, **k: nn.MultiLabelMarginLoss(**k),
        [X, np.array([[3, 0, -1, 1, 2], [1, -1, 0, 0, 0], [0, 1, 2, 3, 4], [-1, 0, 0, 0, 0]])],
    ),
    "MultiLabelSoftMarginLoss": (
        lambda nn, **k: nn.MultiLabelSoftMarginLoss(weights(nn), **k),
        [X, np.abs(SIGNS)],
    ),
    "MultiMarginLoss": (
        lambda nn, **k: nn.MultiMarginLoss(p=2, margin=0.8, weight=weights(nn), **k),
        [X, integers(5, 4)],
    ),
    "NLLLoss": (lambda nn, **k: nn.NLLLoss(weights(nn), **k), [X, integers(5, 4)]),
    "PoissonNLLLoss": (lambda nn, **k: nn.PoissonNLLLoss(full=True, **k), [X, np.abs(Y) * 3]),
    "SmoothL1Loss": (lambda nn, **k: nn.SmoothL1Loss(beta=0.6, **k), [X, Y]),
    "SoftMarginLoss": (lambda nn, **k: nn.SoftMarginLoss(**k), [X, SIGNS]),
    "TripletMarginLoss": (
        lambda nn, **k: nn.TripletMarginLoss(margin=0.5, p=1.5, swap=True, **k),
        [X, Y, Z],
    ),
    "TripletMarginWithDistanceLoss": (
        lambda nn, **k: nn.TripletMarginWithDistanceLoss(
            distance_function=lambda a, b: ((a - b) ** 2).sum(-1), swap=True, **k
        ),
        [X, Y, Z],
    ),
}
LAST_TWO = ("CosineEmbeddingLoss", "MarginRankingLoss", "GaussianNLLLoss", "TripletMargin")
"""Losses that have more than one argument to differentiate."""


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", LOSSES)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning")
def test_losses_and_gradients(case: str, reduction: str) -> None:
    build, arrays = LOSSES[case]
    layers = build(nn, reduction=reduction), build(torch.nn, reduction=reduction)
    free = len(arrays) - 1 if case.startswith(LAST_TWO) else 1
    fixed = [a.copy() for a in arrays[free:]]

    def call(layer: Any, *given: Any) -> Any:
        package = graphc if layer is layers[0] else torch
        return layer(*given, *map(package.tensor, fixed))

    compare(call, layers, arrays[:free])


@pytest.mark.parametrize("case", LOSSES)
def test_losses_print_as_in_pytorch(case: str) -> None:
    build, _ = LOSSES[case]
    assert repr(build(nn)) == repr(build(torch.nn))
    assert list(build(nn).state_dict()) == list(build(torch.nn).state_dict())


def test_no_loss_is_missing() -> None:
    tested = {case.split(",")[0] for case in LOSSES}
    tested |= {"CTCLoss", "AdaptiveLogSoftmaxWithLoss"}  # test_ctc, test_adaptive
    assert tested == {name for name in nn.modules.__all__ if name.endswith("Loss")}


@pytest.mark.parametrize(
    ("settings", "reduction"),
    [
        ({"size_average": True}, "mean"),
        ({"size_average": False}, "sum"),
        ({"reduce": False}, "none"),
        ({"reduce": True, "size_average": False}, "sum"),
    ],
)
def test_the_old_arguments_still_mean_something(settings: Any, reduction: str) -> None:
    with pytest.warns(UserWarning, match=f"please use reduction='{reduction}' instead"):
        loss = nn.MSELoss(**settings)
    assert loss.reduction == reduction


WRONG: dict[str, Callable[[Any, Any], Any]] = {
    "classes of another batch": lambda m, nn: nn.CrossEntropyLoss()(
        m.ones(3, 2), m.zeros(4, dtype=m.int64)
    ),
    "classes that are floats": lambda m, nn: nn.NLLLoss()(m.ones(3, 2), m.zeros(3)),
    "reduction": lambda m, nn: nn.MSELoss(reduction="all")(m.ones(2), m.ones(2)),
    "shares of another shape": lambda m, nn: nn.BCELoss()(m.ones(3), m.ones(2)),
    "logits of another shape": lambda m, nn: nn.BCEWithLogitsLoss()(m.ones(3), m.ones(2)),
    "labels that are floats": lambda m, nn: nn.MultiMarginLoss()(m.ones(3, 2), m.zeros(3)),
    "sets of labels that are floats": lambda m, nn: nn.MultiLabelMarginLoss()(
        m.ones(3, 2), m.zeros(3, 2)
    ),
    "norm of margins": lambda m, nn: nn.MultiMarginLoss(p=3),
    "delta": lambda m, nn: nn.HuberLoss(delta=0.0)(m.ones(2), m.ones(2)),
    "beta": lambda m, nn: nn.SmoothL1Loss(beta=-1.0)(m.ones(2), m.ones(2)),
    "triplet's margin": lambda m, nn: nn.TripletMarginLoss(margin=-1.0),
    "smoothing": lambda m, nn: nn.CrossEntropyLoss(label_smoothing=1.5)(
        m.ones(3, 2), m.zeros(3, dtype=m.int64)
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore:Using a target size:UserWarning")
def test_errors_are_pytorchs(case: str) -> None:
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        WRONG[case](torch, torch.nn)
    with pytest.raises(graphc.GraphcError) as ours:
        WRONG[case](graphc, nn)
    words = str(theirs.value).split("\n")[0].rstrip(".")
    assert words in str(ours.value)
    assert isinstance(ours.value, type(theirs.value))
