"""Rows that are nearly zero but in one column, with gradients."""

from __future__ import annotations

from math import lgamma
from typing import Any, ClassVar, Self

from graphc.distributions import constraints
from graphc.distributions.categorical import Categorical
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import broadcast_all
from graphc.sampling import exponential
from graphc.tensor import Tensor


class RelaxedOneHotCategorical(Distribution):
    """softmax((logits + g) / temperature) of numbers g of Gumbel's distribution"""

    has_rsample = True
    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.simplex

    def __init__(
        self,
        temperature: Any,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._categorical = Categorical(probs, logits, validate_args)
        batch = self._categorical.batch_shape
        super().__init__(batch, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        return self._copied(batch_shape, _categorical=self._categorical.expand(batch_shape))

    @property
    def probs(self) -> Any:
        """The probabilities of the columns."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """Their logarithms."""
        return self._categorical.logits

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
