"""The arguments of a call: what tells two calls apart, and nodes in the place of tensors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphc.recording import Trace
from graphc.tensor import Tensor


def key_of(trace: Trace, x: Any) -> Any:
    """What tells two arguments apart: a tensor's node, a number's type and value."""
    if isinstance(x, Tensor):
        return trace.node_of(x)
    if isinstance(x, list | tuple):
        return (type(x) is list, *[key_of(trace, item) for item in x])
    if isinstance(x, slice):
        return (slice, key_of(trace, x.start), key_of(trace, x.stop), key_of(trace, x.step))
    if isinstance(x, float) and x == 0:
        return (float, str(x))
    if isinstance(x, complex):
        return (complex, repr(x))
    return (type(x), x)


def nodes_of(trace: Trace, x: Any) -> Any:
    """The argument with nodes in the place of tensors."""
    if isinstance(x, Tensor):
        return trace.node_of(x)
    if isinstance(x, list):
        return [nodes_of(trace, item) for item in x]
    if isinstance(x, tuple):
        return tuple(nodes_of(trace, item) for item in x)
    if isinstance(x, slice):
        return slice(_index(x.start), _index(x.stop), _index(x.step))
    return x.item() if isinstance(x, np.generic) else x


def _index(x: Any) -> Any:
    return int(x) if isinstance(x, Tensor) else x


def holds_tensor(values: Iterable[Any]) -> bool:
    """Whether a tensor is among the values or in a list among them."""
    return any(
        isinstance(x, Tensor) or (isinstance(x, tuple | list) and holds_tensor(x)) for x in values
    )
