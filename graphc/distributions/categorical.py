"""The distribution over numbers of categories."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from graphc.distributions import constraints
from graphc.distributions.constraints import Constraint, Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import derived, logits_to_probs, probs_to_logits
from graphc.factories import arange, full_like
from graphc.queries import finfo
from graphc.sampling import chosen_again
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class Categorical(Distribution):
    """Of each row of ``probs`` or ``logits`` the number of one column."""

    has_enumerate_support = True
    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given = logits if probs is None else probs
        if given.ndim < 1:
            name = "logits" if probs is None else "probs"
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is None:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
        else:
            self.probs = probs / probs.sum(-1, keepdim=True)
        self._num_events = int(given.shape[-1])
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @derived
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits)

    @derived
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @property
    def support(self) -> Constraint:
        """The numbers of the columns."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> Any:
        """The shape of what was given."""
        return self.__dict__.get("probs", self.__dict__.get("logits")).shape  # type: ignore[union-attr]

    @property
    def mean(self) -> Any:
        return full_like(self.probs[..., 0], float("nan"))

    @property
    def variance(self) -> Any:
        return self.mean

    @property
    def mode(self) -> Any:
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        rows = self.probs.detach().reshape(-1, self._num_events)
        chosen = chosen_again(rows, prod(sample_shape), None)
        return chosen.t().reshape(self._extended_shape(sample_shape))  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        places, rows = LIFTED["broadcast_tensors"](value.long().unsqueeze(-1), self.logits)
        return rows.gather(-1, places[..., :1]).squeeze(-1)

    def entropy(self) -> Any:
        least = finfo(self.logits.dtype).min
        return -(self.logits.clamp(min=least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._for_each(arange(self._num_events, device=self.probs.device), expand)
