"""Cauchy's distribution."""

from __future__ import annotations

from math import inf, log, nan, pi
from typing import Any

from graphc.distributions.families import LocationScale
from graphc.factories import full_like
from graphc.sampling import uniform
from graphc.tensor import Tensor


class Cauchy(LocationScale):
    """1 / (π · scale · (1 + ((x - loc) / scale)²)), which has no mean."""

    @property
    def mean(self) -> Any:
        return full_like(self.loc, nan)

    @property
    def variance(self) -> Any:
        return full_like(self.loc, inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        angle = (uniform(shape, self.loc.dtype, None, self.loc._place) - 0.5) * pi
        return self.loc + angle.tan() * self.scale  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        distance = ((value - self.loc) / self.scale) ** 2
        return -log(pi) - self.scale.log() - distance.log1p()

    def cdf(self, value: Any) -> Any:
        self._validate_sample(value)
        return ((value - self.loc) / self.scale).atan() / pi + 0.5

    def icdf(self, value: Any) -> Any:
        return (pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Any:
        return log(4 * pi) + self.scale.log()
