"""The gamma distribution."""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.autograd.grad_mode import no_grad
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import broadcast_all
from graphc.queries import finfo
from graphc.sampling import standard_normal, uniform
from graphc.surface import LIFTED
from graphc.tensor import Tensor

TRIES = 8
"""Of each number at least 95 in 100 tries succeed; all fail for one in 10¹⁰."""


class Gamma(Distribution):
    """βᵅ · x^(α - 1) · exp(-βx) / Γ(α), where α is ``concentration`` and β ``rate``"""

    arg_constraints: ClassVar[Constraints] = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.nonnegative

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate.pow(2)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            drawn = standard_gamma(self.concentration, self._extended_shape(sample_shape))
            return (drawn / self.rate).clamp(min=finfo(drawn.dtype).tiny)  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        raise NotImplementedError("Gamma: drawn numbers have no gradient; use sample()")

    def log_prob(self, value: Any) -> Any:
        (value,) = broadcast_all(value)
        self._validate_sample(value)
        return (
            LIFTED["xlogy"](self.concentration, self.rate)
            + LIFTED["xlogy"](self.concentration - 1, value)
            - self.rate * value
            - self.concentration.lgamma()
        )

    def entropy(self) -> Any:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1.0 - a) * a.digamma()


def standard_gamma(concentration: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Numbers of a gamma distribution of rate 1, by the method of Marsaglia and Tsang."""
    dtype, place = concentration.dtype, concentration._place
    few = concentration < 1
    d = (concentration + few.to(dtype) - 1 / 3).expand(shape)
    c = (9 * d).rsqrt()
    found = d  # what stays where every try fails
    for _ in range(TRIES):
        x = standard_normal(shape, dtype, None, place)
        v = (1 + c * x) ** 3
        noise = 1 - uniform(shape, dtype, None, place)
        limit = 0.5 * x**2 + d - d * v + d * v.clamp(min=finfo(dtype).tiny).log()
        found = LIFTED["where"]((v > 0) & (noise.log() < limit), d * v, found)
    noise = 1 - uniform(shape, dtype, None, place)
    return LIFTED["where"](few, found * noise ** (1 / concentration), found)  # type: ignore[no-any-return]
