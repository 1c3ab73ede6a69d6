"""The geometric distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.autograd.grad_mode import no_grad
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import broadcast_all, derived, logits_to_probs, probs_to_logits
from graphc.sampling import exponential
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class Geometric(Distribution):
    """How often something of probability ``probs`` fails before it first succeeds."""

    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        (given,) = broadcast_all(logits if probs is None else probs)
        if probs is None:
            self.logits = given
        else:
            self.probs = given
        super().__init__(given.shape, validate_args=validate_args)

    @derived
    def probs(self) -> Tensor:
        """The probabilities of success."""
        return logits_to_probs(self.logits, is_binary=True)

    @derived
    def logits(self) -> Tensor:
        """ln p - ln(1 - p)"""
        return probs_to_logits(self.probs, is_binary=True)

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
