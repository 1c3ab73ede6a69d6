"""Mixtures."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from graphc.autograd.grad_mode import no_grad
from graphc.distributions.categorical import Categorical
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.tensor import Tensor


class MixtureSameFamily(Distribution):
    """A value of one of the components, which lie along the last dimension of the batch."""

    arg_constraints: ClassVar[Constraints] = {}

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an  instance of "
                "torch.distributions.Categorical"
            )
        batch = component_distribution.batch_shape
        count = mixture_distribution.param_shape[-1]
        if count != batch[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({count}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({batch[-1]})"
            )
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        self._apart = len(component_distribution.event_shape)
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        each = (*batch_shape, self.component_distribution.batch_shape[-1])
        return self._copied(
            batch_shape, component_distribution=self.component_distribution.expand(each)
        )

    @property
    def support(self) -> Any:
        """The values of the components."""
        return self.component_distribution.support

    def _weights(self) -> Any:
        probs = self.mixture_distribution.probs
        return probs.reshape(*probs.shape, *(1,) * self._apart)

    def _average(self, x: Any) -> Any:
        return (self._weights() * x).sum(-1 - self._apart)

    @property
    def mean(self) -> Any:
        return self._average(self.component_distribution.mean)

    @property
    def variance(self) -> Any:
        away = self.component_distribution.mean - self.mean.unsqueeze(-1 - self._apart)
        return self._average(self.component_distribution.variance) + self._average(away.pow(2))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            shape, place = (*sample_shape, *self._batch_shape), len(sample_shape)
            chosen = self.mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            values = self.component_distribution.sample(sample_shape)
            axis = place + len(self._batch_shape)
            at = chosen.reshape(*shape, 1, *(1,) * self._apart)
            at = at.expand(*shape, 1, *self._event_shape)
            return values.gather(axis, at).squeeze(axis)  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        each = self.component_distribution.log_prob(value.unsqueeze(-1 - self._apart))
        return (each + self.mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def cdf(self, value: Any) -> Any:
        each = self.component_distribution.cdf(value.unsqueeze(-1))
        return (each * self.mixture_distribution.probs).sum(-1)

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
        )
