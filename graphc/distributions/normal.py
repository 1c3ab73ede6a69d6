"""The normal distribution."""

from __future__ import annotations

from math import log, pi, sqrt
from typing import Any

from graphc.distributions.families import LocationScale
from graphc.sampling import standard_normal
from graphc.tensor import Tensor


class Normal(LocationScale):
    """exp(-(x - μ)² / 2σ²) / √(2πσ²), of mean ``loc`` and standard deviation ``scale``"""

    @property
    def stddev(self) -> Any:
        return self.scale

    @property
    def variance(self) -> Any:
        return self.scale.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        noise = standard_normal(shape, self.loc.dtype, None, self.loc._place)
        return self.loc + noise * self.scale

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        distance = (value - self.loc) ** 2 / (2 * self.scale**2)
        return -distance - self.scale.log() - log(sqrt(2 * pi))

    def cdf(self, value: Any) -> Any:
        self._validate_sample(value)
        return 0.5 * (1 + ((value - self.loc) * self.scale.reciprocal() / sqrt(2)).erf())

    def icdf(self, value: Any) -> Any:
        return self.loc + self.scale * (2 * value - 1).erfinv() * sqrt(2)

    def entropy(self) -> Any:
        return 0.5 + 0.5 * log(2 * pi) + self.scale.log()
