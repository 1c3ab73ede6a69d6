"""Results that are written to a tensor given as ``out``."""

from __future__ import annotations

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.ir.node import recording
from graphc.memory import replace
from graphc.storage import Storage
from graphc.surface import assign
from graphc.tensor import Tensor, from_storage
from graphc.typename import short_typename


def write_out(out: Tensor, value: Tensor) -> Tensor:
    """Write a result into ``out``, which takes its shape."""
    if not isinstance(out, Tensor):
        raise GraphcTypeError(f"argument 'out' must be Tensor, not {short_typename(out)}")
    if recording.grad_enabled and (out.requires_grad or value.requires_grad):
        raise GraphcRuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad."
        )
    if out.shape != value.shape:
        replace(out, from_storage(Storage(np.empty(tuple(value.shape), out.dtype.numpy))))
    return assign(out, value, "copy_")
