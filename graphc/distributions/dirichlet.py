"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.autograd.grad_mode import no_grad
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.gamma import standard_gamma
from graphc.nn.lookups import one_hot
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class Dirichlet(Distribution):
    """Rows that add up to one, of density Π xᵢ^(αᵢ - 1) · Γ(Σα) / Π Γ(αᵢ)"""

    arg_constraints: ClassVar[Constraints] = {
        "concentration": constraints.independent(constraints.positive, 1)
    }
    support = constraints.simplex

    def __init__(self, concentration: Any, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self) -> Any:
        above = (self.concentration - 1).clamp(min=0.0)
        inner = above / above.sum(-1, True)
        corner = one_hot(inner.argmax(-1), above.shape[-1]).to(above.dtype)
        return LIFTED["where"]((self.concentration < 1).all(-1, True), corner, inner)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            drawn = standard_gamma(self.concentration, self._extended_shape(sample_shape))
            return drawn / drawn.sum(-1, True)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        raise NotImplementedError("Dirichlet: drawn numbers have no gradient; use sample()")

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        a = self.concentration
        density = LIFTED["xlogy"](a - 1.0, value).sum(-1)
        return density + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    def entropy(self) -> Any:
        a = self.concentration
        k, total = a.shape[-1], a.sum(-1)
        return (
            a.lgamma().sum(-1)
            - total.lgamma()
            - (k - total) * total.digamma()
            - ((a - 1.0) * a.digamma()).sum(-1)
        )
