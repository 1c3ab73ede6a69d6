"""Random counts, drawn from rates or numbers of trials that are read when they are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcValueError
from graphc.from_data import held
from graphc.functions.operands import C_NAMES, not_implemented
from graphc.ir.dtype import int64
from graphc.ops.random import RandomInteger
from graphc.random import Generator, draw
from graphc.reading import numbers_of
from graphc.storage import Array
from graphc.tensor import Tensor


def _drawn(
    name: str, like: Tensor, generator: Generator | None, call: Callable[[Any], Array]
) -> Tensor:
    """What ``call`` draws from a generator of numpy's, which two numbers of ours have seeded."""
    seeds = draw(RandomInteger((2,), int64, low=0, high=2**62), generator, name)
    numbers = call(np.random.default_rng(numbers_of(seeds, name).tolist()))
    return held(np.asarray(numbers).astype(like.dtype.numpy), like.device)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of events that happen at these rates."""
    if not input.dtype.is_floating_point:
        raise not_implemented("poisson_cpu", input.dtype)
    rates = numbers_of(input, "poisson").astype(np.float64)
    if (rates < 0).any():
        raise GraphcRuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return _drawn("poisson", input, generator, lambda rng: rng.poisson(rates))


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of ``count`` trials succeed, each with the probability ``prob``."""
    if not count.dtype.is_floating_point:
        raise GraphcValueError(
            "binomial only supports floating-point dtypes for count, got: "
            f"{C_NAMES[count.dtype.name]}"
        )
    if count.dtype is not prob.dtype:
        raise GraphcRuntimeError(
            "expected scalar type of count and prob to be the same, but found "
            f"{count.dtype} and {prob.dtype}"
        )
    trials = np.floor(numbers_of(count, "binomial")).astype(np.int64)
    chances = numbers_of(prob, "binomial").astype(np.float64)
    return _drawn("binomial", count, generator, lambda rng: rng.binomial(trials, chances))


NAMESPACE: dict[str, Any] = {f.__name__: f for f in (poisson, binomial)}
"""What the package offers by name."""
