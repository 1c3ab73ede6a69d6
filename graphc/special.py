"""Special functions, under PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphc import polynomials
from graphc.nn.functional import log_softmax, softmax
from graphc.surface import LIFTED

_PREFIX = "special_"
_SAME = (
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expm1",
    "i0",
    "log1p",
    "logit",
    "logsumexp",
    "polygamma",
    "round",
    "sinc",
    "xlogy",
)
_ALIASES = {"expit": "sigmoid", "gammaln": "lgamma", "psi": "digamma"}
NAMES = {name.removeprefix(_PREFIX): f for name, f in LIFTED.items() if name.startswith(_PREFIX)}
NAMES |= {name: LIFTED[name] for name in _SAME}
NAMES |= {name: LIFTED[meant] for name, meant in _ALIASES.items()}
NAMES |= polynomials.NAMES
globals().update(NAMES)

__all__ = ["log_softmax", "softmax", *NAMES]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]: ...
