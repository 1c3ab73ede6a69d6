"""Pooling kernels of generated C, against the table's references and PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphc.backends.native.made import Made, Setting
from graphc.backends.native.pooling import POOLING, max_pool
from graphc.backends.native.targets import TARGETS, host
from graphc.ops.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGrad
from tests.backends.native_alone import Array
from tests.backends.native_samples import Use, check_samples, node_of, run_all, text_of, use_of

torch = pytest.importorskip("torch", reason="the peers extra compares the kernels with PyTorch")
functional = torch.nn.functional

HERE = list(dict.fromkeys([host().name, "portable"]))

WINDOWS: list[tuple[tuple[int, ...], Any]] = [
    ((2, 3, 29), ((3,), (1,), (1,), (1,), False)),
    ((3, 70, 40), ((5,), (3,), (2,), (2,), True)),
    ((2, 37, 19, 23), ((2, 2), (2, 2), (0, 0), (1, 1), False)),
    ((2, 5, 19, 23), ((2, 2), (2, 2), (0, 0), (1, 1), True)),
    ((2, 130, 12, 15), ((3, 3), (2, 2), (1, 1), (1, 1), False)),
    ((2, 3, 33, 41), ((3, 3), (1, 1), (1, 1), (1, 1), False)),
    ((1, 4, 14, 14), ((7, 7), (7, 7), (0, 0), (1, 1), False)),
    ((1, 9, 21, 20), ((3, 2), (4, 5), (1, 0), (1, 1), True)),
    ((1, 8, 18, 17), ((3, 3), (2, 1), (1, 1), (3, 2), False)),
    ((2, 6, 7, 9, 8), ((3, 2, 3), (2, 2, 1), (1, 1, 1), (1, 1, 1), True)),
    ((1, 33, 5, 6, 6), ((2, 2, 2), (1, 2, 2), (0, 0, 0), (2, 1, 2), False)),
]
MEANS: list[tuple[bool, int | None]] = [(True, None), (False, None), (True, 7)]


def without_places(name: str, setting: Setting) -> Made:
    """Max pooling of which only the values are read."""
    return max_pool(name, replace(setting, read=(True, False)))


def laid(x: Array, order: str) -> Array:
    """The array in C order, or with the channels last in memory."""
    if order == "C":
        return np.ascontiguousarray(x)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)


def random(*shape: int, seed: int = 0) -> Array:
    """Numbers of which some are equal."""
    return np.random.default_rng(seed).integers(-40, 40, shape).astype(np.float32) / 8


def function(name: str, rank: int) -> Any:
    """PyTorch's function for so many spatial dimensions."""
    return getattr(functional, f"{name}{rank}d")


