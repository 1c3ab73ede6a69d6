"""Numbers that are read because the shape of a result depends on them."""

from __future__ import annotations

from graphc.errors import GraphcRuntimeError
from graphc.from_data import held
from graphc.origins import here, located
from graphc.recording import session
from graphc.storage import Array
from graphc.tensor import Tensor


def numbers_of(x: Tensor, name: str) -> Array:
    """The numbers of ``x``, on which the shape of what ``name`` returns depends.

    Raises in a compiled function, which knows no numbers.
    """
    if session.trace.capturing:
        error = GraphcRuntimeError(
            f"{name}: the shape of the result depends on values, which are not known while a "
            "function is compiled"
        )
        raise located(error, here(name), [x])
    return x._value()


def nonzero_places(x: Tensor, name: str) -> list[Tensor]:
    """For each dimension of ``x`` where its elements are that are not zero."""
    return [held(place, x.device) for place in numbers_of(x, name).nonzero()]
