"""Tensors filled in place: with random numbers, or by a function of Python's."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.functions.operands import C_NAMES, c_type
from graphc.ir.dtype import DType
from graphc.memory import overwrite
from graphc.random import Generator
from graphc.sampling import (
    converted,
    exponential,
    floating,
    integers,
    probability,
    standard_normal,
    uniform,
    wide,
)
from graphc.surface import LIFTED, assign
from graphc.tensor import Tensor


def _continuous(name: str, dtype: DType, shown: str) -> DType:
    if not dtype.is_floating_point:
        raise GraphcRuntimeError(
            f"{name} distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {shown}"
        )
    return dtype


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with uniform numbers in [from, to)."""
    dtype = floating("check_uniform_bounds", self.dtype)
    if from_ > to:
        raise GraphcRuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={from_} > to={to}"
        )
    numbers = uniform(tuple(self.shape), dtype, generator, self._place)
    if (from_, to) != (0, 1):
        numbers = numbers * (to - from_) + from_
    return assign(self, numbers, "uniform_")


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers."""
    dtype = floating("normal_kernel_cpu", self.dtype)
    if std < 0:
        raise GraphcRuntimeError(f"normal expects std >= 0.0, but found std {std}")
    numbers = standard_normal(tuple(self.shape), dtype, generator, self._place)
    if (mean, std) != (0, 1):
        numbers = numbers * std + mean
    return assign(self, numbers, "normal_")


def bernoulli_(
    self: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill with 1 with probability ``p``, else 0."""
    chance = p.detach() if isinstance(p, Tensor) else probability(p)
    noise = uniform(tuple(self.shape), wide(self.dtype), generator, self._place)
    return assign(self, converted(noise < chance, self.dtype), "bernoulli_")


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fill with numbers of density λ · exp(-λ · x)."""
    dtype = _continuous("Exponential", self.dtype, C_NAMES[self.dtype.name])
    if lambd <= 0:
        raise GraphcRuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    numbers = exponential(tuple(self.shape), dtype, lambd, generator, self._place)
    return assign(self, numbers, "exponential_")


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with powers of e that have normal exponents."""
    dtype = floating("log_normal_cpu", self.dtype)
    if std <= 0:
        raise GraphcRuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    numbers = standard_normal(tuple(self.shape), dtype, generator, self._place)
    return assign(self, LIFTED["exp"](numbers * std + mean), "log_normal_")


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill with numbers of the Cauchy distribution."""
    dtype = _continuous("Cauchy", self.dtype, c_type(self.dtype))
    if sigma <= 0:
        raise GraphcRuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    angles = (uniform(tuple(self.shape), wide(dtype), generator, self._place) - 0.5) * pi
    return assign(self, converted(LIFTED["tan"](angles) * sigma + median, dtype), "cauchy_")


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill with the number of trials up to the first success, each of probability ``p``."""
    if not 0 < p < 1:
        raise GraphcRuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    rate, device = -float(np.log1p(-p)), self._place
    waits = exponential(tuple(self.shape), wide(self.dtype), rate, generator, device)
    return assign(self, converted(LIFTED["ceil"](waits), self.dtype), "geometric_")


def random_(
    self: Tensor,
    from_: int | None = None,
    to: int | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with integers in [from, to): of all that the type holds, unless bounds are given."""
    low, high = (0, from_) if to is None else (from_ or 0, to)
    if high is None:
        high = _bound(self.dtype)
    numbers = integers(low, high, tuple(self.shape), self.dtype, generator, self._place)
    return assign(self, numbers, "random_")


def _bound(dtype: DType) -> int:
    """One more than the largest integer that a type holds exactly, with all before it."""
    if dtype.is_floating_point:
        bits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}[dtype.name]
        return int(2**bits + 1)
    return 2 if dtype.category == 0 else int(np.iinfo(dtype.numpy).max) + 1


def apply_(self: Tensor, function: Callable[[Any], Any]) -> Tensor:
    """Write what ``function`` makes of each number in its place."""
    return _mapped(self, function, [self])


def map_(self: Tensor, tensor: Tensor, function: Callable[[Any, Any], Any]) -> Tensor:
    """Write what ``function`` makes of each number and that of another tensor in its place."""
    return _mapped(self, function, [self, tensor])


def _mapped(self: Tensor, function: Callable[..., Any], operands: list[Tensor]) -> Tensor:
    if not callable(function):
        raise GraphcTypeError(f"{type(function).__name__} is not callable")
    if any(x.requires_grad for x in operands):
        raise GraphcRuntimeError(
            "Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead."
        )
    columns = [np.broadcast_to(x._value(), self.shape).reshape(-1).tolist() for x in operands]
    found = [function(*row) for row in zip(*columns, strict=True)]
    overwrite(self, np.array(found).reshape(tuple(self.shape)))
    return self


METHODS: dict[str, Any] = {
    f.__name__: f
    for f in (
        uniform_,
        normal_,
        bernoulli_,
        exponential_,
        log_normal_,
        cauchy_,
        geometric_,
        random_,
        apply_,
        map_,
    )
}
"""What tensors offer."""
