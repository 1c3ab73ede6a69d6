"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.errors import GraphcTypeError
from graphc.memory import replace
from graphc.surface import LIFTED
from graphc.tensor import Tensor
from graphc.typename import typename


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The numbers of all parameters, one after the other."""
    vector: Tensor = LIFTED["cat"]([p.view(-1) for p in parameters])
    return vector


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters take their numbers, one after the other, from the memory of ``vec``."""
    if not isinstance(vec, Tensor):
        raise GraphcTypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    place = 0
    for p in parameters:
        size = p._type.size
        replace(p, vec.detach()[place : place + size].view(p.shape))
        place += size
