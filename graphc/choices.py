"""Functions over choices of elements, which follow from the shape alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations as _combinations
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from graphc.arguments import checked
from graphc.errors import GraphcRuntimeError, GraphcTypeError, GraphcValueError
from graphc.from_data import held
from graphc.surface import LIFTED
from graphc.tensor import Tensor


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """The choices of ``r`` elements of a vector, in the order in which they stand: one a row."""
    if input.ndim != 1:
        raise GraphcRuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise GraphcRuntimeError(f"Expect a non-negative number, but got {r}")
    if not r:
        return held(np.empty(0, input.dtype.numpy), input.device)
    choose: Callable[..., Any] = (
        combinations_with_replacement if with_replacement else _combinations
    )
    chosen = np.array(list(choose(range(len(input)), r)), np.int64).reshape(-1, r)
    rows = [held(places, input.device) for places in chosen.T.copy()]
    columns = [LIFTED["index_select"](input, 0, places) for places in rows]
    return LIFTED["stack"](columns, 1)  # type: ignore[no-any-return]


def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference of each two rows."""
    count = input.shape[0] if input.ndim else 0
    pairs = [held(places, input.device) for places in np.triu_indices(count, 1)]
    return LIFTED["pair_distances"](input, p, *pairs)  # type: ignore[no-any-return]


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """For flat places the indices along each dimension of a tensor of this shape."""
    if isinstance(shape, Tensor):
        shape = shape.tolist()
    extents = (shape,) if isinstance(shape, int) else tuple(shape)
    if indices.dtype.category != 1:
        raise GraphcTypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if any(n < 0 for n in extents):
        raise GraphcValueError(f"'shape' cannot have negative values, but got {extents}")
    found, rest = [], indices
    for extent in reversed(extents):
        found.append(rest % extent)
        rest = rest // extent
    return tuple(reversed(found))


NAMESPACE: dict[str, Any] = {f.__name__: checked(f) for f in (combinations, pdist, unravel_index)}
"""What the package offers by name."""
