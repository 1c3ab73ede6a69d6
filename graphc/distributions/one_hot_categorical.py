"""The distribution over rows of which one element is 1."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from graphc.distributions import constraints
from graphc.distributions.categorical import Categorical
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.nn.lookups import one_hot
from graphc.tensor import Tensor


class OneHotCategorical(Distribution):
    """As Categorical, but a value is a row of zeros with 1 in the column chosen."""

    has_enumerate_support = True
    arg_constraints: ClassVar[Constraints] = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }
    support = constraints.one_hot

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
        """The probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return self._rows(self._categorical.mode)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def _rows(self, columns: Any) -> Any:
        return one_hot(columns, self._event_shape[0]).to(self.probs.dtype)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self._rows(self._categorical.sample(sample_shape))  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        return self._categorical.log_prob(value.max(-1)[1])

    def entropy(self) -> Any:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        return self._rows(self._categorical.enumerate_support(expand))
