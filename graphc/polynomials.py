"""Orthogonal polynomials, whose order says how far a recurrence goes: it is read where it is a
tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.factories import full
from graphc.functions.orthogonal import FAMILIES
from graphc.outputs import write_out
from graphc.reading import numbers_of
from graphc.surface import LIFTED
from graphc.tensor import Tensor

MOST = 1024
"""Where an order is greater, the recurrence ends; the form in angles goes on."""


def _declared(name: str) -> Callable[..., Tensor]:
    def call(input: Tensor | float, n: Tensor | float, *, out: Tensor | None = None) -> Tensor:
        orders = numbers_of(n, name) if isinstance(n, Tensor) else np.asarray(n)
        orders = orders.astype(np.float64)
        finite = orders[np.isfinite(orders)]
        steps = int(min(max(finite.max(initial=0), 0), MOST))
        x, order = (v if isinstance(v, Tensor) else full((), float(v)) for v in (input, n))
        found: Tensor = LIFTED["polynomial_values"](x, order, name, steps)
        return found if out is None else write_out(out, found, name)

    call.__name__ = call.__qualname__ = name
    kind = name.replace("_", " ")
    call.__doc__ = f"The {kind} of order ``n`` at ``input``, which has no derivative."
    return call


NAMES: dict[str, Callable[..., Any]] = {name: _declared(name) for name in FAMILIES}
"""What ``special`` offers."""
