"""The distribution over rows of which one element is 1."""

from __future__ import annotations

from typing import Any

from graphc.distributions import constraints
from graphc.distributions.families import OfColumns
from graphc.nn.lookups import one_hot
from graphc.tensor import Tensor


class OneHotCategorical(OfColumns):
    """As Categorical, but a value is a row of zeros with 1 in the column chosen."""

    has_enumerate_support = True
    support = constraints.one_hot

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
