"""The normal distribution of vectors."""

from __future__ import annotations

from math import log, pi
from typing import Any, ClassVar

from graphc.distributions import constraints
from graphc.distributions.constraints import Constraints
from graphc.distributions.distribution import Distribution
from graphc.distributions.utils import derived
from graphc.ir.types import broadcast_shapes
from graphc.sampling import standard_normal
from graphc.surface import LIFTED
from graphc.tensor import Tensor


class MultivariateNormal(Distribution):
    """exp(-½(x - μ)ᵀ Σ⁻¹ (x - μ)) / √((2π)ⁿ det Σ), where Σ = LLᵀ"""

    has_rsample = True
    arg_constraints: ClassVar[Constraints] = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = {name: x for name, x in matrices.items() if x is not None}
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be "
                "specified."
            )
        ((name, matrix),) = given.items()
        if matrix.ndim < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading")
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand(*batch, -1)
        setattr(self, name, matrix.expand(*batch, -1, -1))
        super().__init__(batch, loc.shape[-1:], validate_args)

    @derived
    def scale_tril(self) -> Tensor:
        """The factor L."""
        if "covariance_matrix" in self.__dict__:
            return LIFTED["linalg_cholesky"](self.covariance_matrix)  # type: ignore[no-any-return]
        return LIFTED["linalg_cholesky"](LIFTED["linalg_inv"](self.precision_matrix))  # type: ignore[no-any-return]

    @derived
    def covariance_matrix(self) -> Tensor:
        """Σ"""
        return self.scale_tril @ self.scale_tril.mT  # type: ignore[no-any-return]

    @derived
    def precision_matrix(self) -> Tensor:
        """Σ⁻¹"""
        return LIFTED["cholesky_inverse"](self.scale_tril)  # type: ignore[no-any-return]

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return self.scale_tril.pow(2).sum(-1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        noise = standard_normal(shape, self.loc.dtype, None, self.loc._place)
        return self.loc + (self.scale_tril @ noise.unsqueeze(-1)).squeeze(-1)  # type: ignore[no-any-return]

    def log_prob(self, value: Any) -> Any:
        self._validate_sample(value)
        away = (value - self.loc).unsqueeze(-1)
        scaled = LIFTED["linalg_solve_triangular"](self.scale_tril, away, upper=False)
        distance = scaled.pow(2).sum((-2, -1))
        n = self._event_shape[0]
        return -0.5 * (n * log(2 * pi) + distance) - self._half_log_determinant()

    def entropy(self) -> Any:
        n = self._event_shape[0]
        found = 0.5 * n * (1.0 + log(2 * pi)) + self._half_log_determinant()
        return found.expand(self._batch_shape)

    def _half_log_determinant(self) -> Any:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
