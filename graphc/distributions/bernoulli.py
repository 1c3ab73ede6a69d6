"""The distribution over 0 and 1."""

from __future__ import annotations

from typing import Any

from graphc.distributions import constraints
from graphc.distributions.families import OfEvent
from graphc.distributions.utils import broadcast_all
from graphc.factories import arange
from graphc.sampling import bernoulli
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class Bernoulli(OfEvent):
    """1 with the probability ``probs``, whose logarithmic odds are ``logits``; else 0."""

    has_enumerate_support = True
    support = constraints.boolean

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
        return self._for_each(values, expand)