@pytest.mark.parametrize("order", ["C", "channels"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("target", HERE)
def test_samples(target: str, dtype: str, order: str, tmp_path: Path) -> None:
    assert check_samples(POOLING, dtype, tmp_path, TARGETS[target], order) > 50


@pytest.mark.parametrize("given", ["C", "channels"])
@pytest.mark.parametrize("order", ["C", "channels"])
@pytest.mark.parametrize("target", HERE)
def test_max_pool_and_gradient(target: str, order: str, given: str, tmp_path: Path) -> None:
    uses, wanted = [], []
    for seed, (shape, windows) in enumerate(WINDOWS):
        x = random(*shape, seed=seed)
        tx = torch.tensor(x, requires_grad=True)
        y, places = function("max_pool", len(windows[0]))(tx, *windows, return_indices=True)
        dy = random(*y.shape, seed=seed + 100)
        y.backward(torch.tensor(dy))
        laid_x, laid_dy = laid(x, given), laid(dy, given)
        found = laid(places.numpy(), order)
        back = node_of(MaxPoolGrad(*(*windows, shape[2:])), dy, found)
        uses.append(use_of(max_pool, node_of(MaxPool(*windows), x), laid_x, order=order))
        uses.append(use_of(POOLING["max_pool_grad"], back, laid_dy, found, order=order))
        wanted += [(y.detach().numpy(), places.numpy()), (tx.grad.numpy(),)]
    run_all(uses, tmp_path, TARGETS[target])
    for each, right in zip(uses, wanted, strict=True):
        for got, expected in zip(each.results, right, strict=True):
            np.testing.assert_array_equal(got, expected, str(each.node))


@pytest.mark.parametrize("given", ["C", "channels"])
@pytest.mark.parametrize("order", ["C", "channels"])
@pytest.mark.parametrize("target", HERE)
def test_avg_pool_and_gradient(target: str, order: str, given: str, tmp_path: Path) -> None:
    uses, wanted = [], []
    for seed, (shape, windows) in enumerate(WINDOWS):
        kernel, stride, padding, dilation, ceil = windows
        for include, divisor in MEANS:
            if set(dilation) != {1} or (divisor and len(shape) == 3):
                continue
            means = (*windows, include, divisor)
            more = {} if divisor is None else {"divisor_override": divisor}
            x = random(*shape, seed=seed)
            tx = torch.tensor(x, requires_grad=True)
            pool = function("avg_pool", len(kernel))
            y = pool(tx, kernel, stride, padding, ceil, include, **more)
            dy = random(*y.shape, seed=seed + 100)
            y.backward(torch.tensor(dy))
            node = node_of(AvgPool(*means), x)
            back = node_of(
                AvgPoolGrad(*(*means, shape[2:])),
                dy,
            )
            uses.append(use_of(POOLING["avg_pool"], node, laid(x, given), order=order))
            uses.append(use_of(POOLING["avg_pool_grad"], back, laid(dy, given), order=order))
            wanted += [y.detach().numpy(), tx.grad.numpy()]
    run_all(uses, tmp_path, TARGETS[target])
    for each, right in zip(uses, wanted, strict=True):
        np.testing.assert_allclose(
            each.results[0], right, rtol=1e-6, atol=2e-6, err_msg=str(each.node)
        )


def test_values_without_places(tmp_path: Path) -> None:
    """Where the places are not read they are left as they are."""
    uses = []
    for shape, windows in WINDOWS:
        x = random(*shape)
        x.reshape(-1)[::17] = np.nan
        node = node_of(MaxPool(*windows), x)
        for order in ("C", "channels"):
            alone = without_places
            uses += [use_of(alone, node, laid(x, order), order=order)]
            uses += [use_of(max_pool, node, laid(x, order), order=order)]
    run_all(uses, tmp_path)
    for values, whole in zip(uses[::2], uses[1::2], strict=True):
        np.testing.assert_array_equal(values.results[0], whole.results[0])
        assert (values.results[1] == 113).all()
        assert np.isnan(whole.results[0]).any()


@pytest.mark.parametrize("order", ["C", "channels"])
def test_windows_without_elements(order: str, tmp_path: Path) -> None:
    """Dilation may pass over all elements: nothing is read then."""
    x = random(2, 3, 1, 6)
    windows = ((2, 2), (1, 2), (1, 0), (2, 1), False)
    use = use_of(max_pool, node_of(MaxPool(*windows), x), laid(x, order), order=order)
    run_all([use], tmp_path)
    assert use.results[0].shape == (2, 3, 1, 3)
    assert (use.results[0] == -np.inf).all()


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_integers(dtype: str, tmp_path: Path) -> None:
    x = np.random.default_rng(3).integers(0, 50, (2, 5, 17, 18)).astype(dtype)
    windows = ((3, 3), (2, 2), (1, 1), (1, 1), False)
    y, places = functional.max_pool2d(torch.tensor(x), *windows, return_indices=True)
    uses = [
        use_of(max_pool, node_of(MaxPool(*windows), x), laid(x, order), order=order)
        for order in ("C", "channels")
    ]
    run_all(uses, tmp_path)
    for each in uses:
        np.testing.assert_array_equal(each.results[0], y.numpy())
        np.testing.assert_array_equal(each.results[1], places.numpy())


def test_any_number_of_threads_computes_the_same(tmp_path: Path) -> None:
    """Work is cut into tasks, and their order does not matter."""
    x = random(3, 64, 56, 56)
    windows = ((3, 3), (2, 2), (1, 1), (1, 1), False)
    pooled = node_of(MaxPool(*windows), x)
    dy = random(*pooled.types[0].shape, seed=1)
    uses: list[Use] = []
    for order in ("C", "channels"):
        for threads in (1, 3):
            first = use_of(max_pool, pooled, laid(x, order), order=order, threads=threads)
            uses.append(first)
    run_all(uses, tmp_path)
    places = uses[0].results[1]
    backs: list[Use] = []
    for order in ("C", "channels"):
        for name, op in (
            ("max_pool_grad", MaxPoolGrad(*windows, (56, 56))),
            ("avg_pool_grad", AvgPoolGrad(*windows, True, None, (56, 56))),
        ):
            arrays = [laid(dy, order), laid(places, order)][: 2 if name[0] == "m" else 1]
            node = node_of(op, *arrays)
            made = use_of(POOLING[name], node, *arrays, order=order, threads=1)
            backs += [made, replace(made, results=[x.copy("K") for x in made.results], threads=3)]
    run_all(backs, tmp_path)
    for one, three in zip(uses[::2] + backs[::2], uses[1::2] + backs[1::2], strict=True):
        for a, b in zip(one.results, three.results, strict=True):
            np.testing.assert_array_equal(a, b)
        assert one.made("k", host()).stages[0].tasks == 1
        assert three.made("k", host()).stages[0].tasks == 12


def test_text_is_the_same_each_time() -> None:
    x = random(2, 8, 12, 12)
    node = node_of(MaxPool((3, 3), (2, 2), (1, 1), (1, 1), False), x)
    texts = {text_of([use_of(max_pool, node, x).made("kernel", host())], [3]) for _ in range(2)}
    assert len(texts) == 1
