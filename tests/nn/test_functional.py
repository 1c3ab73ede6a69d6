"""Functions of nn.functional that layers use with more settings than they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.nn import functional
from tests.nn.peers import both_fail
from tests.torch_peer import compare, integers, normal, ours, same, theirs, torch

MODULES = functional, torch.nn.functional
X1, X2, X3 = normal(2, 3, 8), normal(2, 3, 6, 7), normal(2, 2, 4, 5, 4)
Call = Callable[[Any, Any], Any]

RESIZED: dict[str, tuple[Call, Any]] = {
    "nearest": (lambda F, x: F.interpolate(x, scale_factor=2), X2),
    "nearest, size": (lambda F, x: F.interpolate(x, size=(4, 11)), X2),
    "nearest, factors": (lambda F, x: F.interpolate(x, scale_factor=(1.7, 0.6)), X2),
    "nearest, sequence": (lambda F, x: F.interpolate(x, size=20), X1),
    "nearest, volume": (lambda F, x: F.interpolate(x, scale_factor=1.5), X3),
    "nearest-exact": (lambda F, x: F.interpolate(x, (9, 4), mode="nearest-exact"), X2),
    "linear": (lambda F, x: F.interpolate(x, 13, mode="linear"), X1),
    "linear, corners": (lambda F, x: F.interpolate(x, 5, mode="linear", align_corners=True), X1),
    "bilinear": (lambda F, x: F.interpolate(x, (9, 5), mode="bilinear"), X2),
    "bilinear, factor": (lambda F, x: F.interpolate(x, scale_factor=1.3, mode="bilinear"), X2),
    "bilinear, recomputed": (
        lambda F, x: F.interpolate(
            x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True
        ),
        X2,
    ),
    "bilinear, one": (
        lambda F, x: F.interpolate(x, (1, 3), mode="bilinear", align_corners=True),
        X2,
    ),
    "bicubic": (lambda F, x: F.interpolate(x, (9, 5), mode="bicubic"), X2),
    "bicubic, corners": (
        lambda F, x: F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=True),
        X2,
    ),
    "trilinear": (lambda F, x: F.interpolate(x, (3, 8, 6), mode="trilinear"), X3),
    "area": (lambda F, x: F.interpolate(x, (3, 4), mode="area"), X2),
    "area, factor": (lambda F, x: F.interpolate(x, scale_factor=0.5, mode="area"), X2),
}


@pytest.mark.parametrize("case", RESIZED)
def test_interpolate(case: str) -> None:
    call, x = RESIZED[case]
    compare(call, MODULES, [x])
    mine = call(functional, ours(x, requires_grad=True))
    peer = call(torch.nn.functional, theirs(x, requires_grad=True))
    assert mine.grad_fn.name() == peer.grad_fn.name()


PADDED: dict[str, tuple[Call, Any]] = {
    "one": (lambda F, x: F.pad(x, (1, 2)), X2),
    "all": (lambda F, x: F.pad(x, (1, 2, 3, 0, 0, 1, 2, 2), value=0.5), X2),
    "less": (lambda F, x: F.pad(x, (-1, 2, 1, -3), value=2.0), X2),
    "nothing": (lambda F, x: F.pad(x, (0, 0)), X2),
    "reflect": (lambda F, x: F.pad(x, (4, 0), mode="reflect"), X1),
    "reflect, less": (lambda F, x: F.pad(x, (2, -1, 0, 3), mode="reflect"), X2),
    "replicate": (lambda F, x: F.pad(x, (3, 9, 1, 0), mode="replicate"), X2),
    "replicate, less": (lambda F, x: F.pad(x, (-2, 3), mode="replicate"), X1),
    "circular": (lambda F, x: F.pad(x, (7, 2, 0, 6), mode="circular"), X2),
    "circular, less": (lambda F, x: F.pad(x, (2, -1), mode="circular"), X1),
    "volume": (lambda F, x: F.pad(x, (1, 2, 0, 1, 3, 1), mode="reflect"), X3),
    "no batch": (lambda F, x: F.pad(x, (1, 2), mode="reflect"), X1[0]),
}


@pytest.mark.parametrize("case", PADDED)
def test_pad(case: str) -> None:
    call, x = PADDED[case]
    compare(lambda F, x: call(F, x * x), MODULES, [x], twice=True)


def test_padding_of_integers() -> None:
    found = [
        package.nn.functional.pad(package.arange(4), (1, 1), value=7).tolist()
        for package in (graphc, torch)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "settings",
    [{}, {"dilation": 2}, {"padding": (1, 0)}, {"stride": (2, 1)}, {"padding": 2, "stride": 3}],
    ids=str,
)
def test_patches(settings: dict[str, Any]) -> None:
    compare(lambda F, x: F.unfold(x * x, (2, 3), **settings), MODULES, [X2], twice=True)
    columns = torch.nn.functional.unfold(theirs(X2), (2, 3), **settings).numpy()
    compare(lambda F, x: F.fold(x, (6, 7), (2, 3), **settings), MODULES, [columns])
    compare(lambda F, x: F.fold(x, (6, 7), (2, 3), **settings), MODULES, [columns[0]])


def test_an_embedding_shortens_its_rows() -> None:
    index = np.array([[0, 2, 2], [4, 0, 5]])
    for norm in (2.0, 1.0):
        found = []
        for package, make in ((graphc, ours), (torch, theirs)):
            table = make(normal(6, 4) * 2, requires_grad=True)
            rows = package.nn.functional.embedding(make(index), table, max_norm=1.5, norm_type=norm)
            (rows * rows).sum().backward()
            found.append((rows, table, table.grad))
        mine, peer = found
        same(mine, peer)


@pytest.mark.parametrize("padding", [None, 0, -1])
@pytest.mark.parametrize("by_frequency", [False, True])
def test_gradients_of_an_embedding(padding: int | None, by_frequency: bool) -> None:
    index = integers(5, 4, 3)

    def call(F: Any, table: Any) -> Any:
        make = ours if F is functional else theirs
        return F.embedding(make(index), table, padding_idx=padding, scale_grad_by_freq=by_frequency)

    compare(call, MODULES, [normal(5, 2)])


@pytest.mark.parametrize("p", [1.0, 3.0, float("inf")])
def test_power_pooling(p: float) -> None:
    compare(lambda F, x: F.lp_pool1d(x.abs() + 0.1, p, 3), MODULES, [X1])
    compare(lambda F, x: F.lp_pool3d(x.abs() + 0.1, p, 2, stride=1), MODULES, [X3])


def call(name: str, *shape: int) -> Callable[..., Callable[[Any], Any]]:
    """A program that calls a function of nn.functional on ones."""
    return lambda *args, **settings: (
        lambda m: getattr(m.nn.functional, name)(m.ones(*shape), *args, **settings)
    )


WRONG: dict[str, Callable[[Any], Any]] = {
    "odd padding": call("pad", 2, 3)((1,)),
    "much padding": call("pad", 2, 3)((1,) * 6),
    "reflecting too far": call("pad", 1, 3)((3, 0), mode="reflect"),
    "wrapping twice": call("pad", 1, 3)((4, 0), mode="circular"),
    "padding's mode": call("pad", 1, 3)((1, 0), mode="mirror"),
    "padding's rank": call("pad", 3)((1, 0), mode="reflect"),
    "padding's value": call("pad", 1, 3)((1, 0), mode="reflect", value=2.0),
    "no size": call("interpolate", 1, 1, 4)(),
    "two sizes": call("interpolate", 1, 1, 4)(8, 2),
    "sizes": call("interpolate", 1, 1, 4)((8, 8)),
    "factors": call("interpolate", 1, 1, 4)(scale_factor=(2, 2)),
    "corners": call("interpolate", 1, 1, 4)(8, align_corners=True),
    "a size that is none": call("interpolate", 1, 1, 4)((8.5,)),
    "pixels": call("pixel_shuffle", 1, 3, 2, 2)(2),
    "coarser pixels": call("pixel_unshuffle", 1, 3, 3, 2)(2),
    "an image of two dimensions": call("pixel_shuffle", 3, 2)(2),
    "channels": call("channel_shuffle", 1, 3, 2, 2)(2),
}


def test_a_padding_that_leaves_nothing() -> None:
    with pytest.raises(RuntimeError, match="length must be non-negative"):
        functional.pad(graphc.ones(2, 3), (-2, -2))


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_pytorchs(case: str) -> None:
    both_fail(WRONG[case])
