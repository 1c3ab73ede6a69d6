"""Rows that are nearly zero but in one column, with gradients."""

from __future__ import annotations

from math import lgamma
from typing import Any

from graphc.distributions import constraints
from graphc.distributions.families import OfColumns
from graphc.distributions.utils import broadcast_all
from graphc.sampling import exponential
from graphc.tensor import Tensor


class RelaxedOneHotCategorical(OfColumns):
    """softmax((logits + g) / temperature) of numbers g of Gumbel's distribution"""

    has_rsample = True
    support = constraints.simplex

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape, logits = self._extended_shape(sample_shape), self.logits
        noise = exponential(shape, logits.dtype, device=logits._place)
        return ((logits - noise.log()) / self.temperature).softmax(-1)  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        n = self._event_shape[0]
        (temperature,) = broadcast_all(self.temperature)
        score = self.logits - value.log() * temperature
        level = lgamma(n) + (n - 1) * temperature.log()
        return (score - score.logsumexp(-1, keepdim=True) - value.log()).sum(-1) + level
