"""The geometric distribution."""

from __future__ import annotations

from typing import Any

from graphc.autograd.grad_mode import no_grad
from graphc.distributions import constraints
from graphc.distributions.families import OfEvent
from graphc.distributions.utils import broadcast_all
from graphc.sampling import exponential
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class Geometric(OfEvent):
    """How often something of probability ``probs`` fails before it first succeeds."""

    support = constraints.nonnegative_integer

    @property
    def mean(self) -> Any:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        return self.probs * 0

    @property
    def variance(self) -> Any:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            shape = self._extended_shape(sample_shape)
            noise = exponential(shape, self.probs.dtype, device=self.probs._place)
            return (-noise / (-self.probs).log1p()).floor()  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        failed = LIFTED["where"]((probs == 1) & (value == 0), 0.0, probs)
        return value * (-failed).log1p() + self.probs.log()

    def entropy(self) -> Any:
        losses = LIFTED["binary_cross_entropy_with_logits"]
        return losses(self.logits, self.probs, reduction="none") / self.probs
