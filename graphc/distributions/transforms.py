"""Transforms of values, each element by itself."""

from __future__ import annotations

from math import log
from typing import Any

from graphc.distributions import constraints
from graphc.distributions.constraints import Constraint
from graphc.queries import finfo
from graphc.surface import LIFTED
from graphc.tensor import Tensor

__all__ = ["AffineTransform", "ExpTransform", "SigmoidTransform", "TanhTransform", "Transform"]


class Transform:
    """An invertible function, with the logarithm of its derivative.

    With a ``cache_size`` of 1 the inverse of the last result is what it was made of.
    """

    domain: Constraint = constraints.real
    codomain: Constraint = constraints.real
    bijective = True
    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._last: tuple[Any, Any] = (None, None)

    def __call__(self, x: Tensor) -> Tensor:
        """The transformed values."""
        if self._last[0] is x:
            return self._last[1]  # type: ignore[no-any-return]
        y = self._call(x)
        if self._cache_size:
            self._last = (x, y)
        return y  # type: ignore[no-any-return]

    def inv(self, y: Tensor) -> Tensor:
        """What ``y`` was made of."""
        if self._last[1] is y:
            return self._last[0]  # type: ignore[no-any-return]
        return self._inverse(y)  # type: ignore[no-any-return]

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """ln |dy/dx|"""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ExpTransform(Transform):
    """y = exp(x)"""

    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x


class SigmoidTransform(Transform):
    """y = 1 / (1 + exp(-x)), kept away from 0 and 1"""

    codomain = constraints.unit_interval

    def _call(self, x: Any) -> Any:
        kinds = finfo(x.dtype)
        return x.sigmoid().clamp(min=kinds.tiny, max=1.0 - kinds.eps)

    def _inverse(self, y: Any) -> Any:
        kinds = finfo(y.dtype)
        y = y.clamp(min=kinds.tiny, max=1.0 - kinds.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -LIFTED["softplus"](-x) - LIFTED["softplus"](x)


class TanhTransform(Transform):
    """y = tanh(x)"""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        # As exact where tanh is rounded to 1, unlike ln(1 - y²).
        return 2.0 * (log(2.0) - x - LIFTED["softplus"](-2.0 * x))


class AffineTransform(Transform):
    """y = loc + scale · x"""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        if event_dim:
            raise NotImplementedError("AffineTransform: event_dim must be 0")
        self.loc, self.scale = loc, scale

    @property
    def sign(self) -> Any:
        """Whether greater values stay greater: 1 or -1."""
        if isinstance(self.scale, Tensor):
            return self.scale.sign()
        return (self.scale > 0) - (self.scale < 0)

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        if isinstance(self.scale, Tensor):
            return self.scale.abs().log().expand(x.shape)
        return x * 0 + log(abs(self.scale))
