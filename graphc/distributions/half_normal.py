"""The distribution of a normal number's size."""

from __future__ import annotations

from math import inf, log, pi, sqrt
from typing import Any, ClassVar, Self

from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.normal import Normal
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class HalfNormal(Distribution):
    """|x| of normal numbers x of mean zero and standard deviation ``scale``"""

    has_rsample = True
    arg_constraints: ClassVar[Constraints] = {"scale": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        self._normal = Normal(0, scale, validate_args=False)
        super().__init__(self._normal.batch_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        return self._copied(batch_shape, _normal=self._normal.expand(batch_shape))

    @property
    def scale(self) -> Any:
        """The standard deviation of the normal numbers."""
        return self._normal.scale

    @property
    def mean(self) -> Any:
        return self.scale * sqrt(2 / pi)

    @property
    def mode(self) -> Any:
        return self.scale * 0

    @property
    def variance(self) -> Any:
        return self.scale.pow(2) * (1 - 2 / pi)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._normal.rsample(sample_shape).abs()  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        density = self._normal.log_prob(value) + log(2)
        return LIFTED["where"](value >= 0, density, -inf)

    def cdf(self, value: Any) -> Any:
        self._validate_sample(value)
        return 2 * self._normal.cdf(value) - 1

    def icdf(self, value: Any) -> Any:
        return self._normal.icdf((value + 1) / 2)

    def entropy(self) -> Any:
        return self._normal.entropy() - log(2)
