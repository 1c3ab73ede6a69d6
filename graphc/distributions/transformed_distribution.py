"""Distributions of values that were transformed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

from graphc.autograd.grad_mode import no_grad
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.transforms import Transform
from graphc.distributions.utils import sum_rightmost
from graphc.tensor import Tensor


class TransformedDistribution(Distribution):
    """What the transforms, one after the other, make of a value of ``base_distribution``."""

    arg_constraints: ClassVar[Constraints] = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        given = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all(isinstance(t, Transform) for t in given):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        self.base_dist, self.transforms = base_distribution, given
        batch, event = base_distribution.batch_shape, base_distribution.event_shape
        super().__init__(batch, event, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        return self._copied(batch_shape, base_dist=self.base_dist.expand(batch_shape))

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether drawn values have gradients."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        """The values that the last transform makes."""
        if not self.transforms:
            return self.base_dist.support
        return constraints.independent(self.transforms[-1].codomain, len(self._event_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            return self._transformed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._transformed(self.base_dist.rsample(sample_shape))

    def _transformed(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        n, found, y = len(self._event_shape), 0.0, value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            found = found - sum_rightmost(transform.log_abs_det_jacobian(x, y), n)
            y = x
        return found + self.base_dist.log_prob(y)

    def cdf(self, value: Any) -> Any:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        below = self.base_dist.cdf(value)
        return below if self._sign() == 1 else 1 - below

    def icdf(self, value: Any) -> Any:
        value = value if self._sign() == 1 else 1 - value
        return self._transformed(self.base_dist.icdf(value))

    def _sign(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign
