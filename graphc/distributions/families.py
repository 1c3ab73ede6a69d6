"""What several distributions are given: a place and a scale, the odds of one event, categories."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from graphc.distributions import constraints
from graphc.distributions.categorical import Categorical
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import broadcast_all, derived, logits_to_probs, probs_to_logits
from graphc.tensor import Tensor


class LocationScale(Distribution):
    """Numbers of a fixed distribution times ``scale``, plus ``loc``, where most of them are."""

    has_rsample = True
    arg_constraints: ClassVar[Constraints] = {
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc


class OfEvent(Distribution):
    """What an event of probability ``probs``, whose logarithmic odds are ``logits``, decides."""

    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }

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
        """The probabilities of the event."""
        return logits_to_probs(self.logits, is_binary=True)

    @derived
    def logits(self) -> Tensor:
        """ln p - ln(1 - p)"""
        return probs_to_logits(self.probs, is_binary=True)


class OfColumns(Distribution):
    """Rows in which one column, whose number is a value of ``Categorical``, stands out."""

    arg_constraints: ClassVar[Constraints] = Categorical.arg_constraints

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
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
        """The logarithms of the probabilities."""
        return self._categorical.logits
