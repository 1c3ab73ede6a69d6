"""The distribution over 0 and 1."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import broadcast_all, derived, logits_to_probs, probs_to_logits
from graphc.factories import arange
from graphc.sampling import bernoulli
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class Bernoulli(Distribution):
    """1 with the probability ``probs``, whose logarithmic odds are ``logits``; else 0."""

    has_enumerate_support = True
    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    support = constraints.boolean

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
        """The probabilities of 1."""
        return logits_to_probs(self.logits, is_binary=True)

    @derived
    def logits(self) -> Tensor:
        """ln p - ln(1 - p)"""
        return probs_to_logits(self.probs, is_binary=True)

    @property
    def param_shape(self) -> Any:
        """The shape of what was given."""
        return self.probs.shape

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        sure = (self.probs >= 0.5).to(self.probs.dtype)
        return LIFTED["where"](self.probs == 0.5, float("nan"), sure)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return bernoulli(self.probs.detach().expand(shape))

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -LIFTED["binary_cross_entropy_with_logits"](logits, value, reduction="none")

    def entropy(self) -> Any:
        return LIFTED["binary_cross_entropy_with_logits"](self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        values = arange(2, dtype=self.probs.dtype, device=self.probs.device)
        values = values.view(-1, *(1,) * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
