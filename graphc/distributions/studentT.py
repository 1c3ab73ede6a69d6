"""Student's distribution."""

from __future__ import annotations

from math import inf, lgamma, log, nan, pi
from typing import Any, ClassVar

from graphc.autograd.grad_mode import no_grad
from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.gamma import standard_gamma
from graphc.distributions.utils import broadcast_all
from graphc.sampling import standard_normal
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class StudentT(Distribution):
    """A normal number over the root of a χ² number of ``df`` degrees, over ``df``."""

    arg_constraints: ClassVar[Constraints] = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real

    def __init__(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return LIFTED["where"](self.df <= 1, nan, self.loc)

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        where = LIFTED["where"]
        known = self.scale.pow(2) * self.df / (self.df - 2)
        return where(self.df > 2, known, where(self.df > 1, inf, self.loc * nan))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with no_grad():
            shape = self._extended_shape(sample_shape)
            noise = standard_normal(shape, self.df.dtype, None, self.df._place)
            spread = standard_gamma(self.df * 0.5, shape) * 2
            return self.loc + self.scale * noise * (spread / self.df).rsqrt()  # type: ignore[no-any-return]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        raise NotImplementedError("StudentT: drawn numbers have no gradient; use sample()")

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        y = (value - self.loc) / self.scale
        level = (
            self.scale.log()
            + 0.5 * self.df.log()
            + 0.5 * log(pi)
            + (0.5 * self.df).lgamma()
            - (0.5 * (self.df + 1.0)).lgamma()
        )
        return -0.5 * (self.df + 1.0) * (y**2.0 / self.df).log1p() - level

    def entropy(self) -> Any:
        half = 0.5 * (self.df + 1)
        beta = (0.5 * self.df).lgamma() + lgamma(0.5) - half.lgamma()
        slope = half * (half.digamma() - (0.5 * self.df).digamma())
        return self.scale.log() + slope + 0.5 * self.df.log() + beta
