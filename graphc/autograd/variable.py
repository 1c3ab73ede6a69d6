"""``Variable``: what tensors that take part in differentiation were called of old."""

from __future__ import annotations

from graphc.tensor import Tensor


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Tensor, requires_grad: bool = False) -> Tensor:
        made: Tensor = data.detach()
        return made.requires_grad_() if requires_grad else made


class Variable(metaclass=_Kind):
    """A tensor over the memory of another one, whose gradient is wanted if it says so."""
