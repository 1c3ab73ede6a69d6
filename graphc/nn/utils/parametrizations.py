"""Weights of a given norm, or orthogonal ones, as parametrizations."""

from __future__ import annotations

from typing import Any, TypeVar

import graphc.nn.functional as F
from graphc.autograd import no_grad
from graphc.errors import GraphcIndexError, GraphcNotImplementedError, GraphcValueError
from graphc.factories import eye, zeros_like
from graphc.nn.modules.module import Module
from graphc.nn.utils.parametrize import register_parametrization
from graphc.nn.utils.spectral_norm import as_matrix, output_dim
from graphc.nn.utils.weight_norm import norm_except_dim, weighted
from graphc.queries import finfo
from graphc.sampling import randn
from graphc.surface import LIFTED
from graphc.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)


class _WeightNorm(Module):
    """g · v / ‖v‖"""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weighted(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Length and direction of a weight."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """The module, whose weight is made of a length for each slice of ``dim``, and a direction."""
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def read_old(state_dict: Any, prefix: str, *rest: Any) -> None:
        # States of the hook of the same name keep length and direction under other names.
        old = [f"{prefix}{name}_{end}" for end in ("g", "v")]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(read_old)
    return module


class _SpectralNorm(Module):
    """W / σ, with σ = uᵀ W v; u and v are brought closer to the singular vectors in training."""

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise GraphcIndexError(
                "Dimension out of range (expected to be in range of "
                f"[-{weight.ndim}, {weight.ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise GraphcValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + weight.ndim
        self.eps, self.n_power_iterations = eps, n_power_iterations
        if weight.ndim > 1:
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    start = matrix.new_empty(size).normal_(0, 1)
                    self.register_buffer(name, F.normalize(start, dim=0, eps=eps))
                self._approach(matrix, 15)

    def _approach(self, matrix: Tensor, steps: int) -> None:
        with no_grad():
            for _ in range(steps):
                self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._approach(matrix, self.n_power_iterations)
        # A second forward pass changes both before the first one's gradient is taken.
        u, v = self._u.clone(), self._v.clone()
        return weight / u.dot(matrix.mv(v))  # type: ignore[no-any-return]

    def right_inverse(self, value: Tensor) -> Tensor:
        """The weight itself: there is no weight of which it would be what comes out."""
        return value


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """The module, whose weight is divided by its largest singular value when it is read."""
    weight = checked_weight(module, name)
    if dim is None:
        dim = output_dim(module)
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, norm)


class _Orthogonal(Module):
    """An orthogonal matrix made of any one of its shape, times ``base`` if there is one."""

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.size(-2) < X.size(-1)
        tall = X.mT if wide else X
        made = _reflected(tall) if self.orthogonal_map == "householder" else self._turned(tall)
        if hasattr(self, "base"):
            made = self.base @ made
        return made.mT if wide else made

    def _turned(self, X: Tensor) -> Tensor:
        """The first columns of a rotation, of the skew-symmetric matrix that X is part of."""
        n, k = X.shape[-2:]
        lower = X.tril()
        if n != k:
            lower = LIFTED["cat"]([lower, X.new_zeros(*X.shape[:-1], n - k)], -1)
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            made = LIFTED["matrix_exp"](skew)
        else:
            unit = eye(n, dtype=X.dtype, device=X.device)
            made = LIFTED["linalg_solve"](unit - skew * 0.5, unit + skew * 0.5)
        return made[..., :k]  # type: ignore[no-any-return]

    def right_inverse(self, Q: Tensor) -> Tensor:
        """What makes Q, or the orthogonal matrix next to it."""
        if Q.shape != self.shape:
            raise GraphcValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {Q.shape}."
            )
        with no_grad():
            wide = Q.size(-2) < Q.size(-1)
            tall = Q.mT if wide else Q
            if hasattr(self, "base"):
                self.base = _completed(tall)
                negative = zeros_like(Q)
                negative.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
                return negative
            if self.orthogonal_map != "householder":
                raise GraphcNotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False."
                )
            A, tau = LIFTED["geqrf"](tall)
            diagonal = A.diagonal(dim1=-2, dim2=-1)
            signs = diagonal.sign()
            diagonal.copy_(LIFTED["where"](tau == 0.0, -signs, signs))
            return A.mT if wide else A  # type: ignore[no-any-return]


def _reflected(X: Tensor) -> Tensor:
    """The columns of the product of reflections, with the signs of the diagonal."""
    vectors = X.tril(-1)
    factors = 2.0 / (1.0 + (vectors * vectors).sum(-2))
    made = LIFTED["linalg_householder_product"](vectors, factors)
    return made * X.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)  # type: ignore[no-any-return]


def _completed(Q: Tensor) -> Tensor:
    """A square orthogonal matrix that begins with the columns of Q, made orthogonal if need be."""
    n, k = Q.shape[-2:]
    if n == k:
        bound = 10.0 * n * finfo(Q.dtype).eps
        unit = eye(n, dtype=Q.dtype, device=Q.device)
        if ((Q.mT @ Q - unit).abs() <= bound + 1e-5 * unit).all():
            return Q.clone()  # type: ignore[no-any-return]
    else:
        noise = randn(*Q.shape[:-1], n - k, dtype=Q.dtype, device=Q.device)
        Q = LIFTED["cat"]([Q, noise], -1)
    A, tau = LIFTED["geqrf"](Q)
    made: Tensor = LIFTED["linalg_householder_product"](A, tau)
    return made * A.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)  # type: ignore[no-any-return]


def orthogonal(
    module: M,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> M:
    """The module, whose weight is orthogonal: by ``matrix_exp``, ``cayley`` or ``householder``."""
    weight = checked_weight(module, name)
    if weight.ndim < 2:
        raise GraphcValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise GraphcValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


def checked_weight(module: Module, name: str) -> Tensor:
    """The parameter or buffer ``name``; raises where there is none."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise GraphcValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight
