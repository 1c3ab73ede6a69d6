"""Distributions against PyTorch: values, gradients, shapes, errors, and the moments of draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from tests.torch_peer import numbers, torch

Made = Callable[[Any, Any], Any]
"""Of a package and of a function that makes parameters."""
COUNT = 20_000


def mixture(package: Any, make: Any) -> Any:
    D = package.distributions
    weights = D.Categorical(make([0.2, 0.3, 0.5]))
    return D.MixtureSameFamily(weights, D.Normal(make([-1.0, 0.0, 4.0]), make([1.0, 2.0, 0.5])))


def squashed(package: Any, make: Any) -> Any:
    D = package.distributions
    base = D.Normal(make([0.0, 0.5]), make([1.0, 0.2]))
    return D.TransformedDistribution(base, [D.TanhTransform(), D.AffineTransform(1.0, -2.0)])


DISTRIBUTIONS: dict[str, tuple[Made, Any]] = {
    "Normal": (lambda p, m: p.distributions.Normal(m([0.0, 1.0]), m([1.0, 0.5])), [0.3, -0.5]),
    "Normal of numbers": (lambda p, m: p.distributions.Normal(0.5, 2.0), [0.3, -0.5]),
    "Categorical": (lambda p, m: p.distributions.Categorical(m([[1.0, 3.0], [2.0, 2.0]])), [1, 0]),
    "Categorical of logits": (
        lambda p, m: p.distributions.Categorical(logits=m([[1.0, -3.0, 0.5]])),
        [2],
    ),
    "Bernoulli": (lambda p, m: p.distributions.Bernoulli(m([0.3, 0.8])), [1.0, 0.0]),
    "Bernoulli of logits": (
        lambda p, m: p.distributions.Bernoulli(logits=m([0.3, -2.0])),
        [1.0, 0.0],
    ),
    "Uniform": (lambda p, m: p.distributions.Uniform(m([0.0, 1.0]), m([2.0, 5.0])), [0.5, 1.5]),
    "Exponential": (lambda p, m: p.distributions.Exponential(m([0.5, 2.0])), [0.3, 1.5]),
    "Laplace": (lambda p, m: p.distributions.Laplace(m([0.0, 1.0]), m([1.0, 0.5])), [0.3, -0.5]),
    "LogNormal": (lambda p, m: p.distributions.LogNormal(m([0.0]), m([0.5])), [0.3]),
    "Gamma": (lambda p, m: p.distributions.Gamma(m([0.5, 3.0]), m([1.0, 2.0])), [0.3, 1.5]),
    "Beta": (lambda p, m: p.distributions.Beta(m([0.5, 3.0]), m([1.5, 2.0])), [0.3, 0.6]),
    "Dirichlet": (lambda p, m: p.distributions.Dirichlet(m([[0.5, 1.0, 3.0]])), [[0.2, 0.3, 0.5]]),
    "MultivariateNormal": (
        lambda p, m: p.distributions.MultivariateNormal(m([0.0, 1.0]), m([[2.0, 0.5], [0.5, 1.0]])),
        [0.3, -0.5],
    ),
    "MultivariateNormal of a factor": (
        lambda p, m: p.distributions.MultivariateNormal(
            m([[0.0, 1.0], [1.0, 2.0]]), scale_tril=m([[1.0, 0.0], [0.5, 2.0]])
        ),
        [0.3, -0.5],
    ),
    "OneHotCategorical": (
        lambda p, m: p.distributions.OneHotCategorical(m([0.2, 0.3, 0.5])),
        [0.0, 1.0, 0.0],
    ),
    "Cauchy": (lambda p, m: p.distributions.Cauchy(m([0.0, 1.0]), m([1.0, 0.5])), [0.3, -0.5]),
    "Gumbel": (lambda p, m: p.distributions.Gumbel(m([0.0, 1.0]), m([1.0, 0.5])), [0.3, -0.5]),
    "HalfNormal": (lambda p, m: p.distributions.HalfNormal(m([1.0, 0.5])), [0.3, 0.5]),
    "StudentT": (
        lambda p, m: p.distributions.StudentT(m([5.0, 9.0]), m([0.0, 1.0]), 2.0),
        [0.3, -0.5],
    ),
    "Geometric": (lambda p, m: p.distributions.Geometric(m([0.3, 0.8])), [3.0, 0.0]),
    "Geometric of logits": (
        lambda p, m: p.distributions.Geometric(logits=m([0.3, -1.0])),
        [3.0, 0.0],
    ),
    "RelaxedOneHotCategorical": (
        lambda p, m: p.distributions.RelaxedOneHotCategorical(m(0.5), m([0.2, 0.3, 0.5])),
        [0.25, 0.25, 0.5],
    ),
    "Independent": (
        lambda p, m: p.distributions.Independent(
            p.distributions.Normal(m([[0.0, 1.0]]), m([[1.0, 0.5]])), 1
        ),
        [[0.3, -0.5]],
    ),
    "MixtureSameFamily": (mixture, 0.7),
    "TransformedDistribution": (squashed, [1.5, 0.2]),
}
ATTRIBUTES = ("mean", "variance", "stddev", "mode", "batch_shape", "event_shape", "has_rsample")
NO_GRADIENT_OF_DRAWS = {"Gamma", "Beta", "Dirichlet", "StudentT"}
NO_MOMENTS = {"TransformedDistribution", "Cauchy", "RelaxedOneHotCategorical"}
NO_DIVERGENCE = {
    *("MixtureSameFamily", "LogNormal", "TransformedDistribution", "Cauchy", "Gumbel"),
    *("HalfNormal", "StudentT", "Geometric", "Geometric of logits", "RelaxedOneHotCategorical"),
}


def made(name: str, package: Any) -> tuple[Any, list[Any], Any]:
    """The distribution, its parameters, and a value."""
    parameters: list[Any] = []

    def make(values: Any) -> Any:
        tensor = package.tensor(values, dtype=package.float64, requires_grad=True)
        parameters.append(tensor)
        return tensor

    build, value = DISTRIBUTIONS[name]
    return build(package, make), parameters, package.tensor(value)


def agree(mine: Callable[[], Any], theirs: Callable[[], Any], label: str) -> Any:
    """Both give the same, or PyTorch has nothing of the kind."""
    try:
        expected = theirs()
    except NotImplementedError:
        return None
    found = mine()
    if not isinstance(expected, torch.Tensor):
        assert found == expected, label
        return None
    assert tuple(found.shape) == tuple(expected.shape), label
    assert str(found.dtype) == str(expected.dtype), label
    np.testing.assert_allclose(numbers(found), numbers(expected), 1e-6, 1e-7, err_msg=label)
    return found, expected


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_values(name: str) -> None:
    (mine, own, x), (peer, others, y) = made(name, graphc), made(name, torch)
    for attribute in ATTRIBUTES:
        if attribute == "has_rsample" and name in NO_GRADIENT_OF_DRAWS:
            continue
        agree(lambda a=attribute: getattr(mine, a), lambda a=attribute: getattr(peer, a), attribute)  # type: ignore[misc]
    agree(mine.entropy, peer.entropy, "entropy")
    agree(mine.enumerate_support, peer.enumerate_support, "enumerate_support")
    if name not in NO_GRADIENT_OF_DRAWS:
        agree(lambda: mine.cdf(x), lambda: peer.cdf(y), "cdf")
    if not mine.event_shape and x.is_floating_point():
        agree(lambda: mine.icdf(x / 2 + 0.4), lambda: peer.icdf(y / 2 + 0.4), "icdf")
    found, expected = agree(lambda: mine.log_prob(x), lambda: peer.log_prob(y), "log_prob")
    if own:
        grads = graphc.autograd.grad(found.sum(), own, allow_unused=True)
        wanted = torch.autograd.grad(expected.sum(), others, allow_unused=True)
        for a, b in zip(grads, wanted, strict=True):
            if b is not None:
                np.testing.assert_allclose(numbers(a), numbers(b), 1e-6, 1e-7)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_how_it_prints(name: str) -> None:
    mine, peer = repr(made(name, graphc)[0]), repr(made(name, torch)[0])
    # PyTorch shows the logits too once it has computed them.
    assert mine == peer.replace("(probs: torch.Size([3]), logits", "(probs").replace(
        "probs: torch.Size([3]): torch", "probs: torch"
    )


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_draws(name: str) -> None:
    graphc.manual_seed(5)
    (mine, own, _), (peer, _, _) = made(name, graphc), made(name, torch)
    for shape in ((), (3,), (2, 3)):
        x, y = mine.sample(shape), peer.sample(shape)
        assert tuple(x.shape) == tuple(y.shape) and str(x.dtype) == str(y.dtype)
        assert not x.requires_grad
    if mine.has_rsample and own:
        assert mine.rsample((2,)).requires_grad
    larger = mine.expand((4, *mine.batch_shape))
    assert tuple(larger.sample().shape) == (4, *mine.batch_shape, *mine.event_shape)
    drawn = mine.sample((COUNT,)).double().detach().numpy()
    if name.startswith("Categorical"):
        rates = [(drawn == k).mean(0) for k in range(mine.probs.shape[-1])]
        np.testing.assert_allclose(np.stack(rates, -1), numbers(peer.probs), atol=0.02)
    elif name not in NO_MOMENTS:
        mean, variance = numbers(peer.mean), numbers(peer.variance)
        assert (abs(drawn.mean(0) - mean) < 5 * np.sqrt(variance / COUNT)).all()
        np.testing.assert_allclose(drawn.var(0), variance, rtol=0.15)


@pytest.mark.parametrize("name", [n for n in DISTRIBUTIONS if n not in NO_DIVERGENCE])
def test_divergence(name: str) -> None:
    found = []
    for package in (graphc, torch):
        p = made(name, package)[0]
        build, _ = DISTRIBUTIONS[name]

        def other(values: Any, package: Any = package) -> Any:
            x = package.tensor(values, dtype=package.float64)
            return x @ x.mT if x.ndim == 2 and "Multi" in name and (x == x.mT).all() else x * 0.9

        q = build(package, other)
        found.append(numbers(package.distributions.kl_divergence(p, q)))
    np.testing.assert_allclose(found[0], found[1], 1e-6, 1e-7)


def loss(package: Any, weight: Any, x: Any, action: Any, chosen: Any) -> Any:
    """Of a policy with actions of numbers and of categories."""
    D = package.distributions
    scores = x @ weight
    normal = D.Independent(D.Normal(scores[:, :2], scores[:, 2:4].exp()), 1)
    categorical = D.Categorical(logits=scores[:, 4:])
    surprise = normal.log_prob(action) + categorical.log_prob(chosen)
    return -surprise.mean() - 0.1 * (normal.entropy() + categorical.entropy()).mean()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_policy(compiled: bool) -> None:
    draws = np.random.default_rng(0)
    values = [draws.standard_normal(shape) for shape in ((3, 7), (5, 3), (5, 2))]
    found = []
    for package in (graphc, torch):
        weight, x, action = (package.tensor(v) for v in values)
        weight.requires_grad_()
        chosen = package.tensor([0, 1, 2, 1, 0])
        call: Any = loss
        if compiled and package is graphc:
            call = lambda *args: graphc.compile(lambda *given: loss(graphc, *given))(*args[1:])  # noqa: E731
        result = call(package, weight, x, action, chosen)
        result.backward()
        found.append((result.item(), numbers(weight.grad)))
    assert found[0][0] == pytest.approx(found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], 1e-6, 1e-7)


def test_draws_of_a_compiled_function_differ() -> None:
    categorical = graphc.distributions.Categorical(logits=graphc.zeros(2000, 5))
    draw = graphc.compile(lambda: categorical.sample())
    first, second = draw(), draw()
    assert not first.equal(second)
    assert set(first.tolist()) == {0, 1, 2, 3, 4}


def test_a_cached_transform_gives_back_what_it_was_given() -> None:
    transform = graphc.distributions.TanhTransform(cache_size=1)
    x = graphc.tensor([20.0])
    assert transform.inv(transform(x)) is x


FAULTS: dict[str, Callable[[Any], Any]] = {
    "scale": lambda p: p.distributions.Normal(p.zeros(2), p.tensor([1.0, -1.0])),
    "mean": lambda p: p.distributions.Normal(p.tensor(float("nan")), 1.0),
    "both": lambda p: p.distributions.Categorical(p.ones(2), p.ones(2)),
    "no dimension": lambda p: p.distributions.Categorical(p.tensor(1.0)),
    "support": lambda p: p.distributions.Bernoulli(p.tensor(0.5)).log_prob(p.tensor(0.5)),
    "shape": lambda p: p.distributions.Normal(p.zeros(2), p.ones(2)).log_prob(p.zeros(3)),
    "event": lambda p: p.distributions.Dirichlet(p.ones(3)).log_prob(p.zeros(2)),
    "number": lambda p: p.distributions.Normal("a", 1.0),
    "no divergence": lambda p: p.distributions.kl_divergence(
        p.distributions.Categorical(p.ones(2)), p.distributions.Normal(0.0, 1.0)
    ),
    "dimensions": lambda p: p.distributions.Independent(p.distributions.Normal(0.0, 1.0), 1),
    "no mode": lambda p: mixture(p, p.tensor).mode,
    "cdf": lambda p: p.distributions.Categorical(p.ones(2)).cdf(p.tensor(0)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(name: str) -> None:
    with pytest.raises((ValueError, NotImplementedError)) as theirs:
        FAULTS[name](torch)
    with pytest.raises(type(theirs.value)) as mine:
        FAULTS[name](graphc)
    said, expected = (str(e.value).replace("graphc.", "torch.") for e in (mine, theirs))
    assert said == expected
