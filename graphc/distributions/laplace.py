"""The Laplace distribution."""

from __future__ import annotations

from math import sqrt
from typing import Any

from graphc.distributions.families import LocationScale
from graphc.sampling import exponential, uniform
from graphc.tensor import Tensor


class Laplace(LocationScale):
    """exp(-|x - μ| / b) / 2b, where μ is ``loc`` and b ``scale``"""

    @property
    def variance(self) -> Any:
        return 2 * self.scale.pow(2)

    @property
    def stddev(self) -> Any:
        return sqrt(2) * self.scale

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        size = exponential(shape, self.loc.dtype, device=self.loc._place)
        sign = (uniform(shape, self.loc.dtype, None, self.loc._place) < 0.5).to(size.dtype) * 2 - 1
        return self.loc + self.scale * (sign * size)  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Any) -> Any:
        self._validate_sample(value)
        away = value - self.loc
        return 0.5 - 0.5 * away.sign() * (-away.abs() / self.scale).expm1()

    def icdf(self, value: Any) -> Any:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Any:
        return 1 + (2 * self.scale).log()
