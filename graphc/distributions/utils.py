"""What several distributions compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.from_data import tensor
from graphc.ir.dtype import get_default_dtype
from graphc.queries import finfo
from graphc.surface import LIFTED
from graphc.tensor import Tensor

__all__ = ["broadcast_all", "clamp_probs", "logits_to_probs", "probs_to_logits"]


class derived:
    """An attribute that is computed from the others where it was not given itself."""

    def __init__(self, compute: Callable[[Any], Tensor]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self._compute(instance)


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Tensors and numbers as tensors of one shape."""
    tensors = [x for x in values if isinstance(x, Tensor)]
    dtype = tensors[0].dtype if tensors else get_default_dtype()
    device = tensors[0].device if tensors else None
    if not all(isinstance(x, Tensor | int | float | np.number) for x in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects "
            "implementing __torch_function__."
        )
    made = [x if isinstance(x, Tensor) else tensor(x, dtype=dtype, device=device) for x in values]
    return LIFTED["broadcast_tensors"](*made)  # type: ignore[no-any-return]


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities kept away from 0 and 1."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)  # type: ignore[no-any-return]


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The logarithms of probabilities, or of one and of its complement the difference."""
    kept = clamp_probs(probs)
    return kept.log() - LIFTED["log1p"](-kept) if is_binary else kept.log()  # type: ignore[no-any-return]


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities of which these are the logarithms up to a constant."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)  # type: ignore[no-any-return]


def sum_rightmost(x: Any, count: int) -> Any:
    """The sum over so many of the last dimensions."""
    return x.flatten(x.ndim - count).sum(-1) if count else x
