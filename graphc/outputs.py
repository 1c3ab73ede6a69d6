"""Results that are written to a tensor given as ``out``."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from graphc.errors import GraphcRuntimeError, GraphcTypeError
from graphc.in_place import assign, check_cast
from graphc.ir.node import recording
from graphc.memory import replace
from graphc.storage import Storage
from graphc.tensor import Tensor, from_storage
from graphc.typename import short_typename


def write_out(out: Any, value: Any, name: str = "") -> Any:
    """Write a result, or each of several, into ``out``, which takes its shape."""
    if isinstance(value, tuple):
        if not isinstance(out, tuple | list) or len(out) != len(value):
            raise GraphcTypeError(
                f"{name}(): argument 'out' must be tuple of Tensors, not {short_typename(out)}"
            )
        made = [write_out(x, y, name) for x, y in zip(out, value, strict=True)]
        return type(value)(*made) if hasattr(value, "_fields") else tuple(made)
    if not isinstance(out, Tensor):
        raise GraphcTypeError(f"{name}(): argument 'out' must be Tensor, not {short_typename(out)}")
    if recording.grad_enabled and (out.requires_grad or value.requires_grad):
        raise GraphcRuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    check_cast(value.dtype, out.dtype)
    if out.shape != value.shape:
        _resize(out, tuple(value.shape))
    return assign(out, value, "copy_")


def _resize(out: Tensor, shape: tuple[int, ...]) -> None:
    if out._type.size:
        warnings.warn(
            "An output with one or more elements was resized since it had shape "
            f"{list(out.shape)}, which does not match the required output shape {list(shape)}. "
            "This behavior is deprecated, and in a future PyTorch release outputs will not be "
            "resized unless they have zero elements. You can explicitly reuse an out tensor t by "
            "resizing it, inplace, to zero elements with t.resize_(0).",
            UserWarning,
            stacklevel=4,
        )
    made = Storage(np.empty(shape, out.dtype.numpy), device=out._place)
    replace(out, from_storage(made))
