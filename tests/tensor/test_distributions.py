"""Random numbers have the distributions they are said to have, and streams can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc

COUNT = 40_000
Draw = Callable[[], Any]
MOMENTS: dict[str, tuple[Draw, float, float]] = {
    "rand": (lambda: graphc.rand(COUNT), 0.5, 1 / 12),
    "rand float64": (lambda: graphc.rand(COUNT, dtype=graphc.float64), 0.5, 1 / 12),
    "rand float16": (lambda: graphc.rand(COUNT, dtype=graphc.float16), 0.5, 1 / 12),
    "randn": (lambda: graphc.randn(COUNT), 0.0, 1.0),
    "randn float64": (lambda: graphc.randn(COUNT, dtype=graphc.float64), 0.0, 1.0),
    "randint": (lambda: graphc.randint(-3, 8, (COUNT,)), 2.0, 10.0),
    "normal": (lambda: graphc.normal(3.0, 0.5, (COUNT,)), 3.0, 0.25),
    "bernoulli": (lambda: graphc.bernoulli(graphc.full((COUNT,), 0.3)), 0.3, 0.21),
    "uniform_": (lambda: graphc.empty(COUNT).uniform_(-1, 3), 1.0, 16 / 12),
    "normal_": (lambda: graphc.empty(COUNT).normal_(-2, 3), -2.0, 9.0),
    "exponential_": (lambda: graphc.empty(COUNT).exponential_(2.0), 0.5, 0.25),
    "geometric_": (lambda: graphc.empty(COUNT).geometric_(0.4), 2.5, 0.6 / 0.16),
    "log_normal_": (lambda: graphc.empty(COUNT).log_normal_(0.0, 0.5).log(), 0.0, 0.25),
    "random_": (lambda: graphc.empty(COUNT).random_(0, 11), 5.0, 10.0),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name: str) -> None:
    draw, mean, variance = MOMENTS[name]
    graphc.manual_seed(12)
    x = draw().double().numpy()
    error = np.sqrt(variance / COUNT)
    assert abs(x.mean() - mean) < 5 * error
    assert abs(x.var() - variance) < 0.06 * variance


def test_uniform_numbers_are_below_one() -> None:
    graphc.manual_seed(3)
    for dtype in (graphc.float16, graphc.bfloat16, graphc.float32, graphc.float64):
        x = graphc.rand(COUNT, dtype=dtype)
        assert x.min().item() >= 0 and x.max().item() < 1
        counts, _ = np.histogram(x.double().numpy(), 10, (0, 1))
        assert abs(counts - COUNT / 10).max() < 6 * np.sqrt(COUNT / 10)


def test_a_cauchy_median() -> None:
    graphc.manual_seed(3)
    x = graphc.empty(COUNT).cauchy_(2.0, 1.0).numpy()
    assert abs(np.median(x) - 2.0) < 0.05
    assert abs(np.quantile(x, 0.75) - 3.0) < 0.1


def test_permutations_are_uniform() -> None:
    graphc.manual_seed(3)
    first = np.array([graphc.randperm(4).tolist() for _ in range(600)])
    assert (np.sort(first, 1) == np.arange(4)).all()
    for column in first.T:
        assert abs(np.bincount(column, minlength=4) - 150).max() < 60


@pytest.mark.parametrize("replacement", [False, True])
def test_choices_follow_their_weights(replacement: bool) -> None:
    graphc.manual_seed(3)
    weights = graphc.tensor([[1.0, 2.0, 0.0, 5.0]] * 4000)
    chosen = graphc.multinomial(weights, 2, replacement=replacement)
    assert chosen.shape == (4000, 2)
    share = np.bincount(chosen[:, 0].numpy(), minlength=4) / 4000
    np.testing.assert_allclose(share, [0.125, 0.25, 0.0, 0.625], atol=0.04)
    if not replacement:
        assert bool((chosen[:, 0] != chosen[:, 1]).all())


def test_draws_are_independent() -> None:
    graphc.manual_seed(5)
    x, y = graphc.randn(COUNT).numpy(), graphc.randn(COUNT).numpy()
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.03
    assert abs(np.corrcoef(x[1:], x[:-1])[0, 1]) < 0.03


def test_a_seed_gives_the_same_numbers_whenever_they_are_read() -> None:
    def numbers(read: bool) -> list[Any]:
        graphc.manual_seed(9)
        found = []
        for _ in range(3):
            x = graphc.rand(3) + graphc.randn(3)
            if read:
                x.tolist()
            found.append(x)
        return [x.tolist() for x in found]

    assert numbers(True) == numbers(False)


def test_a_compiled_function_draws_what_a_plain_one_draws() -> None:
    def noisy(x: Any) -> Any:
        return x + graphc.rand(3) * graphc.randint(0, 5, (3,))

    compiled = graphc.compile(noisy)
    x = graphc.zeros(3)
    graphc.manual_seed(4)
    plain = [noisy(x).tolist() for _ in range(3)]
    graphc.manual_seed(4)
    assert [compiled(x).tolist() for _ in range(3)] == plain
    assert len({str(row) for row in plain}) == 3


def test_a_state_is_a_place_in_a_stream() -> None:
    generator = graphc.Generator().manual_seed(1)
    graphc.rand(5, generator=generator)
    state = generator.get_state()
    first = graphc.rand(5, generator=generator).tolist()
    other = graphc.Generator()
    other.set_state(state)
    assert graphc.rand(5, generator=other).tolist() == first
    generator.set_state(state)
    assert graphc.rand(5, generator=generator).tolist() == first
    assert graphc.rand(5, generator=generator).tolist() != first
    clone = generator.clone_state()
    assert graphc.rand(2, generator=clone).tolist() == graphc.rand(2, generator=generator).tolist()


def test_a_generator_leaves_the_default_one_alone() -> None:
    graphc.manual_seed(8)
    expected = graphc.rand(2).tolist()
    graphc.manual_seed(8)
    graphc.rand(7, generator=graphc.Generator().manual_seed(1))
    assert graphc.rand(2).tolist() == expected


def test_seeds_are_told_apart() -> None:
    generators = [graphc.Generator().manual_seed(seed) for seed in range(20)]
    rows = {str(graphc.rand(4, generator=generator).tolist()) for generator in generators}
    assert len(rows) == 20
    graphc.seed()
    first = graphc.rand(2).tolist()
    graphc.seed()
    assert graphc.rand(2).tolist() != first
