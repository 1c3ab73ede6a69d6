"""Gumbel's distribution."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from graphc.distributions.families import LocationScale
from graphc.sampling import exponential
from graphc.tensor import Tensor

EULER = 0.577215664901532860606512090082402431


class Gumbel(LocationScale):
    """exp(-(z + exp(-z))) / scale, where z = (x - loc) / scale"""

    @property
    def mean(self) -> Any:
        return self.loc + self.scale * EULER

    @property
    def stddev(self) -> Any:
        return (pi / sqrt(6)) * self.scale

    @property
    def variance(self) -> Any:
        return self.stddev.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        noise = exponential(shape, self.loc.dtype, device=self.loc._place)
        return self.loc - self.scale * noise.log()  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return (y - y.exp()) - self.scale.log()

    def cdf(self, value: Any) -> Any:
        self._validate_sample(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value: Any) -> Any:
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Any:
        return self.scale.log() + (1 + EULER)
